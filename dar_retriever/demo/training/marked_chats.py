"""Chats with marks that say which words the wanted picture shows, for training the tagger.

A line of a file is a chat: ``{"kind": ..., "turns": [[role, text], ...]}``. In its texts
``[words]`` are shown by the picture, ``{words}`` must not be shown, and ``<words>`` are for the
data of a shop or photo library. ``[words>3]`` and ``{words>3}`` hold until the third message takes
them back. What is not marked says nothing of the picture. Marks of an assistant's message hold
once the user has answered it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

from dar_retriever.conversation.dialogue import Dialogue, Role, Turn
from dar_retriever.reformulation.english.wording import spoken
from dar_retriever.reformulation.tagging import Tag, Word, words_of

_MARK: Final = re.compile(
    r"\[(?P<keep>[^][{}<>]+?)(?:>(?P<kept_until>\d+))?\]|"
    r"\{(?P<out>[^][{}<>]+?)(?:>(?P<out_until>\d+))?\}|<(?P<data>[^][{}<>]+?)>"
)
# An operator of search boxes, before what it rules out.
_RULED_OUT: Final = re.compile(r"(?<!\S)[-!](?=\{)")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_PAUSES: Final = re.compile(r"[,.;!]")
# Words that may stand for each other in a chat, a kind a line.
_ALIKE: Final = """
red blue green yellow orange purple pink black white grey brown beige navy teal maroon cream gold
leather cotton wool silk linen denim velvet wooden metal glass plastic ceramic steel bamboo marble
striped spotted dotted floral checked plain paisley tartan geometric
two three four five six seven
dog cat horse rabbit hamster parrot goat sheep cow pig fox owl bear lion tiger elephant duck swan
dogs cats horses rabbits parrots goats cows pigs foxes owls bears lions tigers elephants ducks
shirt dress skirt jacket coat sweater jumper hoodie blouse cardigan vest
mug cup bowl plate vase jug teapot bottle lamp candle clock mirror
sofa chair table desk bed bench stool shelf wardrobe armchair
beach forest park garden street kitchen bridge lake mountain river desert castle church market
man woman boy girl child grandma grandpa dad mum uncle aunt baby
guitar violin piano drum trumpet flute cello
rose tulip sunflower daisy orchid lily
car bus bike train truck tram boat scooter plane
buttons zippers pockets stripes dots flowers sleeves laces buckles ribbons tassels
people tourists children crowds strangers
"""
_KINDS: Final = [line.split() for line in _ALIKE.split("\n") if line]
_KIND_OF: Final = {word: kind for kind in _KINDS for word in kind}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message, and what becomes of it."""

    text: str
    tag: Tag
    until: int = 0


Message: TypeAlias = tuple[Role, list[Part]]


