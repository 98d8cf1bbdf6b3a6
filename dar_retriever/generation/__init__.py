"""Generators: prompts -> generated images, and captions -> image vectors."""

from dar_retriever.generation.acceleration import Acceleration
from dar_retriever.generation.base import (
    GeneratedImage,
    ImageGenerator,
    ImagePrior,
    ImageRequest,
    NotGenerated,
    Outcome,
    StartingPicture,
)
from dar_retriever.generation.batching import BatchingGenerator
from dar_retriever.generation.cache import CachedGenerator
from dar_retriever.generation.dialogue_limit import DialogueLimit
from dar_retriever.generation.diffusion import DiffusersGenerator
from dar_retriever.generation.hosted import HostedGenerator
from dar_retriever.generation.kandinsky import KandinskyPrior
from dar_retriever.generation.openai_images import OpenAIImageGenerator
from dar_retriever.generation.prior import FlowPrior
from dar_retriever.generation.selecting import Faithfulness, SelectingGenerator
from dar_retriever.generation.service import ServiceLimits
from dar_retriever.generation.stored import StoredImageGenerator

__all__ = [
    "Acceleration",
    "BatchingGenerator",
    "CachedGenerator",
    "DialogueLimit",
    "DiffusersGenerator",
    "Faithfulness",
    "FlowPrior",
    "GeneratedImage",
    "HostedGenerator",
    "ImageGenerator",
    "ImagePrior",
    "ImageRequest",
    "KandinskyPrior",
    "NotGenerated",
    "OpenAIImageGenerator",
    "Outcome",
    "SelectingGenerator",
    "ServiceLimits",
    "StartingPicture",
    "StoredImageGenerator",
]
