"""The conversation: turns, immutable dialogues, and the formats they are read from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from PIL import Image

from dar_retriever.conversation.message_content import read_content
from dar_retriever.conversation.part import Part
from dar_retriever.errors import EmptyDialogueError, InvalidImageError, InvalidInputError
from dar_retriever.support.images import to_rgb

Role = Literal["user", "assistant"]

_LEFT_OUT_ROLES: Final = frozenset({"system", "developer", "tool", "function"})


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: words, images, or both.

    Attributes:
        role: Who speaks. The user describes and answers, the assistant asks.
        text: The words; may be empty if there are images.
        images: Reference images ("like this, but in blue"): PIL images, converted to RGB.
        like: Hits that the user liked: PIL images, converted to RGB.
        unlike: Hits that the user rejected: PIL images, converted to RGB.

    Raises:
        InvalidInputError: The role is unknown, or the text is not a string.
        InvalidImageError: One of the images is not a PIL image.
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
            raise InvalidInputError(f"text={self.text!r}: the text of a turn must be a str")
        for image in (*self.images, *self.like, *self.unlike):
            if not isinstance(image, Image.Image):
                raise InvalidImageError(
                    f"{image!r} is not a PIL image; open it with PIL.Image.open first"
                )
        object.__setattr__(self, "text", " ".join(self.text.split()))
        object.__setattr__(self, "images", tuple(map(to_rgb, self.images)))
        object.__setattr__(self, "like", tuple(map(to_rgb, self.like)))
        object.__setattr__(self, "unlike", tuple(map(to_rgb, self.unlike)))

    @property
    def has_content(self) -> bool:
        """Whether the user says, shows or likes something that can be searched for."""
        return self.role == "user" and bool(self.text or self.images or self.like)


@dataclass(frozen=True, slots=True)
class Round:
    """The assistant's question, if there was one, and the user's answer."""

    question: str
    answer: Turn


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A conversation about one wanted image. Adding a turn returns a new dialogue.

    Attributes:
        turns: All messages, oldest first.
        id: Name of the dialogue; only needed if its images were generated beforehand.
        locked: What the user has locked: no later turn takes it away.

    Example:
        >>> dialogue = Dialogue.from_text("a red dress").ask("striped?").say("yes, blue stripes")
        >>> dialogue.round
        1
        >>> dialogue.at_round(0).turns[-1].text
        'a red dress'
    """

    turns: tuple[Turn, ...] = ()
    id: str = ""
    locked: tuple[Part, ...] = ()

    @classmethod
    def from_text(cls, text: str, id: str = "") -> Dialogue:
        """Start a dialogue with a description."""
        return cls((Turn("user", text),), id)

    @classmethod
    def from_messages(cls, messages: Sequence[Mapping[str, Any]], id: str = "") -> Dialogue:
        """Read role/content messages in the style of OpenAI's chat API.

        Args:
            messages: Dicts with "role" and "content". The content is a string, or a list of parts
                of type "text" / "input_text" or "image_url" / "input_image". Images must be
                data URLs. System, developer and tool messages are left out.
            id: See ``Dialogue``.

        Raises:
            InvalidInputError: A message has another form.
            InvalidImageError: An image is not a readable data URL.
        """
        turns = []
        for number, message in enumerate(messages):
            if not isinstance(message, Mapping):
                raise InvalidInputError(
                    f"message {number}: {message!r} is not a dict of role, content"
                )
            role, content = message.get("role"), message.get("content")
            if content is None or (isinstance(role, str) and role in _LEFT_OUT_ROLES):
                continue
            if role not in ("user", "assistant"):
                raise InvalidInputError(
                    f"message {number}: role={role!r} is not one of user, assistant, "
                    f"{', '.join(sorted(_LEFT_OUT_ROLES))}"
                )
            text, images = read_content(content, number)
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
            InvalidInputError: The first entry is not a string, or another one is not a round.
        """
        if isinstance(rounds, str) or not rounds or not isinstance(rounds[0], str):
            raise InvalidInputError(f"{rounds!r}: the first entry must be the description, a str")
        dialogue = cls.from_text(rounds[0], id)
        for entry in rounds[1:]:
            question, answer = _split_round(entry)
            dialogue = (dialogue.ask(question) if question else dialogue).say(answer)
        return dialogue

    @classmethod
    def of(cls, value: DialogueLike) -> Dialogue:
        """Turn a text, an image, a list of messages or a dialogue into a dialogue."""
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
            f"{value!r} is not a dialogue; pass a Dialogue, a str, a PIL image or a list of "
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

    def lock(self, part: Part) -> Dialogue:
        """This dialogue with a part locked: no correction and no new subject takes it away."""
        return dataclasses.replace(self, locked=tuple(dict.fromkeys((*self.locked, part))))

    def unlock(self, part: Part) -> Dialogue:
        """This dialogue with a part that later turns may take away again."""
        return dataclasses.replace(self, locked=tuple(e for e in self.locked if e != part))

    @property
    def user_turns(self) -> tuple[Turn, ...]:
        """The user's turns."""
        return tuple(turn for turn in self.turns if turn.role == "user")

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """Reference images of the user, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.images)

    @property
    def like(self) -> tuple[Image.Image, ...]:
        """Hits that the user liked, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.like)

    @property
    def unlike(self) -> tuple[Image.Image, ...]:
        """Hits that the user rejected, oldest first."""
        return tuple(image for turn in self.user_turns for image in turn.unlike)

    @property
    def round(self) -> int:
        """The number of answers so far; 0 after the first description."""
        return max(0, len(self.user_turns) - 1)

    def rounds(self) -> Iterator[Round]:
        """The user's turns, each with the questions that the assistant asked just before."""
        asked: list[str] = []
        for turn in self.turns:
            if turn.role == "assistant":
                asked.append(turn.text)
            else:
                yield Round(" ".join(asked), turn)
                asked = []

    def at_round(self, n: int) -> Dialogue:
        """The dialogue as it was after n answers; the whole dialogue if it has no more than n.

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
        """The dialogue from the turn at this place on.

        Raises:
            InvalidInputError: There is no such turn.
        """
        if not 0 <= place < max(1, len(self.turns)):
            raise InvalidInputError(
                f"place={place}: the dialogue has turns 0 to {len(self.turns) - 1}"
            )
        return dataclasses.replace(self, turns=self.turns[place:]) if place else self

    def require_content(self) -> None:
        """Raise EmptyDialogueError if the user has not said, shown or liked anything."""
        if not any(turn.has_content for turn in self.turns):
            raise EmptyDialogueError(
                f"a dialogue of {len(self.turns)} turns with no word and no image of the user; "
                "describe the wanted image first"
            )

    def _with(self, turn: Turn) -> Dialogue:
        return dataclasses.replace(self, turns=(*self.turns, turn))


DialogueLike = Dialogue | str | Image.Image | Sequence[Mapping[str, Any]]


def _split_round(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, str):
        if not isinstance(entry, Sequence) or len(entry) != 2:
            raise InvalidInputError(
                f"{entry!r}: a round is 'question? answer', or a pair (question, answer)"
            )
        return entry[0], entry[1]
    question, mark, answer = entry.partition("?")
    return (f"{question}?", answer.strip()) if mark else ("", entry)
