"""The conversation that is searched with: turns, immutable dialogues, and where they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from PIL import Image

from dar_retriever.errors import EmptyDialogueError, InvalidImageError, InvalidInputError
from dar_retriever.support.images import image_from_data_url, to_rgb

Role = Literal["user", "assistant"]

_LEFT_OUT_ROLES: Final = frozenset({"system", "developer", "tool", "function"})


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: words, images, or both.

    Attributes:
        role: Who speaks. The user describes and answers, the assistant asks.
        text: The words; may be empty where there are images.
        images: References, which the words may change: PIL images, converted to RGB.
        like: Hits that the user liked, likewise.
        unlike: Hits that the user turned down, likewise.

    Raises:
        InvalidInputError: The role is unknown or the text is no string.
        InvalidImageError: Something among the images is no PIL image.
    """

    role: Role
    text: str = ""
    images: tuple[Image.Image, ...] = ()
    like: tuple[Image.Image, ...] = ()
    unlike: tuple[Image.Image, ...] = ()

    def __post_init__(self) -> None:
        if self.role not in ("user", "assistant"):
            raise InvalidInputError(f"role={self.role!r}: a turn is by 'user' or 'assistant'")
        if not isinstance(self.text, str):
            raise InvalidInputError(f"text={self.text!r}: the text of a turn is a str")
        for image in (*self.images, *self.like, *self.unlike):
            if not isinstance(image, Image.Image):
                raise InvalidImageError(
                    f"{image!r} is no PIL image; open it with PIL.Image.open first"
                )
        object.__setattr__(self, "text", " ".join(self.text.split()))
        object.__setattr__(self, "images", tuple(map(to_rgb, self.images)))
        object.__setattr__(self, "like", tuple(map(to_rgb, self.like)))
        object.__setattr__(self, "unlike", tuple(map(to_rgb, self.unlike)))

    @property
    def has_content(self) -> bool:
        """Whether the user says, shows or likes something here that can be searched for."""
        return self.role == "user" and bool(self.text or self.images or self.like)


