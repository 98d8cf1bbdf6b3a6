"""How well chats as people type them are read, by the rules alone and with the tagger.

    python examples/benchmarks/chats.py tests/reformulation/english/chats/shared.jsonl [-v]

Each line of a file is a chat with the caption that a person wrote for it before any run, and what
that person says the picture must not show. Words are compared by their stems, without small words.
A chat is read rightly where the made caption has 85 % of the expected words, 75 % of its own words
are expected, everything to be excluded is, and nothing is inverted; partly, where it has 60 % and
nothing is inverted. Inverted means that the caption names what must not be shown, or that what is
wanted is excluded: the search then looks for the opposite.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from dar_retriever import Dialogue, RuleReformulator, TaggingReformulator

_SMALL: Final = frozenset(
    {
        *("a", "an", "the", "of", "with", "in", "on", "at", "and", "or", "to", "for", "by"),
        *("is", "are", "was", "were", "be", "it", "it's", "its", "his", "her", "their", "has"),
        *("have", "having", "there", "from", "that", "this", "one", "ones", "some", "any", "very"),
        *("please", "picture", "photo", "image", "but", "so"),
    }
)
# Words that mean the same to a search.
_ALIKE: Final = {
    "grey": "gray",
    "colour": "color",
    "coloured": "color",
    "colored": "color",
    "colourful": "color",
    "nobody": "people",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "dark": "darker",
    "big": "bigger",
    "small": "smaller",
    "sneaker": "trainer",
}
_ENDS: Final = ("ing", "ies", "es", "ed", "s")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a chat's reading is worth: right, partly or wrong, and whether it is inverted."""

    verdict: str
    inverted: bool


def stems(text: str) -> Counter[str]:
    """How often each word of content stands in a text, by its stem."""
    words = re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.lower())
    return Counter(_stem(word) for word in (_ALIKE.get(w, w) for w in words) if word not in _SMALL)


def _stem(word: str) -> str:
    end = next((e for e in _ENDS if word.endswith(e) and len(word) > len(e) + 2), "")
    word = word.removesuffix(end)
    return word.removesuffix("e") if len(word) > 4 else word


def judged(caption: str, exclusions: tuple[str, ...], case: dict[str, Any]) -> Judgement:
    """Judge one reading against what a person wrote."""
    if case["kind"] == "language":
        # In another language than English the user's own words are searched with.
        own = (word for role, text in case["turns"] if role == "user" for word in stems(text))
        kept = all(word in stems(caption) for word in own) and not exclusions
        return Judgement("right" if kept else "wrong", inverted=False)
    wanted, made = stems(case["caption"]), stems(caption)
    unwanted, excluded = stems(" ".join(case["excluded"])), stems(" ".join(exclusions))
    named = any(word in made for word in unwanted if word not in wanted)
    inverted = named or any(word in excluded for word in wanted if word not in unwanted)
    common = (wanted & made).total()
    recall, precision = common / max(1, wanted.total()), common / max(1, made.total())
    all_out = all(any(word in excluded for word in stems(what)) for what in case["excluded"])
    if inverted or recall < 0.6:
        return Judgement("wrong", inverted)
    right = recall >= 0.85 and precision >= 0.75 and all_out
    return Judgement("right" if right else "partly", inverted)


def dialogue_of(case: dict[str, Any]) -> Dialogue:
    """A chat's turns as a dialogue."""
    dialogue = Dialogue()
    for role, text in case["turns"]:
        dialogue = dialogue.ask(text) if role == "assistant" else dialogue.say(text)
    return dialogue


def main() -> None:
    """Print the counts by reader and kind, and with -v what is not right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chats", type=Path, nargs="+")
    parser.add_argument("-v", "--verbose", action="store_true")
    args = parser.parse_args()
    console = Console()
    readers = {"rules": RuleReformulator(), "rules and tagger": TaggingReformulator()}
    for path in args.chats:
        cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for name, reader in readers.items():
            counts: dict[str, Counter[str]] = {}
            for case in cases:
                made = reader.reformulate(dialogue_of(case))
                found = judged(made.caption, made.exclusions, case)
                counts.setdefault(case["kind"], Counter())[found.verdict] += 1
                counts[case["kind"]]["inverted"] += found.inverted
                if args.verbose and found.verdict != "right":
                    console.print(f"{name}: {found.verdict}: {case['turns']}", markup=False)
                    console.print(f"  made {made.caption!r}, not {made.exclusions}", markup=False)
            console.print(_table(f"{path.name}, {name}", counts))


def _table(title: str, counts: dict[str, Counter[str]]) -> Table:
    table = Table("kind", "right", "partly", "wrong", "inverted", title=title, box=None)
    for kind, row in {**counts, "all": sum(counts.values(), Counter())}.items():
        table.add_row(kind, *(str(row[name]) for name in ("right", "partly", "wrong", "inverted")))
    return table


if __name__ == "__main__":
    main()
