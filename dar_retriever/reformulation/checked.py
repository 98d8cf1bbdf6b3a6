"""A language model that may word the rules' caption, and nothing more."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Final

from pydantic import BaseModel, Field

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.language_models import LanguageModel, Phrase, ask
from dar_retriever.language_models.instructions import instructions
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens
from dar_retriever.reformulation.english.lexicon import DETERMINERS, JOINTS, PLACES, visibility
from dar_retriever.reformulation.rules import RuleReformulator

_WORD: Final = re.compile(r"\w+")
# They turn a caption round.
_NEGATIONS: Final = frozenset(("no", "not", "nor", "never", "neither", "without", "except", "but"))
_FREE: Final = (DETERMINERS | JOINTS | PLACES) - _NEGATIONS


class Wording(BaseModel):
    """What a language model makes of a caption."""

    caption: Phrase = Field(description="The caption as one plain phrase.")


class CheckedReformulator:
    """Has a language model word the caption that the rules wrote, and checks every word.

    For small models: they write a sentence well and lose, invent or turn round what was said. So
    exclusions, conditions and subjects stay the rules', and a wording is used only if it has all
    words of the caption that a picture can show and no others; else the rules' caption is, and the
    notes say why.

    Args:
        model: Any ``LanguageModel``, such as a ``LocalLanguageModel``.
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have.
        time_limit: Seconds for a dialogue; None for no limit.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
        time_limit: float | None = 20.0,
    ) -> None:
        self._model = model
        self._rules = RuleReformulator(count_tokens, max_tokens)
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens
        self._time_limit = time_limit
        self._instructions = instructions("smooth_caption")

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``.

        Raises:
            LanguageModelError: The model gave no valid answer in two tries.
            TimeoutError: The model took too long.
        """
        made = self._rules.reformulate(dialogue)
        if not made.caption:
            return made
        data = json.dumps({"notes": made.caption}, ensure_ascii=False)
        answer, _ = ask(self._model, self._instructions, data, Wording, self._time_limit)
        caption = answer.caption.rstrip(".")
        objection = _objection(made.caption, caption)
        if not objection and self._count_tokens(caption) > self._max_tokens:
            objection = "is longer than the encoder reads"
        if objection:
            note = f"the rules' caption was used: the language model's {objection}"
            return dataclasses.replace(made, notes=(*made.notes, note))
        note = "worded by a language model"
        return dataclasses.replace(
            made, caption=caption, prompts=(caption,), notes=(*made.notes, note)
        )


def _objection(said: str, worded: str) -> str:
    """Why a wording may not stand for a caption; empty where it may."""
    before, after = _words(said), _words(worded)
    if added := [word for word in after if word not in before and word not in _FREE]:
        return f"says {added[0]!r}"
    if lost := [word for word in before if word not in after and visibility(word) > 0]:
        return f"leaves out {lost[0]!r}"
    return ""


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
