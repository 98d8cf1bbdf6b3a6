"""Whether files are gone, told apart from files that cannot be looked at."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

# No file can have such a name, or nothing leads to it.
_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def is_gone(path: str | os.PathLike[str]) -> bool:
    """Whether there is no file of this path. One that cannot be looked at is not gone."""
    return _is_no(path, stat.S_ISREG)


def is_folder_gone(path: str | os.PathLike[str]) -> bool:
    """Whether there is no folder of this path. One that cannot be looked at is not gone."""
    return _is_no(path, stat.S_ISDIR)


def _is_no(path: str | os.PathLike[str], kind: Callable[[int], bool]) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except ValueError:
        return True
    # A missing right, or a share that does not answer: pathlib raises what it does not expect.
    except OSError as error:
        return error.errno in _NOWHERE
    return not kind(mode)
