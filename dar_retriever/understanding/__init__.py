"""What the user means: words and reference images combined, and liked and rejected hits."""

from dar_retriever.understanding.composition import (
    CaptionedReference,
    Composition,
    PromptDirection,
    WeightedModalities,
)
from dar_retriever.understanding.feedback import BoundedRocchio, Feedback

__all__ = [
    "BoundedRocchio",
    "CaptionedReference",
    "Composition",
    "Feedback",
    "PromptDirection",
    "WeightedModalities",
]
