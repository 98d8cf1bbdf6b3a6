"""Opening model files: what went wrong, in words that help, whichever library opened them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dar_retriever.errors import DARError, ModelLoadError


@contextmanager
def loading(what: str, model: str) -> Iterator[None]:
    """Turn whatever a loader raises into a ModelLoadError.

    Args:
        what: The kind of model, for the message.
        model: The name, hub id or folder that was asked for.
    """
    try:
        yield
    except DARError:
        raise
    # Loaders of four libraries, and of the hub's, raise without a common base.
    except Exception as error:
        reason = (
            f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
        )
        raise ModelLoadError(
            f"{what} {model!r} cannot be opened ({reason[:300]}). Tried it as a local folder and "
            "as a name on the hub. Check the name and the connection, or download it once and "
            "pass its folder; the 'demo' preset needs no download"
        ) from error


def require_folder(what: str, folder: str | Path) -> Path:
    """The folder as a path.

    Raises:
        ModelLoadError: There is no such folder.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ModelLoadError(
            f"{what} folder {str(folder)!r} does not exist; check the path, or use the 'demo' "
            "preset, which needs no download"
        )
    return path
