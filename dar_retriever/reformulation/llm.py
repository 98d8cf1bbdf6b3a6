"""Reformulation by a language model, as DAR (arXiv 2501.15379) and PlugIR (ACL 2024) have it."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from pydantic import BaseModel, Field

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.errors import InvalidInputError
from dar_retriever.language_models import LanguageModel, Line, ask
from dar_retriever.language_models.instructions import instructions as filled_in
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens, within_budget
from dar_retriever.reformulation.english.lexicon import visibility
from dar_retriever.reformulation.english.phrases import says
from dar_retriever.reformulation.stated import StatedConditions, confirmed

# English has some 1.3 tokens a word; the rest is room for names and for counting badly.
_WORDS_A_TOKEN: Final = 0.6
_MOST: Final = 16


class SearchText(BaseModel):
    """What a language model makes of a dialogue: texts to search and draw with, nothing else."""

    caption: Line = Field(description="What is seen in the wanted picture; may be empty.")
    prompts: list[Line] = Field(
        max_length=_MOST, description="Different prompts for a text-to-image model."
    )
    exclusions: list[Line] = Field(
        default=[], max_length=_MOST, description="What is not in the picture: noun phrases."
    )
    conditions: StatedConditions = Field(
        default=[], description="What the user said of the picture that no picture shows."
    )
    subject_since: int = Field(
        default=0, ge=0, description="Number of the turn with which the present subject began."
    )


class LLMReformulator:
    """Has a language model write caption, prompts and exclusions, in one call.

    The dialogue goes to the model as data, apart from the instructions, and the answer is texts to
    search with whatever the model was talked into: no action, and no condition without words of
    the user that say so. An answer of another form is asked for once more. Where that fails too,
    ``reformulate`` raises; a ``DARQueryEncoder`` then uses the rules and says so in the trace.

    Args:
        model: Any ``LanguageModel``: a function of messages, or what ``language_model`` of
            ``langchain_dar`` or ``llama_index_dar`` makes of a framework's model.
        count_tokens: Length of a text for the encoder in use; CLIP's own by default.
        max_tokens: The most tokens a caption may have; what is beyond is cut by the rules' order.
        prompts: Number K of prompts to ask for.
        time_limit: Seconds for a dialogue, both tries together; None for no limit.
        instructions: In place of this package's ``reformulate.txt``: a text, or the path of one,
            with placeholders ``$max_words`` and ``$prompts``.
        cache_size: Number of dialogues whose answers are remembered.

    Raises:
        InvalidInputError: ``prompts`` or ``cache_size`` is out of range, or the instructions are
            no good.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        count_tokens: Callable[[str], int] = count_clip_tokens,
        max_tokens: int = CLIP_TOKENS,
        prompts: int = 4,
        time_limit: float | None = 20.0,
        instructions: str | Path | None = None,
        cache_size: int = 256,
    ) -> None:
        if cache_size < 0:
            raise InvalidInputError(f"cache_size={cache_size}: 0 for none, or more")
        if not 1 <= prompts <= _MOST:
            raise InvalidInputError(f"prompts={prompts}: ask for 1 to {_MOST}")
        self._model = model
        self._count_tokens = count_tokens
        self._max_tokens = max_tokens
        self._prompts = prompts
        self._time_limit = time_limit
        self._instructions = filled_in(
            "reformulate",
            instructions,
            max_words=int(max_tokens * _WORDS_A_TOKEN),
            prompts=prompts,
        )
        self._cache_size = cache_size
        self._cache: OrderedDict[str, Reformulation] = OrderedDict()
        self._lock = Lock()

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """See ``Reformulator``.

        Raises:
            LanguageModelError: The model gave no valid answer in two tries.
            TimeoutError: The model took too long.
        """
        data = json.dumps({"turns": turns_as_data(dialogue)}, ensure_ascii=False)
        with self._lock:
            if data in self._cache:
                self._cache.move_to_end(data)
                return self._cache[data]
        answer, tries = ask(self._model, self._instructions, data, SearchText, self._time_limit)
        made = self._checked(answer, tries, dialogue)
        with self._lock:
            self._cache[data] = made
            while len(self._cache) > self._cache_size:
                self._cache.popitem(last=False)
        return made

    def _checked(self, answer: SearchText, tries: int, dialogue: Dialogue) -> Reformulation:
        caption = within_budget(
            answer.caption.split(", "), self._count_tokens, self._max_tokens, visibility
        )
        notes = ["reformulated by a language model"]
        if tries > 1:
            notes.append("the language model's first answer was invalid, its second was used")
        if caption != answer.caption:
            notes.append("the language model's caption was cut to what the encoder reads")
        prompts = [prompt for prompt in dict.fromkeys(answer.prompts) if prompt]
        phrases = (part for text in answer.exclusions for part in text.split(", "))
        conditions, unsaid = confirmed(answer.conditions, dialogue)
        ruled_out = [phrase for phrase in dict.fromkeys(phrases) if phrase]
        return Reformulation(
            caption,
            (tuple(prompts[: self._prompts]) or (caption,)) if caption else (),
            tuple(text for text in ruled_out if not says(caption, text)),
            _user_turn(dialogue, answer.subject_since),
            (*notes, *unsaid),
            conditions,
        )


def _user_turn(dialogue: Dialogue, since: int) -> int:
    """The place of the user's first words or images from a turn on; 0 where there are none."""
    places = range(since, len(dialogue.turns)) if since else ()
    users = (place for place in places if dialogue.turns[place].role == "user")
    told = (n for n in users if dialogue.turns[n].text or dialogue.turns[n].images)
    return next(told, 0)


def turns_as_data(dialogue: Dialogue) -> list[dict[str, str | int]]:
    """A dialogue's turns for a language model: number, role, text, pictures shown if any."""
    turns = []
    for number, turn in enumerate(dialogue.turns):
        entry: dict[str, str | int] = {"number": number, "role": turn.role, "text": turn.text}
        if turn.images:
            entry["pictures_shown"] = len(turn.images)
        turns.append(entry)
    return turns
