"""Opening model files: what went wrong, in words that help, and what was opened, as a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dar_retriever.errors import DARError, ModelLoadError

if TYPE_CHECKING:
    import torch

_VALUES_PER_WEIGHT: Final = 64


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


def pickle_refused(model: str, file: str | Path, reason: str = "") -> ModelLoadError:
    """The error that says why a file of weights is not opened.

    Args:
        model: The name, hub id or folder that was asked for.
        file: The pickled file.
        reason: Why there is no other, where that has to be said.
    """
    return ModelLoadError(
        f"the weights of {model!r} are pickled: {str(file)!r}"
        + (f" ({reason[:300]})" if reason else "")
        + ". A pickle can run code when it is opened, so only safetensors files are. Take a "
        "safetensors file, pass pickled_weights=True if you trust where this one is from, or use "
        "the 'demo' preset, which needs no download"
    )


def fingerprint_of(settings: str, *models: torch.nn.Module) -> str:
    """A digest of settings and of every weight's name, shape and some of its values."""
    digest = hashlib.sha256(settings.encode())
    for model in models:
        for name, value in sorted(model.state_dict().items()):
            flat = value.detach().flatten()
            some = flat[:: max(1, len(flat) // _VALUES_PER_WEIGHT)].float().cpu().numpy()
            digest.update(f"{name}{tuple(value.shape)}".encode() + some.tobytes())
    return digest.hexdigest()[:16]
