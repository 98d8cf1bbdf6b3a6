"""The texts that language models are given, each in a file of its own beside this one."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Final

from dar_retriever.errors import InvalidInputError

FOLDER: Final = Path(__file__).parent


def instructions(name: str, own: str | Path | None = None, **values: object) -> str:
    """A text with its ``$placeholders`` filled in.

    Args:
        name: Of the text that this package has, the file's name without ".txt".
        own: A text in its place, or the file that holds one.
        **values: By placeholder. A text may leave placeholders out.

    Raises:
        InvalidInputError: The file cannot be read, or the text has a placeholder that there is no
            value for.
    """
    source = FOLDER / f"{name}.txt" if own is None else own
    try:
        text = source.read_text("utf-8") if isinstance(source, Path) else source
        return Template(text).substitute({key: str(value) for key, value in values.items()}).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{str(source)!r} cannot be read ({error}); pass a text, or a file in UTF-8"
        ) from error
    except (KeyError, ValueError) as error:
        raise InvalidInputError(
            f"the instructions have a $ that stands for nothing ({error}); there are "
            f"{', '.join('$' + key for key in values)}, and $$ is a dollar sign"
        ) from error
