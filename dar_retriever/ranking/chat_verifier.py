"""A chat model that sees checks each of the first hits for what was asked."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Annotated, Any, Final, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, Field, create_model

from dar_retriever.errors import InvalidInputError
from dar_retriever.language_models import LanguageModel, ask
from dar_retriever.language_models.instructions import instructions
from dar_retriever.language_models.pictures import picture_part
from dar_retriever.ranking.base import Candidates, Scores, require_words_alone
from dar_retriever.ranking.propositions import Proposition, propositions
from dar_retriever.stores.hits import Hit, Shown

Judgement: TypeAlias = Literal["yes", "no", "unclear"]

_MOST: Final = 10
_SIDE: Final = 512
_AT_ONCE: Final = 4
_REMEMBERED: Final = 4096
# How likely a picture shows what the model says of it; models that see are wrong about one in ten.
_CHANCE: Final[dict[Judgement, float]] = {"yes": 0.9, "unclear": 0.5, "no": 0.1}
# Less than one answer, so that it only orders hits whose answers are equal.
_PLACE: Final = 0.01


class ChatVerifier:
    """Asks a chat model of each of the first hits whether it shows what was said.

    After WISER (verify, then refine) and XR (questions about single facts): each hit is shown with
    the caption's propositions as statements ("blue skirt"), and the model answers yes, no or
    unclear to each. Hits are ordered by how likely all answers are right for the request; equal
    ones keep the order of the search. It is slow and costs money, so it looks at ten hits at most,
    and it remembers its answers: a statement is asked once of a picture.

    It is a re-ranker and an explainer. A hit about which the model gives no valid answer comes
    last among them, and the trace says so.

    Args:
        model: Any ``LanguageModel`` that takes pictures: ``langchain_dar.language_model`` and
            ``llama_index_dar.language_model`` make one.
        depth: How many of the best hits it looks at, 1 to 10.
        limit: Seconds to wait for the answers about one hit; None for no limit.

    Raises:
        InvalidInputError: ``depth`` is out of range.
    """

    name = "chat model"
    reads_pictures = True

    def __init__(
        self, model: LanguageModel, *, depth: int = _MOST, limit: float | None = 20.0
    ) -> None:
        if not 1 <= depth <= _MOST:
            raise InvalidInputError(f"depth={depth}: look at 1 to {_MOST} hits, each is a question")
        self.depth = depth
        self._model = model
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], Judgement] = OrderedDict()
        self._lock = Lock()

    def scores(self, candidates: Candidates) -> Scores:
        """See ``Reranker``; NaN where there is no valid answer.

        Raises:
            UndecidedError: Nothing was said, or pictures were shown or judged.
            Exception: What the model raised, if there is no valid answer about any hit.
        """
        require_words_alone(candidates.query, self.name)
        parts, judged = self._judged(candidates)
        errors = [each for each in judged if isinstance(each, Exception)]
        if errors and len(errors) == len(judged):
            raise errors[0]
        scores = np.full(len(judged), np.nan)
        for place, each in enumerate(judged):
            if not isinstance(each, Exception):
                chances = [_wanted(part, it) for part, it in zip(parts, each, strict=True)]
                scores[place] = np.log(chances).sum() - _PLACE * place
        return scores

    def shown(self, candidates: Candidates) -> list[tuple[Shown, ...]]:
        """See ``Explainer``; empty for hits beyond the first ones and those without an answer."""
        parts, judged = self._judged(candidates)
        shows = [
            ()
            if isinstance(each, Exception)
            else tuple(
                Shown(part.phrase, _wanted(part, it) > 0.5, _CHANCE[it], part.wanted)
                for part, it in zip(parts, each, strict=True)
                if it != "unclear"
            )
            for each in judged
        ]
        return [*shows, *(() for _ in candidates.hits[len(shows) :])]

    def _judged(
        self, candidates: Candidates
    ) -> tuple[tuple[Proposition, ...], list[list[Judgement] | Exception]]:
        """The propositions, and for each of the first hits the answers or why there are none."""
        trace = candidates.query.trace
        parts = propositions(trace.caption, trace.exclusions)
        hits = candidates.hits[: self.depth]
        if not parts:
            return (), [[] for _ in hits]
        texts = [part.text if part.wanted else part.phrase for part in parts]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return parts, list(pool.map(lambda hit: self._answers(hit, texts), hits))

    def _answers(self, hit: Hit, texts: Sequence[str]) -> list[Judgement] | Exception:
        with self._lock:
            known = {text: self._known.get((hit.id, text)) for text in texts}
        new = [text for text, answer in known.items() if answer is None]
        if new:
            try:
                found = self._asked(hit, new)
            # The model may be third-party code or a remote service, and the other hits go on.
            except Exception as error:
                return error
            known.update(found)
            with self._lock:
                self._known.update({(hit.id, text): answer for text, answer in found.items()})
                while len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return [answer for text in texts if (answer := known[text]) is not None]

    def _asked(self, hit: Hit, texts: Sequence[str]) -> dict[str, Judgement]:
        numbered = {str(number): text for number, text in enumerate(texts, 1)}
        parts: list[dict[str, Any]] = [
            picture_part(hit.open(), _SIDE),
            {"type": "text", "text": json.dumps(numbered, ensure_ascii=False)},
        ]
        form = _answers_to(len(texts))
        told = instructions("verify", count=len(texts))
        answer, _ = ask(self._model, told, parts, form, self._limit)
        return dict(zip(texts, answer.model_dump()["answers"], strict=True))


def _answers_to(count: int) -> type[BaseModel]:
    """The form of the answers to so many statements."""
    answers = Annotated[list[Judgement], Field(min_length=count, max_length=count)]
    return create_model("Answers", __doc__="One answer for each statement.", answers=answers)


def _wanted(part: Proposition, answer: Judgement) -> float:
    chance = _CHANCE[answer]
    return chance if part.wanted else 1 - chance
