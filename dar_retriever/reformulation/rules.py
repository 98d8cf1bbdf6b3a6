"""Reformulation by rules, with no language model: about a tenth of a millisecond a turn."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import Any, Final

from dar_retriever.dialogue import Dialogue
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.references import sayings
from dar_retriever.reformulation.statements import COLOURS, Statement, statement_of, stem

CLIP_TOKENS: Final = 77

_ANY_COLOUR: Final = rf"(?:{'|'.join(sorted(COLOURS))})"
_FRAME: Final = re.compile(r"^(?:(?:with|in|on|at|has|have|having|a|an|the) )+")
_FIRST_COLOUR: Final = re.compile(rf"\b(?:(?:dark|light|pale|bright|deep) )?{_ANY_COLOUR}\b")


def count_clip_tokens(text: str) -> int:
    """Number of tokens of OpenAI's CLIP, start and end of text included."""
    return len(_clip_tokenizer().encode(text)) + 2


class RuleReformulator:
    """Writes one caption and one prompt from statements: what the user said, question by question.

    Args:
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have. The first description and what was said
            last stay, what was said in between goes first.
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
        for question, answer in chain.from_iterable(map(sayings, dialogue.rounds())):
            new = statement_of(question, answer)
            kept = _revised(kept, new)
            said = ", ".join(statement.text for statement in kept)
            excluded = [e for e in [*excluded, new.excluded] if e and not _said(e, said)]
        caption = self._within_budget([statement.text for statement in kept if statement.text])
        prompts = (caption,) if caption else ()
        return Reformulation(caption, prompts, ", ".join(dict.fromkeys(excluded)))

    def _within_budget(self, texts: list[str]) -> str:
        if self._count_tokens(", ".join(texts)) <= self._max_tokens:
            return ", ".join(texts)
        # The statements' own lengths, without the commas, tell at once how many are too many.
        empty = self._count_tokens("")
        lengths = [self._count_tokens(text) - empty for text in texts]
        while len(texts) > 2 and sum(lengths) + empty > self._max_tokens:
            del texts[1], lengths[1]
        while any(texts) and self._count_tokens(", ".join(texts)) > self._max_tokens:
            if len(texts) > 2:
                del texts[1]
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


def _revised(kept: list[Statement], new: Statement) -> list[Statement]:
    """The statements after one more: what it corrects or answers anew is replaced."""
    if new.replaces:
        revised = _replaced(kept, rf"\b{re.escape(new.replaces)}\b", new.text)
        if revised is not None:
            return revised
    if new.topic and (new.text or new.excluded):
        kept = [old for old in kept if old.topic != new.topic]
    if new.excluded in COLOURS and not new.text:
        # Said of the whole thing, so of the description, not of the dots that were asked about.
        loose = [old for old in kept if not old.topic]
        bare = _replaced(loose, rf"\b{new.excluded} (?=\w)", "") or loose
        kept = [bare[loose.index(old)] if old in loose else old for old in kept]
    words = new.text.split()
    if len(words) == 2 and words[0] in COLOURS and (new.topic or new.corrects):
        # "red dots" after "white dots" names the thing whose colour changes.
        revised = _replaced(kept, rf"\b{_ANY_COLOUR} {re.escape(words[1])}\b", new.text)
        if revised is not None:
            return revised
    return _taken_in(kept, new, words)


def _taken_in(kept: list[Statement], new: Statement, words: list[str]) -> list[Statement]:
    """The statements with a new one in the place of what it changes, else behind them."""
    if new.corrects and words and len(words) <= 2 and words[-1] in COLOURS:
        # "make it green" names no thing: a colour that stood alone is meant, or the first one.
        alone = [old for old in kept if old.text in COLOURS]
        for old in [*alone[-1:], *kept]:
            if _FIRST_COLOUR.search(old.text):
                text = _FIRST_COLOUR.sub(new.text, old.text, count=1)
                return [replace(other, text=text) if other is old else other for other in kept]
    if new.corrects and words and words[-1] not in COLOURS:
        return _in_place(kept, _FRAME.sub("", new.text)) or [*kept, new]
    if new.excluded and not (new.text or new.topic):
        return _in_place(kept, "", new.excluded) or kept
    return [*kept, new] if new.text else kept


def _in_place(kept: list[Statement], text: str, noun: str = "") -> list[Statement] | None:
    """The statements with a text in place of the last phrase about its noun; none without one.

    A phrase stands between commas. The very first one names the thing itself, and stays.
    """
    words = (noun or text).split()
    if not words:
        return None
    noun = stem(words[-1])
    for number in reversed(range(len(kept))):
        phrases = kept[number].text.split(", ")
        for place in reversed(range(0 if number else 1, len(phrases))):
            if phrases[place].split() and stem(phrases[place].split()[-1]) == noun:
                phrases[place : place + 1] = [text] if text else []
                changed = replace(kept[number], text=", ".join(phrases))
                return [*kept[:number], changed, *kept[number + 1 :]]
    return None


def _replaced(kept: list[Statement], pattern: str, text: str) -> list[Statement] | None:
    """The statements with what matches put as ``text``; none where nothing matches."""
    found = re.compile(pattern)
    if not any(found.search(old.text) for old in kept):
        return None
    # "Is it teal?" made teal the topic as well; once teal is taken back, white is.
    return [
        replace(
            old,
            text=found.sub(lambda _: text, old.text),
            topic=found.sub(lambda _: text, old.topic),
        )
        for old in kept
    ]


def _said(phrase: str, caption: str) -> bool:
    return re.search(rf"\b{re.escape(phrase)}\b", caption) is not None


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
