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
        """Encode a dialogue at once without generated images and samples, and then with them.

        Args:
            dialogue: The dialogue.
            starts: Gives the pictures that the images are drawn from; called after the first query.
            outlines: Whether line drawings among its references are searched for by the outlines
                of the pictures. They are in ``Meaning.drawings`` then, and not in the vector.

        Yields:
            First the query of the text and the user's own images. Then, if there is something to
            draw or a prior, the query with the generated images and the prior's samples.

        Raises:
            EmptyDialogueError: The user has not said or shown anything.
            InvalidInputError: ``dialogue`` is not a dialogue.
        """
        dialogue = Dialogue.of(dialogue)
        dialogue.require_content()
        record = Recorder(self._warn)
        meaning = understand(
            dialogue,
            record,
            encoder=self.encoder,
            reformulator=self.reformulator,
            captioner=self.captioner,
            composition=self.composition,
            outlines=outlines,
        )
        draws = bool(self.generator and self.images_per_turn and meaning.reformulation.prompts)
        samples = self.prior is not None and meaning.text is not None
        nothing = np.empty((0, self.encoder.dimension), np.float32)
        first = self._fused(dialogue, meaning, (), nothing, nothing, record)
        yield dataclasses.replace(first, final=not (draws or samples))
        if draws or samples:
            sampled = self._sampled(meaning, record)
            begun = found_starts(starts, record) if draws else ()
            made = self._generate(dialogue, meaning, record, begun) if draws else []
            generated, drawn = self._encoded(made, record) if made else ((), nothing)
            yield self._fused(dialogue, meaning, generated, drawn, sampled, record)

    def redrawn(self, query: EncodedQuery, parts: Sequence[str]) -> EncodedQuery:
        """A query with further drawings that stress some parts; itself if nothing was drawn.

        Args:
            query: A query of this encoder.
            parts: Phrases of what the drawings are to show above all.
        """
        meaning, trace = query.meaning, query.trace
        if not (meaning and parts and self.generator and self.images_per_turn):
            return query
        record = Recorder(self._warn, dict(trace.timings), list(trace.fallbacks))
        made = self._generate(query.dialogue, meaning.stressing(parts), record)
        drawn, vectors = self._encoded(made, record) if made else ((), query.image_vectors[:0])
        if not drawn:
            return query
        vectors, drawn = np.concatenate([query.image_vectors, vectors]), (*trace.generated, *drawn)
        sampled = query.sampled_vectors
        again = self._fused(query.dialogue, meaning, drawn, vectors, sampled, record)
        refined = dataclasses.replace(again.trace, refined=tuple(parts))
        return dataclasses.replace(again, trace=refined)

    def _sampled(self, meaning: Meaning, record: Recorder) -> Vectors:
        """The prior's samples of what is meant; none without words, or if it fails."""
        shape = (self.samples, self.encoder.dimension)
        caption = meaning.reformulation.caption
        if self.prior is None or meaning.text is None:
            return np.empty((0, shape[1]), np.float32)
        try:
            with record.timed("sample"):
                sampled = self.prior.sample(caption, meaning.vector, self.samples, self.seed)
        # The prior may be third-party code, and the search does not need it.
        except Exception as error:
            record.fall_back(f"nothing was sampled: {of_error(error)}")
            return np.empty((0, shape[1]), np.float32)
        usable, wrong = usable_samples(sampled, shape)
        record.fall_back(*wrong)
        return usable

    def _generate(
        self,
        dialogue: Dialogue,
        meaning: Meaning,
        record: Recorder,
        starts: Sequence[StartingPicture] = (),
    ) -> list[GeneratedImage]:
        count = self.images_per_turn
        if self.spending is not None:
            with record.timed("spend"):
                budget = self.spending.budget(meaning.vector, count)
            count = budget.images
            record.reasons.append(budget.reason)
        reformulation = meaning.reformulation
        requests = requests_for(
            reformulation.prompts,
            count,
            negative_prompt=reformulation.negative_prompt if self.negative_prompts else "",
            seed=self.seed,
            dialogue_id=dialogue.id,
            round=dialogue.round,
            starts=starts,
        )
        generator = self.generator
        if not requests or generator is None:
            return []
        return draw(generator, requests, self.generation_limit, record)

    def _encoded(
        self, generated: Sequence[GeneratedImage], record: Recorder
    ) -> tuple[tuple[GeneratedImage, ...], Vectors]:
        """The generated images that have a vector, and their vectors."""
        try:
            with record.timed("encode"):
                drawn = self.encoder.encode_images([image.image for image in generated])
        # There may be enough memory for a text, but not for images.
        except Exception as error:
            record.fall_back(f"generated images could not be encoded: {of_error(error)}")
            return (), np.empty((0, self.encoder.dimension), np.float32)
        usable = [bool(np.isfinite(vector).all()) for vector in drawn]
        if not all(usable):
            record.fall_back("the encoder gave no finite vector for a generated image")
        kept = tuple(image for image, good in zip(generated, usable, strict=True) if good)
        return kept, drawn[usable]

    def _fused(
        self,
        dialogue: Dialogue,
        meaning: Meaning,
        generated: tuple[GeneratedImage, ...],
        drawn: Vectors,
        sampled: Vectors,
        record: Recorder,
    ) -> EncodedQuery:
        with record.timed("fuse"):
            fused = self.fusion.fuse(meaning.vector, drawn, meaning.dialogue.round)
            bent = self.exclusion.bent(fused.vector, meaning.excluded)
            vector = self.feedback.moved(bent.vector, meaning.liked, meaning.rejected)
        reformulation = meaning.reformulation
        trace = Trace(
            caption=reformulation.caption,
            reference_captions=meaning.captions,
            prompts=reformulation.prompts,
            exclusions=reformulation.exclusions,
            exclusion_weights=bent.weights,
            generated=generated,
            text_weight=fused.text_weight,
            image_weight=fused.image_weight,
            shares=fused.shares,
            reasons=(*record.reasons, *fused.reasons),
            timings=MappingProxyType(dict(record.timings)),
            fallbacks=tuple(record.fallbacks),
        )
        return EncodedQuery(
            dialogue,
            vector,
            meaning.text,
            drawn,
            meaning.references,
            meaning.liked,
            meaning.rejected,
            trace,
            since=len(dialogue.turns) - len(meaning.dialogue.turns),
            conditions=reformulation.conditions,
            excluded_vectors=meaning.excluded,
            sampled_vectors=sampled,
            meaning=meaning,
        )
