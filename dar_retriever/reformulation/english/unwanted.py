"""What is ruled out leaves what was said before: "not wooden" makes a wooden table a table."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dar_retriever.reformulation.english import phrases, sorts
from dar_retriever.reformulation.english.lexicon import (
    COLOURS,
    DETERMINERS,
    JOINTS,
    NUMBERS,
    OPENERS,
    PLACES,
    SHADES,
    TINTS,
    stem,
    visibility,
)
from dar_retriever.reformulation.english.nouns import kind_of
from dar_retriever.reformulation.english.statement import Statement

_SMALL: Final = JOINTS | PLACES | DETERMINERS
_SAYING_HOW: Final = re.compile(r"(?:ing|ed|y|ish|ful|less|ous|able|ic)$")
# How a word says of a thing that it has another: stripes and "striped", wood and "wooden".
_HAVING: Final = r"(?:(?:d|ed|{0}ed)\b ?|(?:en|y|{0}en)\b (?=\w))"
# "A wolf beside him" is about the wolf.
_BESIDE_IT: Final = re.compile(
    r" (?:beside|next to|through|behind|with|on|in|near|under|over|around) (?:him|her|it|them)$"
)


def without(kept: list[Statement], what: str) -> list[Statement]:
    """The statements without what is ruled out; the description's own thing stays.

    Args:
        kept: What was said so far.
        what: A thing, "dots", what is said of one, "wooden", or both.
    """
    bare = without_words(kept, what)
    if len(what.split()) == 1 and bare != kept:
        return bare
    kept = bare
    noun = what.rsplit(maxsplit=1)[-1]
    name = stem(noun)
    having = re.compile(rf"\b{re.escape(name)}{_HAVING.format(re.escape(name[-1]))}")
    kept = [
        replace(old, text=phrases.with_articles(having.sub("", old.text, count=1)))
        if name in old.text
        else old
        for old in kept
    ]
    for number in reversed(range(len(kept))):
        text = phrases.without(kept[number].text, noun)
        if text is not None:
            return [*kept[:number], replace(kept[number], text=text), *kept[number + 1 :]]
        if number and phrases.is_about(_BESIDE_IT.sub("", kept[number].text), noun):
            return [*kept[:number], *kept[number + 1 :]]
    return kept


def without_answered(kept: list[Statement], what: str) -> list[Statement]:
    """The statements without what an answer denies, where it is said of the thing in these words.

    "Is his shirt red? no" leaves the shirt.
    """
    return undescribed(kept, what) if len(what.split()) == 1 else without_words(kept, what)


def without_words(kept: list[Statement], what: str) -> list[Statement]:
    """The statements without these very words, where they do not name the thing itself."""
    if len(what.split()) == 1:
        bare = _described_less(kept, what) or kept
        return [one for one in bare if one.text]
    if not visibility(what):
        return kept
    return [replace(old, text=phrases.without_phrase(old.text, what) or old.text) for old in kept]


def undescribed(kept: list[Statement], word: str) -> list[Statement]:
    """The statements without a colour or the like; answers about other things keep theirs."""
    bare = _described_less([old for old in kept if not old.topic], word)
    if bare is None:
        return kept
    found = iter(bare)
    return [one for old in kept if (one := old if old.topic else next(found)).text]


def narrowed(what: str, caption: str) -> str:
    """What is ruled out without the wanted thing beside it: "cars", of "cars on the road".

    Exclusions are read beside the caption, so they need not repeat it.

    Args:
        what: Such as "cars on the road".
        caption: What is wanted, such as "a snowy road".
    """
    words, wanted = phrases.tokens_of(what), _stems(caption)
    if words[1:2] == ("with",) and stem(words[0]) in wanted:
        words = words[2:]
    for place in range(1, len(words) - 1):
        if words[place] in PLACES and stem(words[-1]) in wanted:
            words = words[:place]
            break
    return phrases.spelt(words)


def answered(what: str, caption: str) -> str:
    """What an answer rules out without a wanted thing that only its question named.

    "Is the gold frame ok? no" rules out the gold, of a mirror with a silver frame.
    """
    *before, noun = what.split()
    described = before and all(map(sorts.is_said_of_things, before))
    return " ".join(before) if described and stem(noun) in _stems(caption) else what


def _stems(text: str) -> set[str]:
    return set(map(stem, phrases.tokens_of(text)))


def _described_less(kept: list[Statement], word: str) -> list[Statement] | None:
    """The statements without a word that describes; None where no text is described so."""
    texts = [_undescribed(old.text, word) for old in kept]
    if all(text is None for text in texts):
        return None
    return [
        old if text is None else replace(old, text=text)
        for old, text in zip(kept, texts, strict=True)
    ]


def _undescribed(text: str, word: str) -> str | None:
    known = sorts.is_said_of_things(word) or _SAYING_HOW.search(word) is not None
    tokens = phrases.tokens_of(text)
    if word not in tokens or not known or kind_of(word):
        return None
    place = len(tokens) - 1 - tokens[::-1].index(word)
    after = tokens[place + 1] if place + 1 < len(tokens) else ","
    before = tokens[place - 1] if place else ","
    before_a_thing = after not in _SMALL and after not in OPENERS
    if not before_a_thing and place and set(tokens[:place]) <= DETERMINERS | NUMBERS:
        return None
    others = [token for token in tokens if token not in _SMALL and token != word]
    if not others:
        # The thing itself is never ruled out; what was added to it is.
        return "" if tokens[0] not in DETERMINERS else None
    start, stop = place, place + 1
    while word in COLOURS and start and tokens[start - 1] in SHADES | TINTS:
        start -= 1
    pair = tokens[stop + 1 : stop + 2], tokens[max(0, start - 2) : max(0, start - 1)]
    if after == "and" and all(map(sorts.is_said_of_things, pair[0])) and pair[0]:
        stop += 1
    elif before == "and" and all(map(sorts.is_said_of_things, pair[1])) and pair[1]:
        start -= 1
    # "Reading a book" leaves the book.
    put = ("with",) if word.endswith("ing") and after in DETERMINERS and start else ()
    return phrases.with_articles(phrases.spelt([*tokens[:start], *put, *tokens[stop:]]))
