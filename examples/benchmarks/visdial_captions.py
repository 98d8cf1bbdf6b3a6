"""How much of real dialogues do captions keep, by the rules and by a language model, at round 10?

    python examples/benchmarks/visdial_captions.py dialogues.json reformulated.json

The two files are described in visdial.md: the human dialogues of VisDial's validation set, and the
captions that the authors of DAR had a language model write for every round. Nothing is drawn or
searched.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean

from rich.console import Console
from rich.progress import track
from rich.table import Table

from dar_retriever import Dialogue, RuleReformulator, TaggingReformulator
from dar_retriever.reformulation.budget import CLIP_TOKENS, count_clip_tokens

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_SUFFIX = re.compile(r"(?:'s|s'|ings?|edly|ed|es|ly|s)$")
_YES = re.compile(
    r"(?:yes|yeah|yea|yep|yup|sure|correct|right|definitely|absolutely|of course|i think so|"
    r"looks like it|it appears so|(?:it|he|she|they|there) (?:is|are|does|do|has|have))\b"
)
_NO = re.compile(
    r"(?:no|not|nope|nah|none|never|neither|nothing|nobody|0|zero)\b|"
    r"i (?:don't|do not|can't|cannot|can not)\b|"
    r"(?:it|he|she|they|there) (?:is|are|does|do|has|have)(?:n't| not)\b|"
    r"(?:isn't|aren't|doesn't|don't)\b"
)
_CANNOT_TELL = re.compile(
    r"\b(?:can(?:'t|not| not) (?:really )?(?:tell|see|say|be sure)|(?:don't|do not) (?:know|think)|"
    r"not sure|unsure|hard to (?:tell|say|see)|no idea|unclear|not visible)\b"
)
_OPENING = re.compile(
    r"(?:what|which|who|whose|where|when|why|how|is|are|was|were|do|does|did|has|have|had|can|could|"
    r"will|would|should)(?:'s|n't)? "
)
# Words that carry no content, and what people say of pictures as such.
_STOP = frozenset(
    """
    a about all also am an and any anything appear appears are as at be been being believe bit both
    but by can could did do does doing done down each else ever for from had has have having he her
    here him his how i i'd i'll i'm if image in into is it it's its just kind like likely look
    looking looks lot maybe me might more most my near no nor not of off on one ones only or other
    our out over own perhaps photo picture possibly pretty probably quite rather really say see seem
    seems she she's should so some something sort sure tell than that that's the their them then
    there there's these they they're they've think this those to too under up us very was we well
    were what what's when where which who whom whose why will with would yeah yes yep you your
    """.split()  # noqa: SIM905 (one word a line would be three pages)
)


@dataclass(frozen=True, slots=True)
class Round:
    """A question and its answer, in plain lower case; the first one has no question."""

    question: str
    answer: str

    @property
    def affirms(self) -> bool:
        """Whether the answer is a yes."""
        return bool(_YES.match(self.answer)) and not _CANNOT_TELL.search(self.answer)

    @property
    def denies(self) -> bool:
        """Whether the answer is a no."""
        return bool(_NO.match(self.answer)) and not _CANNOT_TELL.search(self.answer)

    @property
    def informs(self) -> bool:
        """Whether the answer is neither a no nor "can't tell"."""
        return bool(self.answer) and not (self.denies or _CANNOT_TELL.search(self.answer))


@dataclass(frozen=True, slots=True)
class Kept:
    """What one caption keeps of its dialogue; shares are of counts, None where there is nothing."""

    within_budget: float
    tokens: float
    words_told: float
    words_kept: float
    question_left: float
    denied_said: float


def main() -> None:
    """Measure both and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dialogues", type=Path, help="VisDial's dialogues, as ChatIR has them.")
    parser.add_argument("reformulated", type=Path, help="Captions of the same dialogues by round.")
    parser.add_argument("--show", type=int, default=3, help="Number of captions to print.")
    args = parser.parse_args()
    dialogues = [entry["dialog"] for entry in json.loads(args.dialogues.read_text("utf-8"))]
    given = [entry["dialog"][-1] for entry in json.loads(args.reformulated.read_text("utf-8"))]
    count_clip_tokens("")

    rules, tagger = RuleReformulator(), TaggingReformulator()
    began = time.perf_counter()
    made = [rules.reformulate(Dialogue.from_visdial(entries)) for entries in dialogues]
    seconds = time.perf_counter() - began
    tagged = [
        tagger.reformulate(Dialogue.from_visdial(entries))
        for entries in track(dialogues, "Reading with the tagger")
    ]

    console = Console()
    rounds = [list(_rounds(entries)) for entries in dialogues]
    captions = {
        "rules": [m.caption for m in made],
        "rules and tagger": [m.caption for m in tagged],
        "language model": given,
    }
    console.print(
        _table(
            {n: [kept(*pair) for pair in zip(rounds, c, strict=True)] for n, c in captions.items()}
        )
    )
    turns = sum(map(len, dialogues))
    console.print(
        f"{len(made)} dialogues of {turns / len(made):.0f} turns; rules took "
        f"{1000 * seconds / turns:.3f} ms a turn, each dialogue read once at round 10"
    )
    for number in range(args.show):
        console.print(f"\n[dim]{' / '.join(dialogues[number])}[/dim]", highlight=False)
        console.print(f"rules: {made[number].caption}", highlight=False)
        console.print(f"not:   {made[number].negative_prompt}", highlight=False)
        console.print(f"tagger: {tagged[number].caption}", highlight=False)
        console.print(f"not:   {tagged[number].negative_prompt}", highlight=False)
        console.print(f"model: {given[number]}", highlight=False)


