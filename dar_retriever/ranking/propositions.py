"""A caption as short propositions: a subject, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    PLACES,
    SHADES,
    SORTS,
    TINTS,
    visibility,
)
from dar_retriever.reformulation.english.phrases import noun_phrases, tokens_of

# What each costs is an encoded text; of exclusions the latest count.
MOST: Final = 10
_EXCLUSIONS: Final = 4
_MODIFIERS: Final = COLOURS.union(*SORTS)
_DARKER: Final = SHADES | TINTS
_OPEN: Final = PLACES | {"with", "without"}
_ANYTHING: Final = frozenset({"something", "anything", "one", "ones", "thing", "things", "some"})
_GROUNDS: Final = frozenset({"background", "backdrop", "backgrounds", "backdrops"})
_NO_THINGS: Final = frozenset({"here", "there", "i"})
# "my friend had this mug", "a mug for my flat", "a mug like the ones in cafes", "a sort of blue".
_BESIDE: Final = re.compile(
    r"^(?:i|we|she|he|they|(?:my|our|his|her|their) [\w-]+) (?:had|have|has|saw|got|bought|owned|"
    r"wore) (?=(?:this|that|these|those|an?|the|some)\b)"
    r"|(?<=\w) (?:for (?:my|your|his|her|our|their|the)|like (?:the|that|those) ones?)\b.*"
    r"|\b(?:sort|kind|type)s? of "
)


@dataclass(frozen=True, slots=True)
class Proposition:
    """One thing that is said of the wanted image.

    Attributes:
        phrase: In few words: "blue".
        text: In a text that can be encoded: "blue skirt"; the subject alone for the first one.
        wanted: False for an exclusion.
    """

    phrase: str
    text: str
    wanted: bool = True


def propositions(caption: str, exclusions: Sequence[str] = ()) -> tuple[Proposition, ...]:
    """Split a caption, after NDCR and ComCLIP (arXiv 2211.13854), by rules instead of a parser.

    English words are known; elsewhere commas alone divide a caption.

    Args:
        caption: Such as "a blue skirt, ruffled hem".
        exclusions: What the image is not to show.

    Returns:
        The subject first ("skirt"), then what is said of it ("blue", "ruffled hem"), then the last
        exclusions. Empty without a caption.
    """
    parts = list(_parts(caption))
    if not parts:
        return ()
    adjectives, subject = _divided(parts[0])
    said = [*adjectives, *parts[1:]]
    wanted = [Proposition(phrase, _of(subject, phrase)) for phrase in dict.fromkeys(said)]
    unwanted = [
        Proposition(phrase, _of(subject, phrase), wanted=False)
        for phrase in exclusions[-_EXCLUSIONS:]
    ]
    return (Proposition(subject, subject), *wanted[: MOST - 1], *unwanted)


def names_a_thing(caption: str) -> bool:
    """Whether a caption says what it is about.

    "a red mug" does; "something red" and "mint background" do not.
    """
    parts = list(_parts(caption))
    opening = caption.lower().split()[:1]
    if not parts or _OPEN.intersection(opening):
        return False
    _, subject = _divided(parts[0])
    if subject.split()[-1] in _GROUNDS:
        return False
    return any(word not in _ANYTHING and not _describes(word) for word in subject.split())


def _parts(caption: str) -> Iterator[str]:
    """The phrases of a caption without articles: "skirt", "ruffled hem", "dark blue"."""
    for whole in caption.lower().split(","):
        segment = _BESIDE.sub("", whole.strip())
        tokens = tokens_of(segment)
        things = [" ".join(tokens[span.start : span.stop]) for span in noun_phrases(segment)]
        for part in things or [segment]:
            words = [word for word in part.split() if word not in DETERMINERS]
            if words and visibility(" ".join(words)) and not _NO_THINGS.intersection(words):
                yield " ".join(words)


def _divided(phrase: str) -> tuple[list[str], str]:
    """The adjectives before a noun, and the noun: ["dark blue", "striped"], "skirt"."""
    words, adjectives = phrase.split(), list[str]()
    while len(words) > 1 and (words[0] in _MODIFIERS or words[0] in _DARKER):
        shaded = words[0] in _DARKER and len(words) > 2 and words[1] in COLOURS
        count = 2 if shaded else 1
        adjectives.append(" ".join(words[:count]))
        words = words[count:]
    return adjectives, " ".join(words)


def _of(subject: str, phrase: str) -> str:
    """A phrase in a text with its subject."""
    words = phrase.split()
    describes = words[-1] in _MODIFIERS or (len(words) == 1 and _describes(phrase))
    return f"{phrase} {subject}" if describes else f"{subject}, {phrase}"


def _describes(word: str) -> bool:
    return word in _MODIFIERS or word.endswith("ed")