@dataclass(frozen=True, slots=True)
class Round:
    """One question of the assistant, where there was one, and the user's answer."""

    question: str
    answer: Turn


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation about one wanted image; adding a turn gives a new dialogue.

    Attributes:
        turns: In the order they were said.
        id: Names the dialogue where its images were generated beforehand.

    Example:
        >>> dialogue = Dialogue.from_text("a red dress").ask("striped?").say("yes, blue stripes")
        >>> dialogue.round
        1
        >>> dialogue.at_round(0).turns[-1].text
        'a red dress'
    """

    turns: tuple[Turn, ...] = ()
    id: str = ""

    @classmethod
    def from_text(cls, text: str, id: str = "") -> Dialogue:
        """A dialogue of one description."""
        return cls((Turn("user", text),), id)

    @classmethod
    def from_messages(cls, messages: Sequence[Mapping[str, Any]], id: str = "") -> Dialogue:
        """Read role/content dicts as chat APIs have them (OpenAI style).

        Args:
            messages: Each with "role" and "content"; the content is a string or a list of
                parts of type "text" / "input_text" or "image_url" / "input_image", images as
                data URLs. System, developer and tool messages are left out.
            id: See ``Dialogue``.

        Raises:
            InvalidInputError: A message of another form.
            InvalidImageError: An image part that is no readable data URL.
        """
        turns = []
        for number, message in enumerate(messages):
            if not isinstance(message, Mapping):
                raise InvalidInputError(
                    f"message {number}: {message!r} is no dict of role, content"
                )
            role, content = message.get("role"), message.get("content")
            if content is None or (isinstance(role, str) and role in _LEFT_OUT_ROLES):
                continue
            if role not in ("user", "assistant"):
                raise InvalidInputError(
                    f"message {number}: role={role!r} is not one of user, assistant, "
                    f"{', '.join(sorted(_LEFT_OUT_ROLES))}"
                )
            text, images = _read_content(content, number)
            if text.strip() or images:
                turns.append(Turn("user" if role == "user" else "assistant", text, images))
        return cls(tuple(turns), id)

    @classmethod
    def from_visdial(cls, rounds: Sequence[str | tuple[str, str]], id: str = "") -> Dialogue:
        """Read a VisDial-style dialogue (arXiv 1611.08669).

        Args:
            rounds: The first description, then a question and its answer for each round,
                as a pair or as one string "question? answer".
            id: See ``Dialogue``.

        Raises:
            InvalidInputError: The first entry is no string, or another no round.
        """
        if isinstance(rounds, str) or not rounds or not isinstance(rounds[0], str):
            raise InvalidInputError(f"{rounds!r}: the first entry is the description, a str")
        dialogue = cls.from_text(rounds[0], id)
        for entry in rounds[1:]:
            question, answer = _split_round(entry)
            dialogue = (dialogue.ask(question) if question else dialogue).say(answer)
        return dialogue

    @classmethod
    def of(cls, value: DialogueLike) -> Dialogue:
        """Whatever can be searched with, as a dialogue: a dialogue, a text, an image, messages."""
        if isinstance(value, Dialogue):
            return value
        if isinstance(value, str):
            return cls.from_text(value)
        if isinstance(value, Image.Image):
            return cls((Turn("user", images=(value,)),))
        if isinstance(value, Sequence):
            messages = [item for item in value if isinstance(item, Mapping)]
            if len(messages) == len(value):
                return cls.from_messages(messages)
        raise InvalidInputError(
            f"{value!r} is no dialogue; pass a Dialogue, a str, a PIL image or a list of "
            "{'role': ..., 'content': ...} messages"
        )

    def say(
        self,
        text: str = "",
        *images: Image.Image,
        like: Sequence[Image.Image] = (),
        unlike: Sequence[Image.Image] = (),
    ) -> Dialogue:
        """This dialogue with one more turn of the user; see ``Turn``."""
        return self._with(Turn("user", text, images, tuple(like), tuple(unlike)))

    def ask(self, text: str) -> Dialogue:
        """This dialogue with one more turn of the assistant."""
        return self._with(Turn("assistant", text))

    @property
    def user_turns(self) -> tuple[Turn, ...]:
        """What the user said and showed."""
        return tuple(turn for turn in self.turns if turn.role == "user")

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """References that the user showed, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.images)

    @property
    def like(self) -> tuple[Image.Image, ...]:
        """Hits that the user liked, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.like)

    @property
    def unlike(self) -> tuple[Image.Image, ...]:
        """Hits that the user turned down, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.unlike)

    @property
    def round(self) -> int:
        """The number of answers so far; 0 after the first description."""
        return max(0, len(self.user_turns) - 1)

    def rounds(self) -> Iterator[Round]:
        """The user's turns, each with what the assistant asked since the turn before."""
        asked: list[str] = []
        for turn in self.turns:
            if turn.role == "assistant":
                asked.append(turn.text)
            else:
                yield Round(" ".join(asked), turn)
                asked = []

    def at_round(self, n: int) -> Dialogue:
        """The state after n answers; the whole dialogue where it has no more than that.

        Raises:
            InvalidInputError: ``n`` is negative.
        """
        if n < 0:
            raise InvalidInputError(f"n={n}: rounds count from 0, the first description")
        answers = -1
        for number, turn in enumerate(self.turns):
            answers += turn.role == "user"
            if answers == n:
                return dataclasses.replace(self, turns=self.turns[: number + 1])
        return self

    def since(self, place: int) -> Dialogue:
        """The dialogue from a turn on.

        Raises:
            InvalidInputError: There is no such turn.
        """
        if not 0 <= place < max(1, len(self.turns)):
            raise InvalidInputError(
                f"place={place}: the dialogue has turns 0 to {len(self.turns) - 1}"
            )
        return dataclasses.replace(self, turns=self.turns[place:]) if place else self

    def require_content(self) -> None:
        """Raise EmptyDialogueError where the user has neither said, shown nor liked anything."""
        if not any(turn.has_content for turn in self.turns):
            raise EmptyDialogueError(
                f"the dialogue's {len(self.turns)} turns hold no word and no image of the user; "
                "describe the wanted image first"
            )

    def _with(self, turn: Turn) -> Dialogue:
        return dataclasses.replace(self, turns=(*self.turns, turn))


DialogueLike = Dialogue | str | Image.Image | Sequence[Mapping[str, Any]]


def _read_content(content: Any, number: int) -> tuple[str, tuple[Image.Image, ...]]:
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, Sequence):
        raise InvalidInputError(f"message {number}: content={content!r} is neither str nor list")
    texts, images = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("text", "input_text", "output_text"):
            texts.append(_text_of(part, number))
        elif kind in ("image_url", "input_image"):
            url = part.get("image_url")
            images.append(
                image_from_data_url(str(url.get("url") if isinstance(url, Mapping) else url))
            )
        else:
            raise InvalidInputError(
                f"message {number}: a part of type {kind!r} is not understood; use 'text' or "
                "'image_url'"
            )
    return " ".join(texts), tuple(images)


def _text_of(part: Mapping[str, Any], number: int) -> str:
    text = part.get("text")
    if not isinstance(text, str):
        raise InvalidInputError(f"message {number}: text={text!r} of a text part is no str")
    return text


def _split_round(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, str):
        if not isinstance(entry, Sequence) or len(entry) != 2:
            raise InvalidInputError(f"{entry!r}: a round is 'question? answer' or a pair of them")
        return entry[0], entry[1]
    question, mark, answer = entry.partition("?")
    return (f"{question}?", answer.strip()) if mark else ("", entry)
