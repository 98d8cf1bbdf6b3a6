"""Answers a question by what the hits of a search show, and cites them."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, StringConstraints

from dar_retriever.agents.citations import cited_in, numbered
from dar_retriever.conversation.dialogue import Dialogue, DialogueLike
from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.language_models import LanguageModel, ask
from dar_retriever.language_models.instructions import instructions as filled_in
from dar_retriever.language_models.pictures import picture_part
from dar_retriever.reformulation.llm import turns_as_data
from dar_retriever.stores.hits import Hit
from dar_retriever.trace import WarnOnce, of_error, short

_LOGGER: Final = logging.getLogger(__name__)
_NOTHING: Final = "Nothing that was found fits the question."
_UNSEEN: Final = "None of the pictures that fit can be opened."
_FAILED: Final = "The language model gave no answer."
_FIELDS: Final = 20


@dataclass(frozen=True, slots=True)
class PictureBudget:
    """How much of the hits a chat model is shown.

    Attributes:
        pictures: Maximum number of pictures.
        side: Longest side of a picture in pixels; larger ones are scaled down.
        most_bytes: Maximum size of all pictures together, as JPEG.

    Raises:
        InvalidInputError: One of them is below 1.
    """

    pictures: int = 8
    side: int = 512
    most_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        if min(self.pictures, self.side, self.most_bytes) < 1:
            raise InvalidInputError(f"{self}: each has to be at least 1")


@dataclass(frozen=True, slots=True)
class NotShown:
    """A hit that the model did not see, and the reason for people."""

    hit: Hit
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer from the hits of a search.

    Attributes:
        text: The answer. The pictures that show what it says are cited by their ids in square
            brackets.
        cited: The hits that it cites, in the order of the text.
        shown: All hits that the model saw, best first.
        left_out: The others.
        answered: False if nothing fits, or the model failed; then ``text`` says so.
        fallbacks: What failed, and what was done instead; empty if all went well.
    """

    text: str
    cited: tuple[Hit, ...] = ()
    shown: tuple[Hit, ...] = ()
    left_out: tuple[NotShown, ...] = ()
    answered: bool = True
    fallbacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people: the text with numbers in place of ids, and what they stand for."""
        listed = (f"[{n}] {short(hit.title)}" for n, hit in enumerate(self.cited, 1))
        return "\n".join([numbered(self.text, self.cited), *listed])


def _readable(text: str) -> str:
    shown = "".join(char if char.isprintable() or char == "\n" else " " for char in text).strip()
    if not shown:
        raise ValueError("nothing is said")
    return shown


class AnswerText(BaseModel):
    """An answer, with the numbers of pictures in square brackets after what they show."""

    answer: Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_readable)]


class PictureAnswers:
    """Lets a chat model that sees answer questions by what hits show.

    Hits that do not fit the request are left out, as pictures beside the point make models err
    (Visual Haystacks; Wu et al., arXiv 2407.13766). If none is left, the model is not asked. The
    others are shown within a budget, best first. What the answer cites is checked: numbers and ids
    of pictures that were not shown are removed and reported. Nothing else of the answer is checked.

    Pictures that the user has shown are not sent to the model.

    Args:
        model: Any ``LanguageModel`` that takes pictures: ``langchain_dar.language_model`` and
            ``llama_index_dar.language_model`` make one.
        budget: How much the model is shown.
        limit: Seconds to wait for the answer; None for no limit.
        instructions: Replaces this package's ``answer.txt``: a text or the path of one.

    Raises:
        InvalidInputError: The instructions are not valid.

    Example:
        >>> from dar_retriever.agents import PictureAnswers
        >>> result = retriever.search("mugs with dots. how many are blue?")  # doctest: +SKIP
        >>> print(PictureAnswers(model).answer(result.dialogue, result.hits))  # doctest: +SKIP
    """

    def __init__(
        self,
        model: LanguageModel,
        budget: PictureBudget | None = None,
        *,
        limit: float | None = 60.0,
        instructions: str | Path | None = None,
    ) -> None:
        self._model = model
        self._budget = budget or PictureBudget()
        self._limit = limit
        self._instructions = filled_in("answer", instructions)
        self._warn = WarnOnce(_LOGGER)

    def answer(self, dialogue: DialogueLike, hits: Sequence[Hit]) -> Answer:
        """Answer a question.

        Args:
            dialogue: The conversation; the user's last words are the question.
            hits: What was found, best first. Those that ``Hit.fits`` rules out are left out, and
                where that was not judged, those that show nothing of what was asked for.

        Raises:
            EmptyDialogueError: Nothing was asked.
            InvalidInputError: ``dialogue`` is not a dialogue.
        """
        dialogue = Dialogue.of(dialogue)
        dialogue.require_content()
        chosen = _Chosen.of(hits, self._budget)
        shown, left_out = tuple(chosen.shown), tuple(chosen.left_out)
        if not shown:
            text = _UNSEEN if chosen.fits else _NOTHING
            return Answer(text, left_out=left_out, answered=False)
        try:
            parts = _parts(dialogue, shown, chosen.pictures)
            said, _ = ask(self._model, self._instructions, parts, AnswerText, self._limit)
        # The model may be third-party code or a remote service.
        except Exception as error:
            why = f"the question was not answered: {of_error(error)}"
            self._warn(why)
            return Answer(_FAILED, (), shown, left_out, answered=False, fallbacks=(why,))
        text, cited, unknown = cited_in(said.answer, shown)
        wrong = (f"a citation was removed, no such picture was shown: {each}" for each in unknown)
        return Answer(text, cited, shown, left_out, fallbacks=tuple(wrong))


@dataclass(slots=True)
class _Chosen:
    """Which hits a model sees, their pictures as parts of a message, and which it does not see."""

    shown: list[Hit]
    pictures: list[dict[str, Any]]
    left_out: list[NotShown]
    fits: int

    @classmethod
    def of(cls, hits: Sequence[Hit], budget: PictureBudget) -> _Chosen:
        once = list({hit.id: hit for hit in reversed(hits)}.values())[::-1]
        misfits = {hit.id: _misfit(hit) for hit in once}
        fits = sum(not why for why in misfits.values())
        each = budget.most_bytes // max(1, min(budget.pictures, fits))
        chosen = cls([], [], [], fits)
        for hit in once:
            why = misfits[hit.id]
            if not why and len(chosen.shown) == budget.pictures:
                why = f"beyond the budget of {budget.pictures} pictures"
            if not why:
                try:
                    chosen.pictures.append(picture_part(hit.open(), budget.side, each))
                except InvalidImageError as error:
                    why = f"cannot be opened: {short(str(error))}"
            if why:
                chosen.left_out.append(NotShown(hit, why))
            else:
                chosen.shown.append(hit)
        return chosen


def _misfit(hit: Hit) -> str:
    """Why a hit does not fit; empty if it does, or if nothing is known of it."""
    told = hit.fits is None and hit.shows
    if hit.fits is False or (told and not any(each.fits for each in hit.shows)):
        lacks = ", ".join(str(each) for each in hit.shows if not each.fits)
        return f"does not fit: {lacks}" if lacks else "does not fit"
    return ""


def _parts(
    dialogue: Dialogue, hits: Sequence[Hit], pictures: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The user's message: the conversation, then each picture after its number."""
    talk = {"conversation": turns_as_data(dialogue)}
    parts = [_text(json.dumps(talk, ensure_ascii=False))]
    for number, (hit, picture) in enumerate(zip(hits, pictures, strict=True), 1):
        stored = json.dumps(_stored(hit), ensure_ascii=False)
        parts += [
            _text(f"Picture {number}: {stored}"),
            picture,
        ]
    return parts


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _stored(hit: Hit) -> dict[str, str]:
    """What is stored about a hit, in bounds."""
    part = {"part": str(hit.part)} if hit.part else {}
    fields = list(hit.metadata.items())[:_FIELDS]
    return {"title": short(hit.title)} | part | {name: short(str(each)) for name, each in fields}
