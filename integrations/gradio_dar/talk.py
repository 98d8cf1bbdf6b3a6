"""One person's conversation on the page, and who answers in it."""

from __future__ import annotations

import dataclasses
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
    Question,
    Questioner,
    SearchResult,
)
from dar_retriever.questions import ask_back

Judgement = Literal["like", "unlike"]
# Of the hits on the page: none yet, those of the step before, the words' own, all.
Stage = Literal["empty", "searching", "pending", "final"]

MOST_CHARACTERS: Final = 20_000
# The longer side of pictures that are kept; no encoder looks at more.
_SIDE: Final = 512
_SHOWN_SIDE: Final = 384


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation so far; every step gives a new one.

    Attributes:
        dialogue: What was said, shown and judged.
        result: What was found last.
        question: What to answer next.
        rejected: Ids of hits that were turned down; they are no hits again.
        stage: How far the last step is.
        found_before: Ids of the hits of the step before, best first.
        messages: What an agent remembers; empty where none answers.
    """

    dialogue: Dialogue = field(default_factory=Dialogue)
    result: SearchResult | None = None
    question: Question | None = None
    rejected: frozenset[str] = frozenset()
    stage: Stage = "empty"
    found_before: tuple[str, ...] = ()
    messages: tuple[Any, ...] = ()

    @property
    def hits(self) -> tuple[Hit, ...]:
        """What was found last."""
        return self.result.hits if self.result else ()

    def hit(self, id: str) -> Hit | None:
        """A hit by its id, where it is one."""
        return next((hit for hit in self.hits if hit.id == id), None)

    def rank(self, hit: Hit) -> int:
        """The place of a hit, from 1."""
        return [other.id for other in self.hits].index(hit.id) + 1

    def moved(self, hit: Hit) -> int | None:
        """How many places a hit has gone up since the step before; None where it is new."""
        if hit.id not in self.found_before:
            return None
        return self.found_before.index(hit.id) + 1 - self.rank(hit)

    def begun(self, dialogue: Dialogue, rejected: Collection[str] = ()) -> Talk:
        """This talk with something new said, before anything is found."""
        return dataclasses.replace(
            self,
            dialogue=dialogue,
            question=None,
            rejected=self.rejected | set(rejected),
            stage="searching",
            found_before=tuple(hit.id for hit in self.hits),
        )

    def found(self, result: SearchResult, question: Question | None = None) -> Talk:
        """This talk with what was found."""
        stage: Stage = "final" if result.final else "pending"
        return dataclasses.replace(self, result=_kept(result), question=question, stage=stage)

    def settled(self) -> Talk:
        """This talk where nothing more is to come."""
        if self.stage in ("empty", "final"):
            return self
        return dataclasses.replace(self, stage="final" if self.result else "empty")


def reduced(image: Image.Image) -> Image.Image:
    """A picture as it is kept in a conversation: of at most 512 pixels."""
    return _within(image, _SIDE)


def readable(text: str) -> str:
    """A text that can be sent on: of at most 20,000 characters, all of them Unicode.

    Raises:
        InvalidInputError: It is longer.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(
            f"{len(text):,} characters are more than {MOST_CHARACTERS:,}; say it shorter"
        )
    # Browsers and JSON may send halves of characters.
    return text.encode("utf-8", "replace").decode()


def _kept(result: SearchResult) -> SearchResult:
    """A result with the generated images as small as they are shown: many are kept."""
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
    """Answers what is said on the page."""

    def say(self, talk: Talk, text: str, images: Sequence[Image.Image]) -> Iterator[Talk]:
        """Go on with a talk.

        Args:
            talk: So far.
            text: What is said now.
            images: What is shown with it, RGB.

        Yields:
            The talk as it was begun, then with whatever is found, the best last.
        """
        ...

    def judge(self, talk: Talk, hit: Hit, judgement: Judgement) -> Iterator[Talk]:
        """Go on with a hit that is liked or turned down; see ``say``."""
        ...

    def again(self, dialogue: Dialogue, rejected: Sequence[str]) -> Iterator[Talk]:
        """Take up a conversation from elsewhere; see ``say``."""
        ...


class SearchResponder:
    """Answers with the hits of a retriever and a question.

    Args:
        retriever: What searches.
        k: Hits.
        questioner: Asks back; from the store's metadata by default.
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        k: int = 12,
        questioner: Questioner | None = None,
    ) -> None:
        self._retriever = retriever
        self._k = k
        self._questioner = questioner or FacetQuestions(retriever)

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
            yield from self._search(talk.begun(talk.dialogue.say(unlike=image), [hit.id]))

    def again(self, dialogue: Dialogue, rejected: Sequence[str]) -> Iterator[Talk]:
        """See ``Responder``."""
        yield from self._search(Talk().begun(dialogue, rejected))

    def _search(self, talk: Talk) -> Iterator[Talk]:
        yield talk
        for result in self._retriever.stream(talk.dialogue, self._k, exclude=talk.rejected):
            yield talk.found(result)
        # The hits are shown by now; finding a question takes a moment.
        yield talk.found(*ask_back(self._questioner, result))
