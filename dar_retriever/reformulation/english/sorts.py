"""Words by sort within a phrase: a colour takes a colour's place, a number a number's."""

from __future__ import annotations

from typing import Final

from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    CONTRARIES,
    NUMBERS,
    PATTERNS,
    SHADES,
    SORTS,
    TINTS,
)
from dar_retriever.reformulation.english.nouns import kind_of, plural, singular
from dar_retriever.reformulation.english.phrases import (
    Span,
    noun_phrases,
    spelt,
    tokens_of,
    with_article,
)

_OF_SORT: Final = {word: number for number, words in enumerate(SORTS) for word in words}
_COUNTS: Final = NUMBERS - {"only", "just", "about", "single"}
_ARTICLES: Final = frozenset({"a", "an", "some", "any"})
# A size or an age that was taken back says nothing that a search could keep away from.
_SHOWN: Final = frozenset().union(*(words for words in SORTS if not words & {"big", "long", "old"}))


def is_colour(words: list[str]) -> bool:
    """Whether words name colours and nothing else: "dark green", "red and white"."""
    return (
        bool(words)
        and words[-1] in COLOURS
        and all(
            word in COLOURS or word in SHADES or word in TINTS or word == "and" for word in words
        )
    )


def is_number(words: list[str]) -> bool:
    """Whether words are one number."""
    return len(words) == 1 and (words[0] in _COUNTS or words[0].isdigit())


def sort_of(word: str) -> int | None:
    """The sort of a word that a thing is only one of: "wooden", "round", "awake"."""
    return _OF_SORT.get(word)


def is_said_of_things(word: str) -> bool:
    """Whether a word describes things and names none: a colour, a material, a size, a pose."""
    return word in COLOURS or word in SHADES or word in _OF_SORT or word in CONTRARIES


def recoloured(text: str, colour: str, *, anywhere: bool) -> str | None:
    """A text whose thing has another colour.

    Args:
        text: Such as "mustard yellow velvet sofa".
        colour: Such as "dark green".
        anywhere: Whether the colour may be that of a thing beside it.

    Returns:
        "dark green velvet sofa"; None where nothing there has a colour.
    """
    tokens = tokens_of(text)
    spans = _colours(tokens)
    main = _main(text)
    here = [span for span in spans if span.start < main.stop]
    chosen = here[0] if here else spans[-1] if spans and anywhere else None
    if chosen is None:
        return None
    return _put(tokens, chosen, colour.split())


def renumbered(text: str, number: str) -> str | None:
    """A text with another number of its thing: "two cats on a bed", of "a cat on a bed"."""
    tokens, main = tokens_of(text), _main(text)
    if main.stop == 0:
        return None
    counted = [n for n in range(main.stop) if is_number([tokens[n]])]
    noun = main.stop - 1
    many = number not in ("one", "1")
    put = [*tokens]
    if kind_of(put[noun]):
        put[noun] = plural(put[noun]) if many else singular(put[noun])
    if counted:
        put[counted[0]] = number
    elif put[0] in _ARTICLES:
        put[0] = number
    else:
        put.insert(0, number)
    return spelt(put)


def resorted(text: str, word: str) -> tuple[str, str] | None:
    """A text with a word in the place of one of its sort, and that word where it may be seen.

    Of several the one that is said of the thing itself gives way, else none does.
    """
    tokens, main = tokens_of(text), _main(text)
    places = [n for n, token in enumerate(tokens) if _OF_SORT.get(token) == _OF_SORT[word]]
    here = [n for n in places if n < main.stop]
    if not here and len(places) != 1:
        return None
    place = (here or places)[0]
    old = tokens[place]
    if old == word:
        return None
    said = _put(tokens, Span(place, place + 1), [word])
    return said, old if old in _SHOWN and old not in PATTERNS else ""


def _put(tokens: tuple[str, ...], span: Span, words: list[str]) -> str:
    start = span.start
    if start and tokens[start - 1] in ("a", "an"):
        return spelt([*tokens[: start - 1], *with_article(["a", *words]), *tokens[span.stop :]])
    return spelt([*tokens[:start], *words, *tokens[span.stop :]])


def _main(text: str) -> Span:
    """Where the text's own thing is named: from its beginning to its first noun."""
    found = noun_phrases(text)
    return Span(0, found[0].stop) if found else Span(0, 0)


def _colours(tokens: tuple[str, ...]) -> list[Span]:
    """The colours of a text, with their shades; "red and white" is one."""
    spans: list[Span] = []
    place = 0
    while place < len(tokens):
        stop = place
        while stop < len(tokens) and (tokens[stop] in TINTS or tokens[stop] in SHADES):
            stop += 1
        if stop == len(tokens) or tokens[stop] not in COLOURS:
            place += 1
            continue
        stop += 1
        if (spans and spans[-1].stop == place - 1 and tokens[place - 1] == "and") or (
            spans and spans[-1].stop == place
        ):
            spans[-1] = Span(spans[-1].start, stop)
        else:
            spans.append(Span(place, stop))
        place = stop
    return spans
