"""Fusion: text and generated images -> one query."""

from dar_retriever.fusion.adaptive import AdaptiveFusion
from dar_retriever.fusion.base import FusedQuery, Fusion
from dar_retriever.fusion.calibration import Calibration, Neighbours, Surroundings
from dar_retriever.fusion.exclusion import BentQuery, BoundedExclusion, Exclusion, NoExclusion
from dar_retriever.fusion.scheduled import (
    ScheduledFusion,
    image_only,
    paper_schedule,
    text_only,
)
from dar_retriever.fusion.spending import Budget, Spending, UncertaintySpending

__all__ = [
    "AdaptiveFusion",
    "BentQuery",
    "BoundedExclusion",
    "Budget",
    "Calibration",
    "Exclusion",
    "FusedQuery",
    "Fusion",
    "Neighbours",
    "NoExclusion",
    "ScheduledFusion",
    "Spending",
    "Surroundings",
    "UncertaintySpending",
    "image_only",
    "paper_schedule",
    "text_only",
]
