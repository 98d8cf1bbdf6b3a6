"""What a small language model adds to the rules: chats as people type them.

    python local_language_model.py chats.jsonl MODEL [EVERY]

MODEL is a name on the hub, a folder or a GGUF file; every EVERY-th chat is read. A line of the
file: {"kind", "turns": [[role, text], ...], "caption", "excluded": [phrase, ...]}. Right: at least
85 % of the wanted content words, at least 75 % of the own ones wanted, all exclusions excluded,
polarity holds. Inverted: an unwanted word is in the caption, or a wanted one excluded.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from dar_retriever import Dialogue, LLMReformulator, RuleReformulator
from dar_retriever.errors import LanguageModelError
from dar_retriever.language_models.instructions import FOLDER
from dar_retriever.language_models.local import LocalLanguageModel
from dar_retriever.reformulation.checked import CheckedReformulator

SMALL = re.compile(
    r"an?|the|of|with|in|on|at|and|or|is|are|was|were|be|to|it|its|his|her|their|has|have|for|by|"
    r"there|from|that|this|ones?|some|any|very|please|picture|photo|image|but|so"
)


def content(text: str) -> Counter[str]:
    """Content words, without the endings of plurals and verbs."""
    words = (word for word in re.findall(r"\w+", text.lower()) if not SMALL.fullmatch(word))
    return Counter(re.sub(r"(?<=\w{3})(?:ing|ies|es|ed|s)$", "", word) for word in words)


def verdict(caption: str, excluded: str, case: dict) -> tuple[bool, bool]:
    """Whether a reading is right, and whether its polarity is inverted."""
    want, have = content(case["caption"]), content(caption)
    bad, out = content(" ".join(case["excluded"])), content(excluded)
    inverted = any(w in have for w in bad if w not in want) or any(
        w in out for w in want if w not in bad
    )
    common = (want & have).total()
    named = all(any(w in out for w in content(phrase)) for phrase in case["excluded"])
    enough = common >= 0.85 * want.total() and common >= 0.75 * have.total()
    return enough and named and not inverted, inverted


def main() -> None:
    """Print a line for each reformulator."""
    lines = Path(sys.argv[1]).read_text("utf-8").splitlines()
    cases = [case for case in map(json.loads, lines) if case["kind"] != "language"]
    cases = cases[:: int(sys.argv[3]) if len(sys.argv) > 3 else 1]
    model = LocalLanguageModel(sys.argv[2], max_new_tokens=150)
    alone = LLMReformulator(
        model, prompts=1, time_limit=None, instructions=FOLDER / "reformulate_briefly.txt"
    )
    ways = {
        "rules": RuleReformulator(),
        "model": alone,
        "both": CheckedReformulator(model, time_limit=None),
    }
    for name, reformulator in ways.items():
        right = wrong_way = failed = worded = 0
        begun = time.perf_counter()
        for case in cases:
            dialogue = Dialogue()
            for role, text in case["turns"]:
                dialogue = dialogue.ask(text) if role == "assistant" else dialogue.say(text)
            try:
                made = reformulator.reformulate(dialogue)
            except LanguageModelError:
                failed += 1
                continue
            good, inverted = verdict(made.caption, made.negative_prompt, case)
            right, wrong_way = right + good, wrong_way + inverted
            worded += "worded by a language model" in made.notes
        seconds = (time.perf_counter() - begun) / len(cases)
        print(
            f"{name:6s} {len(cases)} chats: right {right}, inverted {wrong_way}, no valid answer "
            f"{failed}, wording used {worded}, {seconds:.2f} s a chat",
            flush=True,
        )


main()
