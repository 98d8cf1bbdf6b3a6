"""The models that lie beside an encoder: what was trained on its vectors."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final

from dar_retriever.encoders import JointEncoder
from dar_retriever.fusion import Neighbours
from dar_retriever.generation import Faithfulness, FlowPrior
from dar_retriever.ranking import (
    CombinedReranker,
    DensityRatioReranker,
    MatchedFaithfulness,
    MatchingReranker,
    Reranker,
)
from dar_retriever.support.caption_reader import CaptionReader

# Chosen on dialogues of their own: examples/benchmarks/second_stage.md.
SPREAD: Final = 0.02


class Beside:
    """The models in the folders beside an encoder's."""

    def __init__(self, encoder: str) -> None:
        self._folder = Path(encoder.removeprefix("local-dir:")).parent
        self._reader = CaptionReader(self._folder / "reader")

    @cached_property
    def prior(self) -> FlowPrior:
        """The prior, opened when it is first asked for."""
        return FlowPrior(self._folder / "prior", self._reader)

    @cached_property
    def matching(self) -> MatchingReranker:
        """The matching head, opened when it is first asked for."""
        return MatchingReranker(self._folder / "matching", self._reader)

    def faithfulness(self, encoder: JointEncoder) -> Faithfulness:
        """Chooses among drawings of one prompt."""
        return MatchedFaithfulness(encoder, self.matching)

    def reranker(self, neighbours: Neighbours) -> Reranker:
        """The head decides; the spread of the samples tells apart what it leaves equal."""
        spread = DensityRatioReranker(neighbours, text=False)
        return CombinedReranker([(self.matching, 1.0), (spread, SPREAD)])
