"""Questions about what tells the candidates apart, without a language model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import InvalidInputError
from dar_retriever.questions.agreement import Vote, agreement, samples_of, votes
from dar_retriever.questions.asked import fields_asked
from dar_retriever.questions.base import Agreement, Question
from dar_retriever.questions.described import caption_facets, metadata_facets
from dar_retriever.questions.dividing import look_facet
from dar_retriever.questions.facet import Facet, in_words, question_about
from dar_retriever.questions.looks import Looks
from dar_retriever.questions.trials import Candidates, Trials
from dar_retriever.questions.visual import VisualFacets
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.filtering.names import is_seen, words_of
from dar_retriever.stores.filters import fields_of_filter

# Facets that are tried at once, with up to eight answers each.
_BATCH: Final = 12
_LEAST_GAIN: Final = 0.1
_TINY: Final = 1e-6
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})

By = Literal["answers", "samples"]


class FacetQuestions:
    """Asks for the metadata field whose value would narrow the candidates down most.

    The value of a question is the expected decrease of the candidates' entropy in bits (Quinlan
    1986). It is measured by trying: each choice is added to the dialogue, and the probabilities of
    the candidates with that value are compared before and after. So it asks for nothing that was
    said already, and for nothing that the encoder cannot see. Numbers and dates are asked for by
    ranges if the retriever makes filters of the answers; their value follows from the metadata.

    Where the metadata hold nothing to ask for, questions come from colours, materials and patterns
    in English captions. Where there are none, they come from generic facets such as colour,
    setting or viewpoint, as far as the encoder tells them apart. In both cases one more question,
    "Which look?", offers the words that divide the candidates best; see ``ResultNamer``.

    Where a prior samples what is meant, the samples show what is still open: their values are read
    by a regression on the candidates, and what they differ in most is asked for. It is this
    project's own method; see ``examples/guides/spread.md``.

    Args:
        retriever: The retriever, whose store has the metadata and whose encoder reads the answers.
        labels: What to call fields in questions, by name: ``{"Farbe": "colour"}``.
        by: How a question is chosen: by trying the "answers", or by the "samples" where there are
            any.

    Raises:
        InvalidInputError: ``by`` is neither of both.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        labels: Mapping[str, str] = _NO_LABELS,
        *,
        by: By = "answers",
    ) -> None:
        if by not in get_args(By):
            raise InvalidInputError(f"by={by!r}: {' or '.join(map(repr, get_args(By)))}")
        self._by = by
        self._trials = Trials(retriever)
        self._labels = dict(labels)
        encoder, store = retriever.query_encoder.encoder, retriever.store
        self._looks = Looks(encoder, store)
        self._visual = VisualFacets(encoder, store, self._looks)

    def next_question(self, result: SearchResult) -> Question | None:
        """See ``Questioner``."""
        candidates = self._trials.candidates(result)
        if candidates.clear:
            return None
        fields = {name for hit in candidates.hits for name in hit.metadata}
        facets = metadata_facets(candidates)
        question = self._about(result, candidates, facets, fields)
        asked = fields_asked(result.subject, fields, self._labels)
        # Metadata that describe what pictures show leave nothing to be guessed from the pictures.
        if question or asked or any(is_seen(self._called(each)) for each in facets):
            return question
        return self._about(result, candidates, self._captioned(result, candidates)) or self._about(
            result, candidates, self._visual.facets(candidates, _said(result))
        )

    def _captioned(self, result: SearchResult, candidates: Candidates) -> list[Facet]:
        """The facets of the candidates' captions."""
        facets = caption_facets(candidates)
        told = self._looks.told(candidates.vectors, [hit.caption for hit in candidates.hits])
        return [*facets, *look_facet(told, facets, _said(result))]

    def agreement(self, result: SearchResult) -> Agreement:
        """What the samples of what is meant agree on, and what they leave open.

        Returns:
            It, by the same facets as are asked for; nothing without samples.
        """
        samples = samples_of(result.query)
        if not len(samples):
            return Agreement()
        candidates = self._trials.candidates(result)
        facets = metadata_facets(candidates)
        if not any(is_seen(self._called(each)) for each in facets):
            facets = self._captioned(result, candidates) or self._visual.facets(
                candidates, _said(result)
            )
        voted = votes(facets, samples, candidates)
        return agreement(voted, lambda facet: in_words(self._called(facet)))

    def _about(
        self,
        result: SearchResult,
        candidates: Candidates,
        facets: Sequence[Facet],
        fields: Collection[str] = (),
    ) -> Question | None:
        """The best question about some facets that were not asked for yet, if there is one."""
        names = {*fields, *(each.name for each in facets)}
        asked = fields_asked(result.subject, names, self._labels)
        asked |= _told(result.trace.caption, facets)
        left = [each for each in facets if each.name not in asked]
        return self._best(result, candidates, left)

    def _best(
        self, result: SearchResult, candidates: Candidates, facets: Sequence[Facet]
    ) -> Question | None:
        """The best question of the most promising facets that have one."""
        if self._by == "samples":
            voted = votes(facets, samples_of(result.query), candidates)
            if voted:
                return self._widest(voted)
        promise = {each.name: each.entropy(candidates.shares) for each in facets}
        promising = sorted(
            (each for each in facets if promise[each.name] >= _LEAST_GAIN),
            key=lambda each: -promise[each.name],
        )
        for batch in _batches(promising):
            gains = self._gains(result, candidates, batch)
            best = int(np.argmax(gains))
            if gains[best] >= _LEAST_GAIN:
                name, gain = batch[best].name, gains[best]
                reason = f"{name} narrows {len(candidates.hits)} candidates down by {gain:.1f} bits"
                return Question(self._asking(batch[best]), batch[best].choices, reason)
        return None

    def _widest(self, voted: Sequence[Vote]) -> Question | None:
        """The question about what the samples differ in most; none if they differ in nothing."""
        vote = max(voted, key=lambda each: each.bits)
        if vote.bits < _LEAST_GAIN:
            return None
        reason = f"the samples of what is meant differ in {vote.facet.name} by {vote.bits:.1f} bits"
        choices = vote.facet.choices
        likeliest = sorted(range(len(choices)), key=lambda place: -vote.shares[place])
        return Question(
            self._asking(vote.facet), tuple(choices[place] for place in likeliest), reason
        )

    def _gains(
        self, result: SearchResult, candidates: Candidates, facets: Sequence[Facet]
    ) -> list[float]:
        """The expected gain of each facet's answer, in bits."""
        tried = [each for each in facets if not each.exact]
        answers = [(self._asking(each), choice) for each in tried for choice in each.choices]
        before, after = self._trials.shares(result, candidates, answers)
        rows = iter(after)
        gains = []
        for facet in facets:
            if facet.exact:
                gains.append(self._exact_gain(result, candidates, facet))
                continue
            shares = np.stack([next(rows) for _ in facet.choices])
            gains.append(_gain(facet.holds, candidates.shares, before, shares))
        return gains

    def _exact_gain(self, result: SearchResult, candidates: Candidates, facet: Facet) -> float:
        """The gain of answers that filter; none if they would not."""
        if facet.name in fields_of_filter(result.word_filter):
            return 0.0
        asking = self._asking(facet)
        understood = all(
            facet.name in self._trials.filtered(result, asking, choice) for choice in facet.choices
        )
        return facet.entropy(candidates.shares) if understood else 0.0

    def _asking(self, facet: Facet) -> str:
        return question_about(self._called(facet))

    def _called(self, facet: Facet) -> str:
        return self._labels.get(facet.name, facet.name)


def _said(result: SearchResult) -> tuple[str, ...]:
    return (result.trace.caption, *result.trace.exclusions)


def _told(caption: str, facets: Sequence[Facet]) -> set[str]:
    """The facets of which the caption names a value that no other facet has."""
    words = f" {' '.join(words_of(caption))} "
    times = Counter(choice for each in facets for choice in each.choices)
    return {
        each.name
        for each in facets
        if any(
            times[choice] == 1 and f" {' '.join(words_of(choice))} " in words
            for choice in each.choices
        )
    }


def _batches(facets: Sequence[Facet]) -> list[Sequence[Facet]]:
    return [facets[place : place + _BATCH] for place in range(0, len(facets), _BATCH)]


def _gain(holds: Vectors, shares: Vectors, before: Vectors, after: Vectors) -> float:
    """The expected logarithm of how much likelier an answer makes what it fits, in bits.

    Args:
        holds: How much each candidate has each value: (A, N).
        shares: The probabilities of the candidates: (N,).
        before: The same by words only: (N,).
        after: The same after each answer: (A, N).
    """
    told = np.log2(((holds * after).sum(1) + _TINY) / (holds @ before + _TINY))
    return float((holds @ shares) @ told)
