"""Texts and images -> unit vectors of one space."""

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.encoders.open_clip import OpenClipEncoder
from dar_retriever.encoders.transformers import TransformersEncoder

__all__ = ["JointEncoder", "OpenClipEncoder", "TransformersEncoder", "Vectors"]
