"""A user who wants one product of the catalogue and answers questions about it, VisDial-style."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.captions import FIELDS, caption, colour_name
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, PATTERNS, Product

ROUNDS: Final = 10

_CORRECTABLE: Final = ("colour", "second_colour", "background")
_UNINFORMATIVE: Final = (
    "can't tell",
    "i can't tell from here",
    "not sure",
    "i don't know",
    "no idea",
    "hard to say",
    "it doesn't matter",
)
_IDLE_QUESTIONS: Final = (
    "is it for children?",
    "is it expensive?",
    "how big is it?",
    "how old is it?",
    "what brand is it?",
    "is it made by hand?",
    "what is it made of?",
    "is it new?",
)
_ABSENT: Final = ("people", "letters on it", "buttons on the side", "other things", "animals")


@dataclass(frozen=True, slots=True)
class SimulatedDialogue:
    """A dialogue and what is to be found by it.

    Attributes:
        product: The wanted product.
        dialogue: First description, then questions and answers.
        told: After each round from 0, the fields of the product that were told rightly.
    """

    product: Product
    dialogue: Dialogue
    told: tuple[frozenset[str], ...]


@dataclass(slots=True)
class _Round:
    """A question, its answer, and what is known rightly (or wrongly) by it."""

    question: str
    answer: str
    tells: str = ""
    denies: str = ""


@dataclass(slots=True)
class _Plan:
    """Rounds still to be said; those of ``after`` only once their forerunner was."""

    ready: list[_Round] = field(default_factory=list)
    after: dict[int, _Round] = field(default_factory=dict)

    def add(self, entry: _Round, forerunner: _Round | None = None) -> None:
        if forerunner is None:
            self.ready.append(entry)
        else:
            self.after[id(forerunner)] = entry

    def rounds(self, random: Random) -> Iterator[_Round]:
        """All rounds in varied order."""
        while self.ready:
            entry = self.ready.pop(random.randrange(len(self.ready)))
            yield entry
            follower = self.after.pop(id(entry), None)
            if follower is not None:
                self.ready.append(follower)


def simulate(
    product: Product, seed: int, *, rounds: int = ROUNDS, correction: bool | None = None
) -> SimulatedDialogue:
    """Play a dialogue in which every attribute of the product is told in the end.

    Args:
        product: What the user wants.
        seed: Same product and seed, same dialogue.
        rounds: Questions asked; those that the attributes leave over are answered with a "no"
            or without information.
        correction: Whether one answer is first wrong and taken back later; by default in half
            of the dialogues.

    Returns:
        The dialogue; its id is the seed.
    """
    random = Random(seed)
    fields = [name for name in FIELDS if getattr(product, name)]
    told_first = random.sample(("colour", "pattern", "detail"), random.randrange(2))
    if correction is None:
        correction = random.random() < 0.5
    open_fields = [name for name in fields if name not in told_first]
    wrong = random.choice([f for f in _CORRECTABLE if f in open_fields]) if correction else ""
    plan = _Plan()
    pattern_round = None
    for name in open_fields:
        forerunner = pattern_round if name == "second_colour" else None
        entry = _telling(product, name, random, wrong=name == wrong)
        plan.add(entry, forerunner)
        if name == "pattern":
            pattern_round = entry
        if name == wrong:
            plan.add(_taking_back(product, name, entry, random), entry)
    for _ in range(rounds - len(open_fields) - bool(wrong)):
        plan.add(_denial(product, random) if random.random() < 0.5 else _shrug(random))
    dialogue = Dialogue.from_text(caption(product, told_first, random), id=str(seed))
    known = set(told_first)
    told = [frozenset(known)]
    for entry in plan.rounds(random):
        dialogue = dialogue.ask(entry.question).say(entry.answer)
        known = (known | {entry.tells}) - {entry.denies, ""}
        told.append(frozenset(known))
    return SimulatedDialogue(product, dialogue, tuple(told))


def _telling(product: Product, name: str, random: Random, *, wrong: bool) -> _Round:
    value = getattr(product, name)
    if wrong:
        values = BACKGROUNDS if name == "background" else COLOURS
        others = {product.colour, product.second_colour, product.background}
        value = random.choice([other for other in values if other not in others])
    question, answer = _question(product, name, value, random)
    return _Round(question, answer, tells="" if wrong else name)


def _question(product: Product, name: str, value: str, random: Random) -> tuple[str, str]:
    """One of the ways to ask for an attribute, and an answer that goes with it."""
    kind = random.choice(KINDS[product.kind].names)
    noun, part = PATTERNS[product.pattern].noun, KINDS[product.kind].part
    if name in ("colour", "second_colour"):
        value = colour_name(value, random)
    elif name == "pattern":
        value = random.choice(PATTERNS[value].names)
    yes = random.choice(("yes", "yes, it is", "yes it is", "yeah", "right"))
    bare = random.choice(("{}", "{}, i think", "it's {}", "it is {}", "{} i guess", "i'd say {}"))
    open_questions = {
        "colour": ("what colour is it?", f"what color is the {kind}?", "what is its colour?"),
        "pattern": ("is it plain or patterned?", "how is it patterned?", "plain or not?"),
        "second_colour": (f"what colour are the {noun}?", f"what color are the {noun}?"),
        "detail": (f"what about the {part}?", f"tell me about the {part}?", "any special feature?"),
        "background": ("what is the background?", "what colour is the background?"),
    }
    closed_questions = {
        "colour": f"is it {value}?",
        "pattern": f"is it {value}?",
        "second_colour": f"are the {noun} {value}?",
        "detail": f"does it have {value}?",
        "background": f"is the background {value}?",
    }
    if random.random() < 0.25:
        return closed_questions[name], "yes" if name == "detail" else yes
    if name == "detail":
        bare = random.choice(("{}", "it has {}", "{}, i think", "with {}"))
    return random.choice(open_questions[name]), bare.format(value)


def _taking_back(product: Product, name: str, first: _Round, random: Random) -> _Round:
    """The round that corrects an earlier answer."""
    said = f"{first.question} {first.answer}".replace("?", " ").replace(",", " ").split()
    names = {n for c in COLOURS for n in (c, "gray", "violet", "turquoise")} | set(BACKGROUNDS)
    wrong = next(word for word in said if word in names)
    right = getattr(product, name)
    answer = random.choice(
        (
            f"sorry, i meant {right}, not {wrong}",
            f"wait, not {wrong} but {right}",
            f"actually it is {right}, not {wrong}",
        )
    )
    question = random.choice(
        ("is that all?", "anything else?", f"so it is {wrong}?", "is it nice?")
    )
    return _Round(question, answer, tells=name)


def _denial(product: Product, random: Random) -> _Round:
    answer = random.choice(("no", "no, it isn't", "nope", "no it's not"))
    style = random.random()
    if style < 0.3:
        colours = [c for c in COLOURS if c not in (product.colour, product.second_colour)]
        return _Round(f"is it {random.choice(colours)}?", answer)
    if style < 0.6:
        details = [d for d in KINDS[product.kind].details if d != product.detail]
        return _Round(f"does it have {random.choice(details)}?", "no")
    return _Round(f"are there any {random.choice(_ABSENT)}?", "no")


def _shrug(random: Random) -> _Round:
    return _Round(random.choice(_IDLE_QUESTIONS), random.choice(_UNINFORMATIVE))
