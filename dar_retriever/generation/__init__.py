"""Generators: prompts -> generated images, and captions -> image vectors."""

from dar_retriever.generation.acceleration import Acceleration
from dar_retriever.generation.base import GeneratedImage, ImageGenerator, ImagePrior, ImageRequest
from dar_retriever.generation.batching import BatchingGenerator
from dar_retriever.generation.cache import CachedGenerator
from dar_retriever.generation.diffusion import DiffusersGenerator
from dar_retriever.generation.prior import FlowPrior
from dar_retriever.generation.stored import StoredImageGenerator

__all__ = [
    "Acceleration",
    "BatchingGenerator",
    "CachedGenerator",
    "DiffusersGenerator",
    "FlowPrior",
    "GeneratedImage",
    "ImageGenerator",
    "ImagePrior",
    "ImageRequest",
    "StoredImageGenerator",
]
