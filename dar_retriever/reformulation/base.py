"""What a reformulation is, and what makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.conversation.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class Reformulation:
    """A dialogue in the words of the models.

    Attributes:
        caption: For the text encoder, in the style of the captions it was trained on; empty
            where the user only showed images.
        prompts: For the image generator, one or more; none where there is no caption.
        exclusions: What the wanted image does not show, a phrase each.
        since: Place among the dialogue's turns from which on it is about the present subject; what
            was shown and judged before counts no more.
        notes: How it was made, for people.
    """

    caption: str
    prompts: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    since: int = 0
    notes: tuple[str, ...] = ()

    @property
    def negative_prompt(self) -> str:
        """The exclusions as one text, for image generators."""
        return ", ".join(self.exclusions)


class Reformulator(Protocol):
    """Turns dialogues into reformulations."""

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """Rewrite a dialogue that holds at least one word or image of the user."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """What a dialogue says, phrase by phrase.

    Attributes:
        phrases: What the wanted image shows, in the order in which it was said.
        excluded: What it does not show.
        since: See ``Reformulation``.
    """

    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    since: int = 0


class LanguageRules(Protocol):
    """One language: how people describe, answer, correct and rule out in it.

    ``english/`` implements it; another language is a folder beside that one.
    """

    def read(self, dialogue: Dialogue) -> Reading:
        """Read a dialogue that holds at least one word or image of the user."""
        ...

    def visibility(self, phrase: str) -> float:
        """How much of a phrase a picture shows; what shows least is left out first."""
        ...
