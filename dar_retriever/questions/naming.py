"""What the hits of a search have in common and what divides them, in words, without metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from dar_retriever.encoders.base import Vectors
from dar_retriever.questions.base import fallen_back
from dar_retriever.questions.dividing import dividing, named_in
from dar_retriever.questions.looks import Looks, Seen, phrases_in
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import Hit
from dar_retriever.trace import of_error

_MOST: Final = 5
_FEWEST_HITS: Final = 4
_COMMON: Final = 0.7
# A word in common is at least so much more frequent among the hits than in the store.
_LIFT: Final = 1.5
_SAME: Final = 0.85

Source = Literal["captions", "words", "nothing"]


@dataclass(frozen=True, slots=True)
class FacetName:
    """A word for what some hits show.

    Attributes:
        word: The word, or two.
        share: The share of the hits that show it, 0 to 1.
        usual: The same of the store.
        sure: By how many standard deviations of the store's scores the hits that show it stand out
            in it: from the other hits if it divides them, from the store if it is in common.
        ids: The ids of the hits that show it, best hit first.
    """

    word: str
    share: float
    usual: float
    sure: float
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultNames:
    """What a result set shows, in words.

    Attributes:
        common: What most hits show and the store does not, the most frequent first.
        divides: What some hits show and others do not, the one that divides them best first.
        source: Where the words come from: the hits' captions, or the word list.
    """

    common: tuple[FacetName, ...] = ()
    divides: tuple[FacetName, ...] = ()
    source: Source = "nothing"


class ResultNamer:
    """Names what hits have in common and what divides them.

    The words come from the hits' captions if most hits have one. Otherwise they come from a list of
    English words, as far as the encoder knows them as qualities (see ``vocabulary_of``); those
    name colours, patterns and other looks, but no things, so that the words of the request are
    tried as well. Either way the encoder ranks them
    (vocabulary-free classification; CaSED, Conti et al., NeurIPS 2023): by how far the hits that
    show a word stand out in it over what is usual in the store. Words that lead to the same scores
    are one.

    Args:
        retriever: The retriever, for its store and encoder.
        words: Another word list, the commonest first.

    Example:
        >>> names = ResultNamer(retriever).names(result)  # doctest: +SKIP
        >>> [name.word for name in names.divides]  # doctest: +SKIP
        ['striped', 'charcoal', 'blue', 'mint', 'plain']
    """

    def __init__(
        self, retriever: DiffusionAugmentedRetriever, *, words: Sequence[str] = ()
    ) -> None:
        self._store = retriever.store
        self._looks = Looks(retriever.query_encoder.encoder, retriever.store, words)

    def names(self, result: SearchResult) -> ResultNames:
        """The names of a result: at most five in common, and at most five that divide the hits.

        What was said already does not divide. There are none for fewer than four hits, or in a
        store of fewer than 20 images.
        """
        hits = result.hits
        if len(hits) < _FEWEST_HITS:
            return ResultNames()
        vectors = self._store.vectors_of([hit.vector_id for hit in hits])
        captions = [hit.caption for hit in hits]
        source: Source = "words"
        seen = self._looks.seen(vectors)
        if sum(map(bool, captions)) > len(hits) / 2:
            source, seen = "captions", self._looks.told(vectors, captions)
        if seen is None:
            return ResultNames()
        said = (result.trace.caption, *result.trace.exclusions)
        divides = dividing(seen, named_in(said, seen.words), _MOST)
        common = _in_common(seen, hits)
        if source == "words":
            # The list names no things, but what was asked for does.
            asked = [word for word in sorted(phrases_in(said[0])) if " " not in word]
            shown = self._looks.of(vectors, asked)
            common = _merged(_in_common(shown, hits) if shown else (), common)
        return ResultNames(common, _dividers(seen, divides, hits), source)


def with_names(namer: ResultNamer, result: SearchResult) -> tuple[SearchResult, ResultNames]:
    """A result, and its names if it is close and they can be found; its trace says if not."""
    if not (result.hits and result.close):
        return result, ResultNames()
    try:
        return result, namer.names(result)
    # The store and the encoder may be third-party code, and the hits do not need the names.
    except Exception as error:
        return fallen_back(result, f"the hits were not named: {of_error(error)}"), ResultNames()


def names_as_json(names: ResultNames) -> dict[str, Any]:
    """Names as plain data: "common", "divides" and "source"."""
    return asdict(names)


def _in_common(seen: Seen, hits: Sequence[Hit]) -> tuple[FacetName, ...]:
    share = seen.shows.mean(0)
    fits = np.flatnonzero((share >= _COMMON) & (share >= _LIFT * seen.usual) & (seen.above > 0))
    order = sorted((int(place) for place in fits), key=lambda p: (-share[p], -seen.above[p]))
    chosen: list[int] = []
    for place in order:
        if not any(_alike(seen.shows[:, place], seen.shows[:, one]) for one in chosen):
            chosen.append(place)
    return tuple(_name(seen, place, seen.above, hits) for place in chosen[:_MOST])


def _merged(some: tuple[FacetName, ...], others: tuple[FacetName, ...]) -> tuple[FacetName, ...]:
    words = {name.word for name in some}
    return (*some, *(name for name in others if name.word not in words))[:_MOST]


def _alike(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    return bool((one & other).sum() > _SAME * (one | other).sum()) and not one.all()


def _dividers(seen: Seen, places: Sequence[int], hits: Sequence[Hit]) -> tuple[FacetName, ...]:
    return tuple(_name(seen, place, seen.apart, hits) for place in places)


def _name(seen: Seen, place: int, sure: Vectors, hits: Sequence[Hit]) -> FacetName:
    shows = seen.shows[:, place]
    ids = tuple(hit.id for hit, shown in zip(hits, shows, strict=True) if shown)
    share, usual = float(shows.mean()), float(seen.usual[place])
    return FacetName(seen.words[place], share, usual, float(sure[place]), ids)
