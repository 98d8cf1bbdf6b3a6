"""The rules' time grows in proportion to what was said."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation import RuleReformulator

# Counting an encoder's tokens is not the rules' time.
RULES = RuleReformulator(count_tokens=lambda text: len(text.split()))
COLOURS = ("red", "blue", "green", "white", "black", "teal")
GROWTH = 8
# Twice the time in proportion, and twice that again for a busy machine; the square would be 64.
MOST = 4 * GROWTH


def turns(text: str) -> Callable[[int], Dialogue]:
    """Makes dialogues of some turns; no two turns are the same."""

    def of(count: int) -> Dialogue:
        dialogue = Dialogue.from_text("a dress")
        for number in range(count):
            colour = COLOURS[number % len(COLOURS)]
            dialogue = dialogue.ask(f"is part {number} {colour}?").say(
                text.format(number=number, colour=colour)
            )
        return dialogue

    return of


def message(part: str) -> Callable[[int], Dialogue]:
    """Makes dialogues of one long message."""
    return lambda count: Dialogue.from_text(part * count)


def seconds(dialogue: Dialogue) -> float:
    # This thread's own time: those that other tests have left do not count.
    began = time.thread_time()
    RULES.reformulate(dialogue)
    return time.thread_time() - began


@pytest.mark.parametrize(
    ("of", "count"),
    [
        (turns("yes, it is {colour}"), 100),
        (turns("no"), 100),
        (turns("actually make part {number} {colour}, not white"), 60),
        (turns("without {colour} dots number {number}"), 60),
        (message("a red dress with white dots, "), 300),
        (message("no dots and no stripes "), 300),
        (message("under 50 euros "), 500),
        (message("not red but blue. "), 300),
        (message("x"), 8000),
        (message(" "), 8000),
        (message("no, "), 2000),
        (message("(((-"), 2000),
        (message("1,"), 4000),
        (message("a of the "), 1000),
    ],
)
def test_time_grows_in_proportion_to_what_was_said(of: Callable[[int], Dialogue], count: int):
    seconds(of(8))
    short = min(seconds(of(count)), seconds(of(count + 1)))
    # The faster of two: memory may be cleaned up in one of them.
    long = min(seconds(of(GROWTH * count)), seconds(of(GROWTH * count + 1)))

    # Below a hundredth of a second a clock tells nothing.
    assert long <= MOST * max(short, 0.01)


@pytest.mark.parametrize("part", ["a red dress with white dots, not blue. ", "no ", "x", ",.;"])
def test_a_message_of_a_megabyte_is_read_in_seconds(part: str):
    assert seconds(Dialogue.from_text(part * (2**20 // len(part)))) < 10
