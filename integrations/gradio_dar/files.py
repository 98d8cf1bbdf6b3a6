"""Saves a conversation to a file, and loads it again."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import starmap
from typing import Any, Final

from PIL import Image

from dar_retriever import Dialogue, InvalidImageError, InvalidInputError, Part, Turn
from dar_retriever.support.images import data_url, image_from_data_url
from gradio_dar.talk import Talk, readable, reduced

_FORMAT: Final = "dar-conversation"
_VERSION: Final = 1
_MOST_BYTES: Final = 32 * 2**20
_MOST_TURNS: Final = 200
_MOST_PICTURES: Final = 100
_IMAGES: Final = ("images", "like", "unlike")
_PLACES: Final = ("restated", "subject")
_KINDS: Final = ("wanted", "unwanted", "filter")
_ID: Final = re.compile("[0-9a-f]{16}")


def as_file(talk: Talk, side: int | None = None) -> str:
    """A conversation as JSON, including its pictures.

    Args:
        talk: The conversation.
        side: The longest side of its pictures in pixels; as they are by default.
    """
    turns = [_turn_as_json(turn, side) for turn in talk.dialogue.turns]
    saved = {"format": _FORMAT, "version": _VERSION, "id": talk.id, "turns": turns}
    saved |= {"rejected": sorted(talk.rejected)}
    if talk.dialogue.locked:
        saved |= {"locked": [[part.kind, part.phrase] for part in talk.dialogue.locked]}
    saved |= {name: getattr(talk, name) for name in _PLACES if getattr(talk, name)}
    return json.dumps(saved, indent=1)


def from_file(content: bytes) -> Talk:
    """Read a file of ``as_file``: a talk that was never searched.

    Raises:
        InvalidInputError: It is another kind of file, or too large.
        InvalidImageError: A picture in it cannot be read.
    """
    if len(content) > _MOST_BYTES:
        raise InvalidInputError(
            f"a file of {len(content):,} bytes is too large; {_MOST_BYTES:,} is the most"
        )
    try:
        saved = json.loads(content)
        if saved["format"] != _FORMAT or saved["version"] != _VERSION:
            raise InvalidInputError(f"version {saved['version']!r} of {saved['format']!r}")
        turns, rejected = list(saved["turns"]), [readable(id_) for id_ in saved["rejected"]]
        locked = tuple(starmap(_part, saved.get("locked", ())))
        _require_few(turns, rejected, locked)
        dialogue = Dialogue(tuple(map(_turn_of, turns)), locked=locked)
        restated, subject = (_place(saved.get(name, 0), len(turns)) for name in _PLACES)
    except InvalidImageError:
        raise
    # Another kind of file may have anything in these places.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInputError(
            f"that is no saved conversation ({type(error).__name__}: {str(error)[:200]}); load a "
            "file that 'Save' made"
        ) from error
    dialogue.require_content()
    talk = Talk(
        dialogue, rejected=frozenset(rejected), restated=restated, subject=min(subject, restated)
    )
    if _is_id(saved.get("id")):
        talk = dataclasses.replace(talk, id=saved["id"])
    talk.searched.require_content()
    return talk


def _place(place: Any, turns: int) -> int:
    if not isinstance(place, int) or not 0 <= place < turns:
        raise InvalidInputError(f"{place!r} is no place among {turns} turns")
    return place


def _is_id(saved: Any) -> bool:
    return isinstance(saved, str) and _ID.fullmatch(saved) is not None


def _part(kind: Any, phrase: Any) -> Part:
    if kind not in _KINDS or not isinstance(phrase, str) or not phrase.strip():
        raise InvalidInputError(f"[{kind!r}, {phrase!r}] is nothing that could be locked")
    return Part(kind, readable(phrase))


def _require_few(
    turns: list[dict[str, Any]], rejected: list[str], locked: tuple[Part, ...]
) -> None:
    pictures = sum(len(turn.get(name, ())) for turn in turns for name in _IMAGES)
    most = max(pictures, len(rejected), len(locked))
    if len(turns) > _MOST_TURNS or most > _MOST_PICTURES:
        raise InvalidInputError(
            f"{len(turns)} turns with {pictures} pictures; {_MOST_TURNS} with {_MOST_PICTURES} "
            "are the most"
        )


def _turn_as_json(turn: Turn, side: int | None) -> dict[str, Any]:
    images = {name: [data_url(image, side) for image in getattr(turn, name)] for name in _IMAGES}
    return {"role": turn.role, "text": turn.text} | {n: urls for n, urls in images.items() if urls}


def _turn_of(saved: dict[str, Any]) -> Turn:
    images = {name: tuple(map(_picture_of, saved.get(name, ()))) for name in _IMAGES}
    return Turn(saved["role"], readable(saved["text"]), **images)


def _picture_of(url: str) -> Image.Image:
    # One at a time, because small files can hold huge pictures.
    return reduced(image_from_data_url(url))
