"""After the search: the second stage, and whether anything is close to what was asked for."""

from dar_retriever.ranking.base import Candidates, Reranker
from dar_retriever.ranking.closeness import Closeness, StoreCloseness, Verdict
from dar_retriever.ranking.density_ratio import DensityRatioReranker
from dar_retriever.ranking.matching import MatchingReranker
from dar_retriever.ranking.second_stage import Ordered, SecondStage

__all__ = [
    "Candidates",
    "Closeness",
    "DensityRatioReranker",
    "MatchingReranker",
    "Ordered",
    "Reranker",
    "SecondStage",
    "StoreCloseness",
    "Verdict",
]
