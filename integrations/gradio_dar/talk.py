"""One person's conversation on the page, and what answers in it."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from PIL import Image

from dar_retriever import (
    Dialogue,
    DiffusionAugmentedRetriever,
    FacetQuestions,
    Hit,
    InvalidInputError,
    Part,
    Question,
    Questioner,
    ResultNamer,
    ResultNames,
    SearchResult,
    Turn,
)
from dar_retriever.questions import ask_back, with_names
from dar_retriever.support.images import data_url
from gradio_dar.meant import Meant

Judgement = Literal["like", "unlike"]
# Which hits the page shows: none yet, those of the last step, those by words, the final ones.
Stage = Literal["empty", "searching", "pending", "final"]

MOST_CHARACTERS: Final = 20_000
# The longer side of kept pictures in pixels; encoders do not use more.
_SIDE: Final = 512
_SHOWN_SIDE: Final = 384
_NONE: Final = ResultNames()


@dataclass(frozen=True, slots=True)
class Talk:
    """The state of a conversation; every step gives a new one.

    Attributes:
        dialogue: What was said, shown and judged.
        result: The last result.
        question: The next question for the user.
        names: What the hits have in common and what divides them.
        rejected: Ids of rejected hits; they are not shown again.
        stage: The progress of the last step.
        found_before: Ids of the hits of the previous step, best first.
        messages: The agent's messages; empty without an agent.
        restated: Place of the turn that says anew all that is meant; words before it do not count.
        subject: Place of the turn from which on pictures and judgements count.
        id: Names the conversation where it is kept.
    """

    dialogue: Dialogue = field(default_factory=Dialogue)
    result: SearchResult | None = None
    question: Question | None = None
    names: ResultNames = _NONE
    rejected: frozenset[str] = frozenset()
    stage: Stage = "empty"
    found_before: tuple[str, ...] = ()
    messages: tuple[Any, ...] = ()
    restated: int = 0
    subject: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)

    @property
    def searched(self) -> Dialogue:
        """The dialogue as it is searched: from the last restatement on, with earlier pictures."""
        if not self.restated:
            return self.dialogue
        turns = (*self._pictures_before(), *self.dialogue.turns[self.restated :])
        return dataclasses.replace(self.dialogue, turns=turns)

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The hits of the last result."""
        return self.result.hits if self.result else ()

    @property
    def far(self) -> bool:
        """Whether all that could be found is far from what is meant."""
        return self.stage == "final" and self.result is not None and not self.result.close

    def hit(self, id: str) -> Hit | None:
        """The hit with an id, if it is one of the last hits."""
        return next((hit for hit in self.hits if hit.id == id), None)

    def rank(self, hit: Hit) -> int:
        """The rank of a hit, from 1."""
        return [other.id for other in self.hits].index(hit.id) + 1

    def moved(self, hit: Hit) -> int | None:
        """How many places a hit has risen since the previous step; None if it is new."""
        if hit.id not in self.found_before:
            return None
        return self.found_before.index(hit.id) + 1 - self.rank(hit)

    def begun(self, dialogue: Dialogue, rejected: Collection[str] = ()) -> Talk:
        """This talk with a new turn, before anything is found."""
        return dataclasses.replace(
            self,
            dialogue=dialogue,
            question=None,
            names=_NONE,
            rejected=self.rejected | set(rejected),
            stage="searching",
            found_before=tuple(hit.id for hit in self.hits),
        )

    def restating(self, text: str) -> Talk:
        """This talk with a turn that says anew all that is meant."""
        begun = self.begun(self.dialogue.say(text))
        return dataclasses.replace(
            begun, restated=len(self.dialogue.turns), subject=self._subject_now()
        )

    def locking(self, part: Part) -> Talk:
        """This talk with a part of what was understood locked."""
        return dataclasses.replace(self, dialogue=self.dialogue.lock(part))

    def unlocking(self, part: Part) -> Talk:
        """This talk with a part that later turns may take away again."""
        return dataclasses.replace(self, dialogue=self.dialogue.unlock(part))

    def _pictures_before(self) -> list[Turn]:
        """The turns of the subject that showed or judged pictures before the restatement."""
        return [
            dataclasses.replace(turn, text="")
            for turn in self.dialogue.turns[self.subject : self.restated]
            if turn.images or turn.like or turn.unlike
        ]

    def _subject_now(self) -> int:
        """The place of the turn with which the subject of the last search began."""
        since = self.result.query.since if self.result else 0
        if not self.restated:
            return since
        beyond = since - len(self._pictures_before())
        return self.restated + beyond if beyond > 0 else self.subject

    def found(
        self, result: SearchResult, question: Question | None = None, names: ResultNames = _NONE
    ) -> Talk:
        """This talk with a result."""
        stage: Stage = "final" if result.final else "pending"
        kept = _kept(result)
        return dataclasses.replace(self, result=kept, question=question, names=names, stage=stage)

    def settled(self) -> Talk:
        """This talk when the step is finished."""
        if self.stage in ("empty", "final"):
            return self
        return dataclasses.replace(self, stage="final" if self.result else "empty")


