"""What one round adds to what is known of the wanted image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """What one round adds.

    Attributes:
        text: What is so; empty where nothing is.
        excluded: What is not so.
        topic: What it is about; a later statement about the same replaces it. Empty where
            there is no telling.
        replaces: Words of earlier statements that ``text`` stands for now.
        corrects: Whether the user takes something back.
        of_it: Whether it is said of the wanted thing itself: "make it red".
        slip: Whether the user said one thing for another: "no wait, a violin".
    """

    text: str = ""
    excluded: str = ""
    topic: str = ""
    replaces: str = ""
    corrects: bool = False
    of_it: bool = False
    slip: bool = False