@dataclass(frozen=True, slots=True)
class MarkedChat:
    """A chat whose words are tagged, by the message from which they are no longer so."""

    messages: tuple[Message, ...]

    @classmethod
    def of(cls, turns: list[tuple[Role, str]]) -> MarkedChat:
        """Read marked messages."""
        return cls(tuple((role, list(_parts(_RULED_OUT.sub("no ", text)))) for role, text in turns))

    def ends(self) -> list[int]:
        """After how many messages the user has just spoken."""
        return [n for n, (role, _) in enumerate(self.messages, 1) if role == "user"]

    def length(self) -> int:
        """Its letters."""
        return sum(len(part.text) for part in self._parts())

    def after(self, count: int) -> MarkedChat:
        """The chat as it stands after so many messages."""
        return MarkedChat(
            tuple(
                (role, [_standing(part, count) for part in parts])
                for role, parts in self.messages[:count]
            )
        )

    def things(self) -> list[str]:
        """The words that the picture shows or must not show, the longer ones."""
        marked = (part.text for part in self._parts() if part.tag in (Tag.KEEP, Tag.EXCLUDE))
        found = (word.lower() for text in marked for word in _LETTERS.findall(text))
        return sorted({word for word in found if len(word) > 3})

    def varied(self, random: Random, things: Sequence[str] = ()) -> MarkedChat:
        """The same chat of other things, typed in another way.

        Args:
            random: Decides what changes.
            things: Words of other chats. Where nothing is taken back, any of them may stand for any
                word of this one, so that what counts is how it is said.
        """
        texts = [part.text for part in self._parts()]
        said = {word.lower() for text in texts for word in _LETTERS.findall(text)}
        others: dict[str, str] = {}
        if random.random() < 0.6:
            for word in sorted(said & _KIND_OF.keys()):
                other = random.choice(_KIND_OF[word])
                if random.random() < 0.6 and other not in said:
                    others[word] = other
                    said.add(other)
        if things and random.random() < 0.4 and not any(part.until for part in self._parts()):
            for word in self.things():
                other = random.choice(things)
                if word not in others and other not in said and random.random() < 0.3:
                    others[word] = other
                    said.add(other)
        lower, bare = random.random() < 0.3, random.random() < 0.12
        slips = 0.04 if random.random() < 0.25 else 0.0

        def typed(role: Role, text: str) -> str:
            text = _LETTERS.sub(lambda m: others.get(m[0].lower(), m[0]), text)
            if role == "assistant":
                return text
            text = _LETTERS.sub(lambda m: _mistyped(m[0], slips, random), text)
            text = _PAUSES.sub("", text) if bare else text
            return text.lower() if lower else text

        return MarkedChat(
            tuple(
                (role, [Part(typed(role, p.text), p.tag, p.until) for p in parts])
                for role, parts in self.messages
            )
        )

    def _parts(self) -> Iterator[Part]:
        return (part for _, parts in self.messages for part in parts)

    def read(self) -> tuple[Dialogue, list[Word], list[Tag]]:
        """The dialogue, its words, and the tag of each."""
        turns, tags = [], []
        for role, parts in self.messages:
            text = ""
            letters: list[Tag] = []
            for part in parts:
                for letter in part.text:
                    # A turn has single blanks between its words.
                    if not letter.isspace() or (text and not text[-1].isspace()):
                        text += " " if letter.isspace() else letter
                        letters.append(part.tag)
            turns.append(Turn(role, text))
            tags.append(letters)
        dialogue = Dialogue(tuple(turns))
        words = [word for said in words_of(dialogue) for word in said]
        return dialogue, words, [tags[word.turn][word.start] for word in words]


def marked_chats(folder: Path) -> list[MarkedChat]:
    """All chats of a folder's files."""
    lines = [
        line
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    return [MarkedChat.of([tuple(turn) for turn in json.loads(line)["turns"]]) for line in lines]


def _parts(text: str) -> Iterator[Part]:
    at = 0
    for mark in _MARK.finditer(text):
        yield Part(spoken(text[at : mark.start()]), Tag.DROP)
        if mark["keep"]:
            yield Part(spoken(mark["keep"]), Tag.KEEP, int(mark["kept_until"] or 0))
        elif mark["out"]:
            yield Part(spoken(mark["out"]), Tag.EXCLUDE, int(mark["out_until"] or 0))
        else:
            yield Part(mark["data"], Tag.FILTER)
        at = mark.end()
    yield Part(spoken(text[at:]), Tag.DROP)


def _standing(part: Part, count: int) -> Part:
    gone = 0 < part.until <= count
    return Part(part.text, Tag.DROP if gone else part.tag)


def _mistyped(word: str, share: float, random: Random) -> str:
    if len(word) < 4 or random.random() >= share:
        return word
    at = random.randrange(1, len(word) - 1)
    slip = random.choice(("lost", "swapped", "doubled"))
    if slip == "lost":
        return word[:at] + word[at + 1 :]
    if slip == "swapped":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at] + word[at:]
