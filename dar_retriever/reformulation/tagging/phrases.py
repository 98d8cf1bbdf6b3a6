"""Tagged words as phrases."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from dar_retriever.conversation.dialogue import Turn
from dar_retriever.reformulation.english.lexicon import visibility
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
