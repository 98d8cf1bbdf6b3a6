"""The method: reformulate, generate, encode, fuse (DAR; Long et al., arXiv 2501.15379)."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np

from dar_retriever.deadline import call_within
from dar_retriever.dialogue import Dialogue, DialogueLike
from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion import FusedQuery, Fusion, paper_schedule
from dar_retriever.generation.base import GeneratedImage, ImageGenerator, requests_for
from dar_retriever.images import is_blank
from dar_retriever.reformulation.base import Reformulation, Reformulator
from dar_retriever.reformulation.rules import RuleReformulator, own_words
from dar_retriever.trace import Trace

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EncodedQuery:
    """A dialogue as one query vector.

    Attributes:
        dialogue: What was encoded.
        vector: float32 (d,), what the image store is searched with.
        text_vector: float32 (d,) of unit length, or None where nothing was said.
        image_vectors: float32 (K, d) of unit length: generated images, then the user's own.
        rejected_vectors: float32 (R, d) of unit length: what the user turned down.
        trace: How it came about.
        final: False where generated images are still to come.
    """

    dialogue: Dialogue
    vector: Vectors
    text_vector: Vectors | None
    image_vectors: Vectors
    rejected_vectors: Vectors
    trace: Trace
    final: bool = True


class DARQueryEncoder:
    """Turns dialogues into query vectors.

    Generation and reformulation are helpers: where one fails or is late, the query is made
    from what is left, the trace says so, and a warning is logged once for each kind of failure.

    Args:
        encoder: The joint encoder that also filled the image store.
        generator: Draws what the user seems to mean; without one the text alone is searched with.
        reformulator: Writes caption and prompts; rules within the encoder's limits by default.
        fusion: Combines the vectors; the paper's schedule by default.
        images_per_turn: Number K of images to generate.
        seed: Of the first image; the others count up from it.
        negative_prompts: Whether what the user ruled out goes to the generator. Models that draw
            without guidance, or know too few words to draw the opposite, do better without.
        generation_limit: Seconds to wait for the images; no limit by default.

    Raises:
        InvalidInputError: ``images_per_turn`` is negative.
    """

    def __init__(
        self,
        encoder: JointEncoder,
        generator: ImageGenerator | None = None,
        *,
        reformulator: Reformulator | None = None,
        fusion: Fusion | None = None,
        images_per_turn: int = 4,
        seed: int = 0,
        negative_prompts: bool = True,
        generation_limit: float | None = None,
    ) -> None:
        if images_per_turn < 0:
            raise InvalidInputError(f"images_per_turn={images_per_turn}: 0 for none, or more")
        self.encoder = encoder
        self.generator = generator
        self.fusion = fusion or paper_schedule()
        self._rules = RuleReformulator(encoder.count_tokens, encoder.max_tokens)
        self.reformulator = reformulator or self._rules
        self.images_per_turn = images_per_turn
        self.seed = seed
        self.negative_prompts = negative_prompts
        self.generation_limit = generation_limit
        self._warned: set[str] = set()

    def encode(self, dialogue: DialogueLike) -> EncodedQuery:
        """Encode a dialogue in full.

        Raises:
            EmptyDialogueError: The user has neither said nor shown anything.
            InvalidInputError: ``dialogue`` is no dialogue.
        """
        *_, query = self.stages(dialogue)
        return query

    def stages(self, dialogue: DialogueLike) -> Iterator[EncodedQuery]:
        """Encode a dialogue as far as it goes at once, then with generated images.

        Yields:
            The query of the text and the user's own images; then, where there is something to
            generate, the query with the generated images.

        Raises:
            EmptyDialogueError: The user has neither said nor shown anything.
            InvalidInputError: ``dialogue`` is no dialogue.
        """
        dialogue = Dialogue.of(dialogue)
        dialogue.require_content()
        log = _Log()
        with log.timed("reformulate"):
            reformulation = self._reformulate(dialogue, log)
        with log.timed("encode"):
            text = None
            if reformulation.caption:
                text = self.encoder.encode_texts([reformulation.caption])[0]
            own = _OwnVectors(
                self.encoder.encode_images(dialogue.images),
                self.encoder.encode_images(dialogue.unlike),
            )
        if text is None and not len(own.shown):
            # Nothing but "hm" and "no" was said.
            reformulation = own_words(dialogue)
            text = self.encoder.encode_texts([reformulation.caption])[0]
        draws = bool(self.generator and self.images_per_turn and reformulation.prompts)
        nothing = np.empty((0, self.encoder.dimension), np.float32)
        first = self._fused(dialogue, reformulation, text, (), nothing, own, log)
        yield dataclasses.replace(first, final=not draws)
        if not draws:
            return
        with log.timed("generate"):
            generated = self._generate(dialogue, reformulation, log)
        with log.timed("encode"):
            drawn = self.encoder.encode_images([image.image for image in generated])
            usable = [bool(np.isfinite(vector).all()) for vector in drawn]
            if not all(usable):
                self._fall_back(log, "the encoder gave no finite vector for a generated image")
        kept = tuple(image for image, good in zip(generated, usable, strict=True) if good)
        yield self._fused(dialogue, reformulation, text, kept, drawn[usable], own, log)

    def _reformulate(self, dialogue: Dialogue, log: _Log) -> Reformulation:
        try:
            return _as_reformulation(self.reformulator.reformulate(dialogue))
        # A reformulator may be anybody's code around anybody's service.
        except Exception as error:
            self._fall_back(log, f"reformulation failed, rules were used: {_short(error)}")
            return self._rules.reformulate(dialogue)

    def _generate(
        self, dialogue: Dialogue, reformulation: Reformulation, log: _Log
    ) -> list[GeneratedImage]:
        requests = requests_for(
            reformulation.prompts,
            self.images_per_turn,
            negative_prompt=reformulation.negative_prompt if self.negative_prompts else "",
            seed=self.seed,
            dialogue_id=dialogue.id,
            round=dialogue.round,
        )
        generator = self.generator
        assert generator is not None
        try:
            made = list(call_within(self.generation_limit, lambda: generator.generate(requests)))
            good = [image for image in made if not is_blank(image.image)]
        # A generator may be anybody's code around anybody's service.
        except Exception as error:
            self._fall_back(log, f"generation failed, the text alone was used: {_short(error)}")
            return []
        if len(good) < len(made):
            lost = len(made) - len(good)
            self._fall_back(log, f"blank generated images were dropped: {lost} of {len(made)}")
        return good

    def _fused(
        self,
        dialogue: Dialogue,
        reformulation: Reformulation,
        text: Vectors | None,
        generated: tuple[GeneratedImage, ...],
        drawn: Vectors,
        own: _OwnVectors,
        log: _Log,
    ) -> EncodedQuery:
        with log.timed("fuse"):
            fused: FusedQuery = self.fusion.fuse(
                text, drawn, dialogue.round, own.shown, own.rejected
            )
        trace = Trace(
            caption=reformulation.caption,
            prompts=reformulation.prompts,
            negative_prompt=reformulation.negative_prompt,
            generated=generated,
            text_weight=fused.text_weight,
            image_weight=fused.image_weight,
            shares=fused.shares,
            timings=MappingProxyType(dict(log.timings)),
            fallbacks=tuple(log.fallbacks),
        )
        vectors = np.concatenate([drawn, own.shown])
        return EncodedQuery(dialogue, fused.vector, text, vectors, own.rejected, trace)

    def _fall_back(self, log: _Log, what: str) -> None:
        log.fallbacks.append(what)
        kind = what.split(":", maxsplit=1)[0]
        if kind not in self._warned:
            self._warned.add(kind)
            _LOGGER.warning("%s (further cases are only in the traces)", what)


@dataclass(frozen=True, slots=True)
class _OwnVectors:
    """The user's images: those that were shown or liked, and those that were turned down."""

    shown: Vectors
    rejected: Vectors


@dataclass(slots=True)
class _Log:
    """What one encoding collects for its trace."""

    timings: dict[str, float] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    clock: Callable[[], float] = time.perf_counter

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of a step to what the step took before."""
        began = self.clock()
        yield
        self.timings[step] = self.timings.get(step, 0.0) + self.clock() - began


def _as_reformulation(value: object) -> Reformulation:
    if not isinstance(value, Reformulation):
        raise TypeError(f"{value!r} is no Reformulation")
    return value


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
