"""A dialogue as one query vector, with all that it was made of."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders.base import Vectors
from dar_retriever.reformulation.base import Condition
from dar_retriever.trace import Trace
from dar_retriever.understanding.meaning import Meaning


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A dialogue encoded as one query vector.

    Attributes:
        dialogue: The dialogue.
        vector: The query: float32 (d,).
        text_vector: The caption: float32 (d,) of unit length; None if nothing was said.
        image_vectors: The generated images: float32 (K, d) of unit length.
        reference_vectors: Images that the user showed: float32 (S, d) of unit length.
        liked_vectors: Hits that the user liked: float32 (L, d) of unit length.
        rejected_vectors: Hits that the user rejected: float32 (R, d) of unit length.
        excluded_vectors: Where exclusions lead from the caption: float32 (E, d) of unit length.
        trace: A record of how the query was made.
        final: False if generated images are still to come.
        since: Index of the turn with which the current subject began.
        conditions: Conditions that no picture shows, such as a price; a search may filter by them.
        sampled_vectors: Vectors of a prior for what is meant: float32 (M, d) of unit length.
        meaning: What was understood; see ``DARQueryEncoder.redrawn``.
    """

    dialogue: Dialogue
    vector: Vectors
    text_vector: Vectors | None
    image_vectors: Vectors
    reference_vectors: Vectors
    liked_vectors: Vectors
    rejected_vectors: Vectors
    trace: Trace
    final: bool = True
    since: int = 0
    conditions: tuple[Condition, ...] = ()
    excluded_vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    sampled_vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    meaning: Meaning | None = field(default=None, repr=False, compare=False)
