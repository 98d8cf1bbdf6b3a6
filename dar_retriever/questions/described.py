"""Facets of what is stored with the candidates: texts, numbers, dates, captions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from dar_retriever.questions.facet import Facet, facet_of
from dar_retriever.questions.ranges import Range, T, date_ranges, number_ranges
from dar_retriever.questions.trials import Candidates
from dar_retriever.questions.values import number_of, values_of
from dar_retriever.reformulation.english.lexicon import COLOURS, MATERIALS, PATTERNS
from dar_retriever.stores.fields import Field, fields_in
from dar_retriever.stores.filtering.names import fields_about, words_of
from dar_retriever.stores.filtering.times import day_of, holds_dates

_WORD: Final = re.compile(r"[^\W\d_]+")
_IN_CAPTIONS: Final = {"colour": COLOURS, "material": MATERIALS, "pattern": PATTERNS}
_FEW: Final = 6
# Numbers that nobody searches by.
_TECHNICAL: Final = frozenset(
    {
        *("id", "index", "idx", "number", "no", "row", "page", "code", "sku", "ean", "isbn", "zip"),
        *("width", "height", "bytes", "pixels", "dpi", "hash", "version", "score", "rank", "seed"),
        *("iso", "aperture", "exposure", "focal", "lat", "lon", "lng", "latitude", "longitude"),
        *("gps", "altitude", "modified", "indexed", "updated", "split", "fold", "frame", "phone"),
    }
)


def metadata_facets(candidates: Candidates) -> list[Facet]:
    """The facets of the candidates' metadata."""
    metadatas = [hit.metadata for hit in candidates.hits]
    lists = {n: Field(n, "text") for each in metadatas for n in each if isinstance(each[n], list)}
    fields = lists | fields_in(metadatas, complete=True)
    return [facet for field in fields.values() for facet in _of_field(field, candidates)]


def caption_facets(candidates: Candidates) -> list[Facet]:
    """Colours, materials and patterns that the candidates' captions name, in English."""
    said = [{*_WORD.findall(hit.caption.lower())} for hit in candidates.hits]
    facets = []
    for name, known in _IN_CAPTIONS.items():
        rows = [{word: word for word in sorted(words & known)} for words in said]
        facets.append(facet_of(name, rows, candidates.shares))
    return [facet for facet in facets if facet is not None]


def _of_field(field: Field, candidates: Candidates) -> Iterator[Facet]:
    metadatas = [hit.metadata for hit in candidates.hits]
    named = {field.name: field}
    if holds_dates(field) and fields_about("date", named):
        days = [day_of(field, metadata.get(field.name)) for metadata in metadatas]
        yield from _of_ranges(field.name, days, date_ranges(days, candidates.shares))
    elif field.type == "number":
        if {*words_of(field.name)} & _TECHNICAL:
            return
        numbers = [number_of(metadata, field.name) for metadata in metadatas]
        distinct = sorted({number for number in numbers if number is not None})
        # A price is a limit, whatever prices there are.
        if len(distinct) > _FEW or fields_about("price", named):
            ranges = number_ranges(numbers, candidates.shares)
        else:
            ranges = [Range(number, number, f"{number:g}") for number in distinct]
        yield from _of_ranges(field.name, numbers, ranges)
    else:
        rows = [values_of(metadata, field.name) for metadata in metadatas]
        facet = facet_of(field.name, rows, candidates.shares)
        if facet is not None:
            yield facet


def _of_ranges(
    name: str, values: Sequence[T | None], ranges: Sequence[Range[T]]
) -> Iterator[Facet]:
    if len(ranges) > 1:
        holds = [[value is not None and each.holds(value) for value in values] for each in ranges]
        texts = tuple(each.text for each in ranges)
        yield Facet(name, texts, np.asarray(holds, np.float32), exact=True)
