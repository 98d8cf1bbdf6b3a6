"""Reformulation by rules, with no language model: about a tenth of a millisecond a turn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

from dar_retriever.dialogue import Dialogue
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.lexicon import visibility
from dar_retriever.reformulation.revision import revised
from dar_retriever.reformulation.sayings import Saying, sayings
from dar_retriever.reformulation.statements import Statement, statement_of

CLIP_TOKENS: Final = 77


def count_clip_tokens(text: str) -> int:
    """Number of tokens of OpenAI's CLIP, start and end of text included."""
    return len(_clip_tokenizer().encode(text)) + 2


class RuleReformulator:
    """Writes one caption and one prompt from statements: what the user said, question by question.

    Args:
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have. The first description and what was said
            last stay; of what was said in between goes first what a picture shows least.
    """

    def __init__(
        self,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
    ) -> None:
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
        kept: list[Statement] = []
        excluded: list[str] = []
        since, anew = 0, False
        for place, saying in _said_at(dialogue):
            new = statement_of(saying.question, saying.text)
            anew |= saying.anew
            # Until something is said of the new subject, there is only the old one.
            if anew and new.text:
                kept, excluded, since, anew = [], [], place, False
            kept = revised(kept, new)
            said = ", ".join(statement.text for statement in kept)
            excluded = [e for e in [*excluded, new.excluded] if e and not _said(e, said)]
        caption = self._within_budget([statement.text for statement in kept if statement.text])
        prompts = (caption,) if caption else ()
        return Reformulation(caption, prompts, ", ".join(dict.fromkeys(excluded)), since)

    def _within_budget(self, texts: list[str]) -> str:
        if self._count_tokens(", ".join(texts)) <= self._max_tokens:
            return ", ".join(texts)
        # The statements' own lengths, without the commas, tell at once how many are too many.
        empty = self._count_tokens("")
        lengths = [self._count_tokens(text) - empty for text in texts]
        while len(texts) > 2 and sum(lengths) + empty > self._max_tokens:
            least = _least_visible(texts)
            del texts[least], lengths[least]
        while any(texts) and self._count_tokens(", ".join(texts)) > self._max_tokens:
            if len(texts) > 2:
                del texts[_least_visible(texts)]
            else:
                longest = max(range(len(texts)), key=lambda number: len(texts[number]))
                texts[longest] = _cut(texts[longest])
        return ", ".join(text for text in texts if text)


class JoinedTurns:
    """The baseline: all turns joined as they were said, which may overflow the encoder."""

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``."""
        text = ", ".join(turn.text for turn in dialogue.turns if turn.text)
        return Reformulation(text, (text,) if text else ())


def own_words(dialogue: Dialogue) -> Reformulation:
    """The user's words as they were said: the best there is where a caption came out empty."""
    words = " ".join(turn.text for turn in dialogue.user_turns)
    return Reformulation(words, (words,))


def _said(phrase: str, caption: str) -> bool:
    return re.search(rf"\b{re.escape(phrase)}\b", caption) is not None


def _said_at(dialogue: Dialogue) -> Iterator[tuple[int, Saying]]:
    """What the user said, each with the place of its turn in the dialogue."""
    places = (place for place, turn in enumerate(dialogue.turns) if turn.role == "user")
    for place, entry in zip(places, dialogue.rounds(), strict=True):
        for saying in sayings(entry):
            yield place, saying


def _least_visible(texts: list[str]) -> int:
    """The place of what a picture shows least, the first and the last text aside."""
    return min(range(1, len(texts) - 1), key=lambda place: visibility(texts[place]))


def _cut(text: str) -> str:
    """A text without its last quarter, at a word's end where it has several."""
    words = text.split()
    if len(words) > 1:
        return " ".join(words[: len(words) * 3 // 4])
    return text[: len(text) * 3 // 4]


@cache
def _clip_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()
