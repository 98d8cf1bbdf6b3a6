"""What the user means: words and reference images composed, hits that were liked or turned down."""

from dar_retriever.understanding.composition import (
    CaptionedReference,
    Captioner,
    Composition,
    PromptDirection,
    WeightedModalities,
)
from dar_retriever.understanding.feedback import BoundedRocchio, Feedback

__all__ = [
    "BoundedRocchio",
    "CaptionedReference",
    "Captioner",
    "Composition",
    "Feedback",
    "PromptDirection",
    "WeightedModalities",
]
