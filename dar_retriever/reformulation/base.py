"""What a reformulation is, and what makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.conversation.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class Condition:
    """Something said of the wanted images that no picture shows: a price, a size, a date, a brand.

    Attributes:
        about: "price", "size", "date", "month" (1 to 12, of any year), "results" (how many are
            wanted), or what else the user names, such as "brand"; empty where there is no telling.
        operator: "$eq", "$ne", "$in", "$nin", "$gt", "$gte", "$lt" or "$lte"; a range is two
            conditions.
        value: A number, a text, several texts for "$in" and "$nin"; of a date "2019-05-03".
        said: The words that say so.
    """

    about: str
    operator: str
    value: float | str | tuple[str, ...]
    said: str


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
        conditions: What was said that no picture shows; a search may filter by it.
    """

    caption: str
    prompts: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    since: int = 0
    notes: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

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
        conditions: What was said that no picture shows.
        notes: How it was read, for people.
    """

    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    since: int = 0
    conditions: tuple[Condition, ...] = ()
    notes: tuple[str, ...] = ()


class LanguageRules(Protocol):
    """One language: how people describe, answer, correct and rule out in it.

    ``english/`` implements it; another language is a folder beside that one, which
    ``languages.py`` names.
    """

    def read(self, dialogue: Dialogue) -> Reading:
        """Read a dialogue that holds at least one word or image of the user."""
        ...

    def visibility(self, phrase: str) -> float:
        """How much of a phrase a picture shows; what shows least is left out first."""
        ...