def kept(rounds: list[Round], caption: str) -> Kept:
    """Measure one caption.

    A caption's words are compared by stems with those of informative answers: neither denials nor
    "can't tell"; after a yes the question's words count too.
    """
    said, told = _stems(caption), set[str]()
    for entry in rounds[1:]:
        if entry.informs:
            told |= _stems(entry.answer) | (_stems(entry.question) if entry.affirms else set())
    everything = told.union(*(_stems(entry.answer) for entry in rounds))
    denied = set[str]()
    for entry in rounds[1:]:
        if entry.denies:
            denied |= _stems(entry.question) - everything
    tokens = count_clip_tokens(caption)
    return Kept(
        within_budget=tokens <= CLIP_TOKENS,
        tokens=tokens,
        words_told=len(told),
        words_kept=len(told & said),
        question_left=_has_a_question(rounds, caption),
        denied_said=bool(denied & said),
    )


def _has_a_question(rounds: list[Round], caption: str) -> bool:
    """Whether a caption has a question mark, or the first words of a question of the dialogue.

    A question opens with a question word or an auxiliary; "color pic?" is a statement to affirm.
    What the user says in the same words does not count.
    """
    text = f" {' '.join(_WORD.findall(caption.lower()))} "
    own = f" {' | '.join(' '.join(_WORD.findall(entry.answer)) for entry in rounds)} "
    openings = (" ".join(_WORD.findall(entry.question)[:2]) for entry in rounds[1:])
    return "?" in caption or any(
        f" {opening} " in text and f" {opening} " not in own
        for opening in openings
        if _OPENING.match(opening)
    )


def _rounds(entries: list[str]) -> Iterator[Round]:
    yield Round("", entries[0].lower())
    for entry in entries[1:]:
        question, _, answer = entry.lower().replace("\u2019", "'").partition("?")
        yield Round(question.strip(), answer.strip())


def _stems(text: str) -> set[str]:
    words = (word for word in _WORD.findall(text.lower()) if word not in _STOP)
    return {_SUFFIX.sub("", word) if len(word) > 4 else word.removesuffix("s") for word in words}


def _table(captions: dict[str, list[Kept]]) -> Table:
    table = Table(title="Captions of VisDial dialogues at round 10", box=None)
    table.add_column("")
    for name in captions:
        table.add_column(name, justify="right")
    both = [
        {f.name: mean(getattr(k, f.name) for k in each) for f in fields(Kept)}
        for each in captions.values()
    ]
    shares = [m["words_kept"] / m["words_told"] for m in both]
    table.add_row(
        f"within {CLIP_TOKENS} tokens", *(f"{100 * m['within_budget']:.1f} %" for m in both)
    )
    table.add_row("mean tokens", *(f"{m['tokens']:.1f}" for m in both))
    table.add_row(
        "content words of informative answers, a dialogue",
        *(f"{m['words_told']:.1f}" for m in both),
    )
    table.add_row("  of which kept", *(f"{100 * share:.1f} %" for share in shares))
    table.add_row(
        "captions with question text left", *(f"{100 * m['question_left']:.1f} %" for m in both)
    )
    table.add_row(
        "captions that name what was denied", *(f"{100 * m['denied_said']:.1f} %" for m in both)
    )
    return table


if __name__ == "__main__":
    main()
