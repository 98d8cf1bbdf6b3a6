"""What a reformulation is, and what makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dar_retriever.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class Reformulation:
    """A dialogue in the words of the models.

    Attributes:
        caption: For the text encoder, in the style of the captions it was trained on; empty
            where the user only showed images.
        prompts: For the image generator, one or more; none where there is no caption.
        negative_prompt: What the generated images are not to show.
        since: Place among the dialogue's turns from which on it is about the present subject; what
            was shown and judged before counts no more.
        notes: How it was made, for people.
    """

    caption: str
    prompts: tuple[str, ...] = ()
    negative_prompt: str = ""
    since: int = 0
    notes: tuple[str, ...] = ()


class Reformulator(Protocol):
    """Turns dialogues into reformulations."""

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        """Rewrite a dialogue that holds at least one word or image of the user."""
        ...
