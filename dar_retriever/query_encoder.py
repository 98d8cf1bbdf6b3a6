"""The method: reformulate, compose, generate, encode, fuse (DAR; Long et al., arXiv 2501.15379)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from dar_retriever.captioning.base import Captioner
from dar_retriever.conversation.dialogue import Dialogue, DialogueLike
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion.base import Fusion
from dar_retriever.fusion.exclusion import BoundedExclusion, Exclusion
from dar_retriever.fusion.scheduled import paper_schedule
from dar_retriever.fusion.spending import Spending
from dar_retriever.generation.base import (
    SAMPLES,
    GeneratedImage,
    ImageGenerator,
    ImagePrior,
    StartingPicture,
    requests_for,
    usable_samples,
)
from dar_retriever.reformulation.base import Reformulator
from dar_retriever.reformulation.tagged import TaggingReformulator
from dar_retriever.trace import Recorder, Trace, WarnOnce, of_error
from dar_retriever.understanding.composition import Composition, composition_for
from dar_retriever.understanding.drawing import Starts, draw, found_starts
from dar_retriever.understanding.encoded_query import EncodedQuery
from dar_retriever.understanding.feedback import BoundedRocchio, Feedback
from dar_retriever.understanding.meaning import Meaning, understand

__all__ = ["DARQueryEncoder", "EncodedQuery"]

_LOGGER: Final = logging.getLogger(__name__)


class DARQueryEncoder:
    """Turns dialogues into query vectors.

    Generator, reformulator and captioner are helpers. If one of them fails or is late, the query is
    made without it. The trace says so, and a warning is logged once for each kind of failure.

    Args:
        encoder: The joint encoder that also filled the image store.
        generator: Draws what the user seems to mean. Without it, only the text is used.
        reformulator: Writes caption and prompts; by default rules and a tagger, within
            the encoder's limits.
        fusion: Combines the vectors; by default with the paper's weights.
        spending: Decides how many images to generate; always ``images_per_turn`` by default.
        captioner: Any function that describes an image. The user's words then change the
            description of a reference image. Without it, references are combined with the words
            by their vectors only.
        composition: Makes one vector of reference images and words; the encoder where it can.
        feedback: Moves the query towards hits that were liked and away from rejected ones.
        exclusion: Bends the query away from what the user does not want.
        prior: Samples vectors of what the user seems to mean, for a second stage that reads them.
        samples: How many vectors are sampled.
        images_per_turn: Maximum number K of images to generate.
        seed: Seed of the first image; each further image adds 1.
        negative_prompts: Whether exclusions go to the generator. Leave this off for models without
            guidance, and for small models that know few words.
        generation_limit: Seconds to wait for the images; no limit by default.

    Raises:
        InvalidInputError: ``images_per_turn`` is negative, or ``samples`` is below 1.
    """

    def __init__(
        self,
        encoder: JointEncoder,
        generator: ImageGenerator | None = None,
        *,
        reformulator: Reformulator | None = None,
        fusion: Fusion | None = None,
        spending: Spending | None = None,
        captioner: Captioner | None = None,
        composition: Composition | None = None,
        feedback: Feedback | None = None,
        exclusion: Exclusion | None = None,
        prior: ImagePrior | None = None,
        samples: int = SAMPLES,
        images_per_turn: int = 4,
        seed: int = 0,
        negative_prompts: bool = True,
        generation_limit: float | None = None,
    ) -> None:
        if images_per_turn < 0:
            raise InvalidInputError(f"images_per_turn={images_per_turn}: 0 for none, or more")
        if samples < 1:
            raise InvalidInputError(f"samples={samples}: at least 1; leave out the prior for none")
        self.encoder = encoder
        self.generator = generator
        self.fusion = fusion or paper_schedule()
        self.spending = spending
        self.captioner = captioner
        self.composition = composition or composition_for(encoder)
        self.feedback = feedback or BoundedRocchio()
        self.exclusion = exclusion or BoundedExclusion()
        self.reformulator = reformulator or TaggingReformulator(
            encoder.count_tokens, encoder.max_tokens
        )
        self.prior = prior
        self.samples = samples
        self.images_per_turn = images_per_turn
        self.seed = seed
        self.negative_prompts = negative_prompts
        self.generation_limit = generation_limit
        self._warn = WarnOnce(_LOGGER)

    def encode(self, dialogue: DialogueLike) -> EncodedQuery:
        """Encode a dialogue in full.

        Raises:
            EmptyDialogueError: The user has not said or shown anything.
            InvalidInputError: ``dialogue`` is not a dialogue.
        """
        *_, query = self.stages(dialogue)
        return query

    def stages(
        self, dialogue: DialogueLike, starts: Starts | None = None, *, outlines: bool = False
    ) -> Iterator[EncodedQuery]:
