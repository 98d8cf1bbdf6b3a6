"""Opening model files: helpful errors, and a fingerprint of what was opened."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dar_retriever.errors import DARError, ModelLoadError
from dar_retriever.support.hub import offline_where_needed

if TYPE_CHECKING:
    import torch

_VALUES_PER_WEIGHT: Final = 64


@contextmanager
def loading(what: str, model: str, *, local: bool = False) -> Iterator[None]:
    """Turn whatever a loader raises into a ModelLoadError.

    Args:
        what: The kind of model, for the message.
        model: The name, hub id or folder that the user gave.
        local: Whether it is on this machine, wherever that is.
    """
    local = local or Path(model).exists()
    with offline_where_needed("" if local else model) as offline:
        try:
            yield
        except DARError:
            raise
        # The errors of four libraries and of the hub have no common base class.
        except Exception as error:
            raise _not_opened(what, model, error, offline=offline and not local) from error


def _not_opened(what: str, model: str, error: Exception, *, offline: bool) -> ModelLoadError:
    if offline:
        return ModelLoadError(
            f"{what} {model!r} was not downloaded before, and the model hub cannot be reached. "
            "Connect to the network once, or download it elsewhere and pass its folder; the "
            "'demo' preset needs no download"
        )
    reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    return ModelLoadError(
        f"{what} {model!r} cannot be opened ({reason[:300]}). Tried it as a local folder and "
        "as a name on the hub. Check the name and the connection, or download it once and "
        "pass its folder; the 'demo' preset needs no download"
    )


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
        model: The name, hub id or folder that the user gave.
        file: The pickled file.
        reason: Why no safetensors file was used instead, if that needs an explanation.
    """
    return ModelLoadError(
        f"the weights of {model!r} are pickled: {str(file)!r}"
        + (f" ({reason[:300]})" if reason else "")
        + ". A pickle can run code when it is opened, so only safetensors files are. Take a "
        "safetensors file, pass pickled_weights=True if you trust where this one is from, or use "
        "the 'demo' preset, which needs no download"
    )


def fingerprint_of(settings: str, *models: torch.nn.Module) -> str:
    """A hash of the settings and of the name, shape and some values of every weight."""
    digest = hashlib.sha256(settings.encode())
    for model in models:
        for name, value in sorted(model.state_dict().items()):
            flat = value.detach().flatten()
            some = flat[:: max(1, len(flat) // _VALUES_PER_WEIGHT)].float().cpu().numpy()
            digest.update(f"{name}{tuple(value.shape)}".encode() + some.tobytes())
    return digest.hexdigest()[:16]
