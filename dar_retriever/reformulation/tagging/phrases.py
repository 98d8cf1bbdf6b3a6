"""Tagged words as phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from dar_retriever.conversation.dialogue import Turn
from dar_retriever.reformulation.english.lexicon import visibility
from dar_retriever.reformulation.english.replies import YES
from dar_retriever.reformulation.tagging.tagger import Tagged
from dar_retriever.reformulation.tagging.words import Tag

_EDGES: Final = re.compile(
    r"^(?:[\W_]+|(?:and|but|or|also|then|is|are|was|it|its|it's|that|which|to be)\b\s*)+|"
    r"(?:[^\w)]+|\s+(?:and|but|or|with|a|an|the|in|on|of|no|not|is|are|to|at))+$",
    re.IGNORECASE,
)
# Words between two parts of one phrase that are left out without parting it.
_LIGHT: Final = frozenset(("a", "an", "the", "some", "like", "um", "uh", "er", "just"))
# After these more has to come: "a" of "a red dress" that is not red any more.
_OPENING: Final = frozenset(("a", "an", "the", "with", "in", "on", "of", "and", "two", "three"))
# Words between the parts of a condition, and around it: "between 20 and 40", "15 bucks".
_BOUNDS: Final = frozenset(
    (
        *("under", "below", "less", "than", "then", "over", "above", "more", "at", "most", "least"),
        *("up", "to", "max", "min", "before", "after", "since", "until", "from", "between", "not"),
        *("no", "or", "and", "older", "newer", "later", "cheaper", "around", "about", "size", "a"),
        *("hundred", "tops", "euros", "bucks", "dollars", "pounds", "quid", "-", "$", "€", "£"),
    )
)


def conditions(turns: Sequence[Turn], tagged: Sequence[Tagged]) -> dict[int, list[str]]:
    """What was tagged as a condition, as phrases by the place of their turn.

    Of a question it is a condition where the answer is yes.
    """
    found: dict[int, list[str]] = {}
    place = 0
    while place < len(tagged):
        turn = tagged[place].word.turn
        if tagged[place].tag != Tag.FILTER or not _said(turns, turn):
            place += 1
            continue
        first = last = place
        while first and _binds(tagged[first - 1], turn):
            first -= 1
        while last + 1 < len(tagged) and _binds(tagged[last + 1], turn):
            last += 1
        text = turns[turn].text[tagged[first].word.start : tagged[last].word.end]
        found.setdefault(turn, []).append(text)
        place = last + 1
    return found


def _said(turns: Sequence[Turn], turn: int) -> bool:
    """Whether a turn is the user's, or a question that he says yes to."""
    answer = turns[turn + 1].text if turn + 1 < len(turns) else ""
    return turns[turn].role == "user" or YES.match(answer.lower()) is not None


def _binds(each: Tagged, turn: int) -> bool:
    """Whether a word belongs to the condition beside it."""
    word = each.word
    joins = word.text.lower() in _BOUNDS or word.text.isdecimal()
    return word.turn == turn and (each.tag == Tag.FILTER or (joins and each.tag == Tag.DROP))


def phrases(turns: Sequence[Turn], tagged: Iterable[Tagged], tag: Tag) -> list[tuple[int, str]]:
    """What was tagged so, a phrase each, with the place of its turn.

    Words side by side make a phrase, as they were written.
    """
    runs: list[tuple[int, list[tuple[int, int]]]] = []
    open_, gap, opening = False, True, False
    last = -1
    for each in tagged:
        word, label = each.word, each.tag
        if word.turn != last:
            open_, last = False, word.turn
        if label == tag:
            if open_ and not gap:
                spans = runs[-1][1]
                spans[-1] = (spans[-1][0], word.end)
            elif open_:
                runs[-1][1].append((word.start, word.end))
            else:
                runs.append((word.turn, [(word.start, word.end)]))
            open_, gap, opening = True, False, word.text.lower() in _OPENING
        else:
            gap = True
            open_ = open_ and (opening or word.text.lower() in _LIGHT) and word.text.isalnum()
    found = []
    for turn, spans in runs:
        text = turns[turn].text
        phrase = _EDGES.sub("", " ".join(text[start:end] for start, end in spans))
        if phrase and visibility(phrase) > 0:
            found.append((turn, phrase))
    return found
