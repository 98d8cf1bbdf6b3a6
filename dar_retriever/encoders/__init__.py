"""Encoders: texts and images -> unit vectors in one space."""

from dar_retriever.encoders.base import (
    ComposedEncoder,
    ImageEncoder,
    JointEncoder,
    PreprocessingEncoder,
    Vectors,
)
from dar_retriever.encoders.functions import FunctionEncoder
from dar_retriever.encoders.image_only import ImageOnlyEncoder
from dar_retriever.encoders.open_clip import OpenClipEncoder
from dar_retriever.encoders.sentence_transformers import SentenceTransformersEncoder
from dar_retriever.encoders.transformers import TransformersEncoder

__all__ = [
    "ComposedEncoder",
    "FunctionEncoder",
    "ImageEncoder",
    "ImageOnlyEncoder",
    "JointEncoder",
    "OpenClipEncoder",
    "PreprocessingEncoder",
    "SentenceTransformersEncoder",
    "TransformersEncoder",
    "Vectors",
]
