"""Questions for the user, and the protocol of what proposes them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from dar_retriever.retriever import SearchResult
from dar_retriever.trace import of_error


@dataclass(frozen=True, slots=True)
class Question:
    """A question for the user.

    Attributes:
        text: The question.
        choices: Suggested answers, the likeliest first; the user may say anything else.
        reason: Why it is asked, for people.
    """

    text: str
    choices: tuple[str, ...] = ()
    reason: str = ""

    def answer(self, said: str) -> str | None:
        """The choice that the user names by its words or its number; None for anything else."""
        by_number = {str(number): choice for number, choice in enumerate(self.choices, 1)}
        by_words = {_bare(choice): choice for choice in self.choices}
        return by_words.get(_bare(said)) or by_number.get(_bare(said))

    def __str__(self) -> str:
        """The question with its choices: "Which colour? (red, blue, teal)"."""
        return f"{self.text} ({', '.join(self.choices)})" if self.choices else self.text


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the samples say.

    Attributes:
        agreed: Values that most samples show: ("mug", "blue").
        open: What they differ in most, the widest first: ("pattern", "background").
    """

    agreed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()


class Questioner(Protocol):
    """Proposes questions for the user."""

    def next_question(self, result: SearchResult) -> Question | None:
        """The question whose answer would narrow down the candidates of a search most.

        Returns:
            None if one hit is clearly the best, or if there is nothing left to ask.
        """
        ...


@runtime_checkable
class Agreeing(Protocol):
    """A questioner that can say what the samples agree on; implemented by ``FacetQuestions``."""

    def agreement(self, result: SearchResult) -> Agreement:
        """What the samples of what is meant agree on, and what they leave open."""
        ...


class NoQuestions:
    """Asks nothing."""

    def next_question(self, result: SearchResult) -> None:
        """See ``Questioner``."""


def question_as_json(question: Question | None) -> dict[str, Any] | None:
    """A question as plain data: "text" and "choices"."""
    if question is None:
        return None
    return {"text": question.text, "choices": list(question.choices)}


def ask_back(questioner: Questioner, result: SearchResult) -> tuple[SearchResult, Question | None]:
    """A result, and a question for the user if there is one.

    If nothing was found, or nothing close, there is no question. If the questioner fails, there is
    no question, and the result's trace says so. The trace also gets what the samples of what is
    meant agree on, if the questioner can tell.
    """
    if not (result.hits and result.close):
        return result, None
    result = with_agreement(questioner, result)
    try:
        return result, questioner.next_question(result)
    # The questioner may be third-party code, and the hits do not need it.
    except Exception as error:
        return fallen_back(result, f"no question was found: {of_error(error)}"), None


def with_agreement(questioner: Questioner, result: SearchResult) -> SearchResult:
    """A result with what the samples agree on in its trace, if the questioner can tell."""
    if not isinstance(questioner, Agreeing) or not result.hits:
        return result
    try:
        found = questioner.agreement(result)
    # As above.
    except Exception as error:
        return fallen_back(result, f"what the samples agree on was not read: {of_error(error)}")
    if not (found.agreed or found.open):
        return result
    trace = dataclasses.replace(result.trace, agreed=found.agreed, open=found.open)
    return dataclasses.replace(result, trace=trace)


def fallen_back(result: SearchResult, what: str) -> SearchResult:
    """A result whose trace says what was not found out."""
    fallbacks = (*result.trace.fallbacks, what)
    trace = dataclasses.replace(result.trace, fallbacks=fallbacks)
    return dataclasses.replace(result, trace=trace)


def _bare(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .!")
