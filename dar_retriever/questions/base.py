"""What a question is, and what asks one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.retriever import SearchResult


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask the user next.

    Attributes:
        text: The question.
        choices: Answers to offer, the likeliest first; the user may say anything else.
        reason: Why it is asked, for people.
    """

    text: str
    choices: tuple[str, ...] = ()
    reason: str = ""

    def __str__(self) -> str:
        """The question with its choices: "Which colour? (red, blue, teal)"."""
        return f"{self.text} ({', '.join(self.choices)})" if self.choices else self.text


class Questioner(Protocol):
    """Asks back."""

    def next_question(self, result: SearchResult) -> Question | None:
        """The question whose answer would tell the candidates of a search apart best.

        Returns:
            None where the best hit is clear, or nothing is left to ask.
        """
        ...


class NoQuestions:
    """Asks nothing."""

    def next_question(self, result: SearchResult) -> None:
        """See ``Questioner``."""
