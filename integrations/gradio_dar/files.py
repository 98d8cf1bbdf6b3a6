"""Saves a conversation to a file, and loads it again."""

from __future__ import annotations

import json
from typing import Any, Final

from PIL import Image

from dar_retriever import Dialogue, InvalidImageError, InvalidInputError, Turn
from dar_retriever.support.images import data_url, image_from_data_url
from gradio_dar.talk import Talk, readable, reduced

_FORMAT: Final = "dar-conversation"
_VERSION: Final = 1
_MOST_BYTES: Final = 32 * 2**20
_MOST_TURNS: Final = 200
_MOST_PICTURES: Final = 100
_IMAGES: Final = ("images", "like", "unlike")


def as_file(talk: Talk) -> str:
    """A conversation as JSON, including its pictures."""
    turns = [_turn_as_json(turn) for turn in talk.dialogue.turns]
    head = {"format": _FORMAT, "version": _VERSION}
    return json.dumps({**head, "turns": turns, "rejected": sorted(talk.rejected)}, indent=1)


def from_file(content: bytes) -> tuple[Dialogue, list[str]]:
    """Read a file of ``as_file``.

    Returns:
        The dialogue, and the ids of rejected hits.

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
        _require_few(turns, rejected)
        dialogue = Dialogue(tuple(map(_turn_of, turns)))
    except InvalidImageError:
        raise
    # Another kind of file may have anything in these places.
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInputError(
            f"that is no saved conversation ({type(error).__name__}: {str(error)[:200]}); load a "
            "file that 'Save' made"
        ) from error
    dialogue.require_content()
    return dialogue, rejected


def _require_few(turns: list[dict[str, Any]], rejected: list[str]) -> None:
    pictures = sum(len(turn.get(name, ())) for turn in turns for name in _IMAGES)
    if len(turns) > _MOST_TURNS or max(pictures, len(rejected)) > _MOST_PICTURES:
        raise InvalidInputError(
            f"{len(turns)} turns with {pictures} pictures; {_MOST_TURNS} with {_MOST_PICTURES} "
            "are the most"
        )


def _turn_as_json(turn: Turn) -> dict[str, Any]:
    images = {name: list(map(data_url, getattr(turn, name))) for name in _IMAGES}
    return {"role": turn.role, "text": turn.text} | {n: urls for n, urls in images.items() if urls}


def _turn_of(saved: dict[str, Any]) -> Turn:
    images = {name: tuple(map(_picture_of, saved.get(name, ()))) for name in _IMAGES}
    return Turn(saved["role"], readable(saved["text"]), **images)


def _picture_of(url: str) -> Image.Image:
    # One at a time, because small files can hold huge pictures.
    return reduced(image_from_data_url(url))