def drawing(talk: Talk, id: str) -> Hit | None:
    """A generated image of the last search as a picture that can be judged; see ``drawing_id``."""
    generated = talk.result.trace.generated if talk.result else ()
    for place, made in enumerate(generated):
        if drawing_id(place) == id:
            return Hit(id, 0.0, data_url(made.image), f"drawn: {made.prompt}")
    return None


def drawing_id(place: int) -> str:
    """The id of a generated image by its place; no stored image has such a one."""
    return f"drawing {place + 1}"


def reduced(image: Image.Image) -> Image.Image:
    """A picture scaled down to at most 512 pixels, as it is kept in a conversation."""
    return _within(image, _SIDE)


def readable(text: str) -> str:
    """A text of at most 20,000 characters, with invalid Unicode replaced.

    Raises:
        InvalidInputError: The text is longer.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(
            f"{len(text):,} characters are more than {MOST_CHARACTERS:,}; say it shorter"
        )
    # Browsers and JSON may send lone surrogates.
    return text.encode("utf-8", "replace").decode()


def _kept(result: SearchResult) -> SearchResult:
    """A result with its generated images scaled down, because many results are kept."""
    generated = tuple(
        dataclasses.replace(made, image=_within(made.image, _SHOWN_SIDE))
        for made in result.trace.generated
    )
    trace = dataclasses.replace(result.trace, generated=generated)
    return dataclasses.replace(
        result, trace=trace, query=dataclasses.replace(result.query, trace=trace)
    )


def _within(image: Image.Image, side: int) -> Image.Image:
    if max(image.size) <= side:
        return image
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


class Responder(Protocol):
    """Answers the user on the page."""

    def say(self, talk: Talk, text: str, images: Sequence[Image.Image]) -> Iterator[Talk]:
        """Answer a message.

        Args:
            talk: The conversation so far.
            text: The new message.
            images: Pictures in the message, in mode RGB.

        Yields:
            The talk with the message, then with each result, the final one last.
        """
        ...

    def judge(self, talk: Talk, hit: Hit, judgement: Judgement) -> Iterator[Talk]:
        """Answer a like or a rejection of a hit; see ``say``."""
        ...

    def change(self, talk: Talk, meant: Meant) -> Iterator[Talk]:
        """Answer a change of what was understood; see ``say``."""
        ...

    def again(self, talk: Talk) -> Iterator[Talk]:
        """Continue a loaded conversation, which was never searched; see ``say``."""
        ...


class SearchResponder:
    """Answers with the hits of a retriever and a question.

    Args:
        retriever: The retriever.
        k: Number of hits.
        questioner: Proposes questions; from the store's metadata by default.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        k: int = 24,
        questioner: Questioner | None = None,
    ) -> None:
        self._retriever = retriever
        self._k = k
        self._questioner = questioner or FacetQuestions(retriever)
        self._namer = ResultNamer(retriever)

    def say(self, talk: Talk, text: str, images: Sequence[Image.Image]) -> Iterator[Talk]:
        """See ``Responder``."""
        dialogue = talk.dialogue
        answer = talk.question.answer(text) if talk.question and not images else None
        if talk.question and answer:
            dialogue = dialogue.ask(talk.question.text)
        yield from self._search(talk.begun(dialogue.say(answer or text, *images)))

    def judge(self, talk: Talk, hit: Hit, judgement: Judgement) -> Iterator[Talk]:
        """See ``Responder``."""
        image = [reduced(hit.open())]
        if judgement == "like":
            yield from self._search(talk.begun(talk.dialogue.say(like=image)))
        else:
            shown = [hit.id] if talk.hit(hit.id) else []
            yield from self._search(talk.begun(talk.dialogue.say(unlike=image), shown))

    def change(self, talk: Talk, meant: Meant) -> Iterator[Talk]:
        """See ``Responder``."""
        text = meant.restated(self._retriever.query_encoder.reformulator)
        yield from self._search(talk.restating(text))

    def again(self, talk: Talk) -> Iterator[Talk]:
        """See ``Responder``."""
        yield from self._search(talk.begun(talk.dialogue))

    def _search(self, talk: Talk) -> Iterator[Talk]:
        yield talk
        for result in self._retriever.stream(talk.searched, self._k, exclude=talk.rejected):
            yield talk.found(result)
        # The hits are already shown, because finding a question takes a moment.
        result, question = ask_back(self._questioner, result)
        result, names = with_names(self._namer, result)
        yield talk.found(result, question, names)
