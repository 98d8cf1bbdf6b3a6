"""The words for how things look that an encoder knows."""

from __future__ import annotations

import hashlib
import logging
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from dar_retriever.encoders.base import JointEncoder, Vectors
from dar_retriever.fusion.calibration import FLAT
from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    JOINTS,
    MATERIALS,
    NUMBERS,
    OPENERS,
    PATTERNS,
    PLACES,
    SHAPES,
    UNSEEN,
)
from dar_retriever.reformulation.tagging.spelling import WORDS

_LOGGER: Final = logging.getLogger(__name__)
# The commonest words for what people look for in pictures; colours and the like come on top.
_COMMONEST: Final = 600
SAY_NOTHING: Final = frozenset(
    {
        *(DETERMINERS | JOINTS | NUMBERS | PLACES | OPENERS | UNSEEN),
        *("colour", "color", "colours", "colors", "background", "second", "both", "it", "on"),
    }
)
# Each word is tried on the first two, and what is left on all.
_THINGS: Final = ("dress", "chair", "lamp", "handbag")
_TRIED_FIRST: Final = 2
# The basic colour terms (Berlin and Kay 1969) show how alike an encoder reads a word that it knows.
_BASIC: Final = (
    *("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"),
    "grey",
)
# Of the embedded encoder's words, all colours, patterns and backgrounds are above, and 98 of 100
# words that it never read are below.
_AS_ALIKE: Final = 0.9
# An encoder that reads colours less alike than this on two things reads no words alone.
_LEAST: Final = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Words for how things look.

    Attributes:
        words: The words, the commonest first.
        vectors: What each adds to a text: float32 (W, d), not of unit length.
    """

    words: tuple[str, ...]
    vectors: Vectors


def common_words() -> tuple[str, ...]:
    """English words for colours, patterns, materials and shapes, and what people look for."""
    known = COLOURS | PATTERNS | MATERIALS | SHAPES
    listed = WORDS.read_text(encoding="utf-8").split()
    kept = [word for place, word in enumerate(listed) if place < _COMMONEST or word in known]
    words = dict.fromkeys([*sorted(known - set(listed)), *kept])
    return tuple(word for word in words if word not in SAY_NOTHING)


def vocabulary_of(encoder: JointEncoder, words: Sequence[str] = ()) -> Vocabulary:
    """The words that change a text in the same way whatever it is about.

    Encoders compose: what "striped" adds to "dress" it also adds to "chair" (ideal words; Trager et
    al., ICCV 2023). A word for which that holds as for the basic colours is known to the encoder
    as a quality. Names of things are none, nor are words that the encoder never learned.

    The first call encodes each word twice. The result is kept in the assets cache of
    ``huggingface_hub``, by the encoder's fingerprint.

    Args:
        encoder: The joint encoder.
        words: The words, the commonest first; by default ``common_words``.
    """
    words = tuple(words) or common_words()
    file = _kept_file(encoder, words)
    found = _read(file) if file else None
    if found is None:
        found = _learned(encoder, words)
        if file:
            _write(found, file)
    return found


def _learned(encoder: JointEncoder, words: Sequence[str]) -> Vocabulary:
    tried = list(dict.fromkeys([*words, *_BASIC]))
    added = _added(encoder, tried, _THINGS[:_TRIED_FIRST])
    kept = _known(tried, added)
    if not len(kept):
        return Vocabulary((), np.empty((0, encoder.dimension), np.float32))
    some = [tried[place] for place in kept]
    added = np.concatenate([added[:, kept], _added(encoder, some, _THINGS[_TRIED_FIRST:])])
    asked = set(words)
    places = [place for place in _known(some, added) if some[place] in asked]
    vectors = added.mean(0)[places].astype(np.float32)
    return Vocabulary(tuple(some[place] for place in places), vectors)


def _added(encoder: JointEncoder, words: Sequence[str], things: Sequence[str]) -> Vectors:
    """What each word adds to the vector of each thing: (T, W, d)."""
    texts = [f"{word} {thing}" for thing in things for word in words]
    with_words = encoder.encode_texts(texts).reshape(len(things), len(words), -1)
    return with_words - encoder.encode_texts(list(things))[:, None]


def _known(words: Sequence[str], added: Vectors) -> Sequence[int]:
    """The places of the words that add the same to all things."""
    units = added / np.maximum(np.linalg.norm(added, axis=2, keepdims=True), FLAT)
    # The mean cosine of all pairs of things: the square of the sum, without the things themselves.
    things = len(added)
    alike = ((units.sum(0) ** 2).sum(1) - things) / (things * (things - 1))
    usual = float(np.median([alike[words.index(word)] for word in _BASIC if word in words]))
    if not usual > _LEAST:
        return []
    return [int(place) for place in np.flatnonzero(alike > _AS_ALIKE * usual)]


def _kept_file(encoder: JointEncoder, words: Sequence[str]) -> Path | None:
    from huggingface_hub import cached_assets_path

    made_of = "\n".join((encoder.fingerprint, *words, *_THINGS, str(_AS_ALIKE)))
    name = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    try:
        return cached_assets_path("dar-retriever", "words") / f"{name}.npz"
    except OSError:
        return None


def _read(file: Path) -> Vocabulary | None:
    try:
        with np.load(file) as kept:
            return Vocabulary(tuple(map(str, kept["words"])), kept["vectors"].astype(np.float32))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _write(vocabulary: Vocabulary, file: Path) -> None:
    part = file.with_name(f"{file.stem}-{os.getpid()}.part.npz")
    try:
        np.savez(part, words=np.array(vocabulary.words, str), vectors=vocabulary.vectors)
        part.replace(file)
    except OSError as error:
        _LOGGER.warning("the words that the encoder knows are not kept: %s", error)
