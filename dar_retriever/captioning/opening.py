"""Captioners by name, for the command line."""

from __future__ import annotations

import importlib
import re
from typing import Final

from dar_retriever.captioning.base import Captioner
from dar_retriever.captioning.ocr import OcrCaptioner
from dar_retriever.captioning.transformers import TransformersCaptioner
from dar_retriever.errors import InvalidInputError

_FUNCTION: Final = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_]\w*)")


def open_captioner(name: str, device: str | None = None) -> Captioner:
    """A captioner by name.

    Args:
        name: "ocr"; a function as MODULE:FUNCTION, which may be a ``ChatCaptioner`` as well; or a
            hub id or folder of a model of transformers.
        device: Device of a model of transformers.

    Raises:
        InvalidInputError: There is no such function.
        MissingExtraError: The extra ocr is not installed.
        ModelLoadError: There is no such model.
    """
    if name == OcrCaptioner.name:
        return OcrCaptioner()
    if (named := _FUNCTION.fullmatch(name)) is None:
        return TransformersCaptioner(name, device=device)
    try:
        found = getattr(importlib.import_module(named[1]), named[2])
    except (ImportError, AttributeError) as error:
        raise InvalidInputError(
            f"captions={name!r}: {error}; write MODULE:FUNCTION, where Python finds the module "
            "(PYTHONPATH=. for one in this folder)"
        ) from error
    if not callable(found):
        raise InvalidInputError(f"captions={name!r} is {type(found).__name__}, no function")
    captioner: Captioner = found
    return captioner
