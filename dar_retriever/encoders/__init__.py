"""Joint encoders: texts and images -> unit vectors in one space."""

from dar_retriever.encoders.base import JointEncoder, PreprocessingEncoder, Vectors
from dar_retriever.encoders.open_clip import OpenClipEncoder
from dar_retriever.encoders.transformers import TransformersEncoder

__all__ = [
    "JointEncoder",
    "OpenClipEncoder",
    "PreprocessingEncoder",
    "TransformersEncoder",
    "Vectors",
]
