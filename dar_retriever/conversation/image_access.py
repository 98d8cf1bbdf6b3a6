"""Which images a conversation may open: only data URLs, unless more is allowed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes

from PIL import Image

from dar_retriever.errors import InvalidImageError, InvalidInputError
from dar_retriever.support.images import content_of, image_from_data_url, read_image

# A single letter is a drive on Windows.
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]+):(//)?", re.IGNORECASE)
_SHOWN: Final = 60
_WITHOUT_SLASHES: Final = frozenset({"data", "file", "http", "https"})


@dataclass(frozen=True, slots=True)
class ImageAccess:
    """Which paths and URLs from untrusted messages may be opened.

    Pass its ``open`` wherever an ``open_url`` is taken.

    Attributes:
        folders: Files in these folders and their subfolders may be opened, by path or file: URL.
            Symbolic links are followed before the check. Somebody who can write to a folder could
            exchange a link during the check, so allow only folders that your application fills.
        web: Whether http: and https: URLs may be opened.
        private_networks: Whether web addresses may be non-public ones, such as this machine.
        max_bytes: Maximum size of an image from the web.
        seconds: Maximum time for an image from the web, redirects included.
        redirects: Maximum number of redirects; each is checked like the first address.

    Raises:
        InvalidInputError: A limit makes no sense, or ``folders`` is one path instead of a tuple.

    Example:
        >>> from dar_retriever import ImageAccess
        >>> access = ImageAccess(folders=("uploads",), web=True)
        >>> access.open("/etc/passwd")
        Traceback (most recent call last):
        dar_retriever.errors.InvalidImageError: '/etc/passwd': not in a folder that may be ...
    """

    folders: tuple[str | os.PathLike[str], ...] = ()
    web: bool = False
    private_networks: bool = False
    max_bytes: int = 32 * 2**20
    seconds: float = 10.0
    redirects: int = 3

    def __post_init__(self) -> None:
        if isinstance(self.folders, str | os.PathLike):
            raise InvalidInputError(f"folders={self.folders!r}: one path; pass a tuple, (folder,)")
        if self.max_bytes < 1 or not self.seconds > 0 or self.redirects < 0:
            raise InvalidInputError(
                f"max_bytes={self.max_bytes}, seconds={self.seconds}, redirects={self.redirects}: "
                "allow at least 1 byte, more than 0 seconds and 0 or more redirects"
            )
        object.__setattr__(self, "folders", tuple(self.folders))

    def open(self, reference: str) -> Image.Image:
        """Open the image that a path or URL names.

        Args:
            reference: A path, or a data:, file:, http: or https: URL. A data: URL is always
                allowed.

        Returns:
            The image; see ``read_image``.

        Raises:
            InvalidImageError: It may not be opened, cannot be opened, or is not an image.
        """
        if not isinstance(reference, str):
            raise InvalidImageError(f"{str(reference)[:60]!r} is not a str; pass a URL or a path")
        scheme, name = _scheme(reference), _shown(reference)
        if scheme == "data":
            return image_from_data_url(reference)
        if scheme in ("http", "https"):
            return read_image(self._downloaded(reference, name), name)
        path = local_path(reference)
        if path is None:
            raise InvalidImageError(
                f"{name}: neither a data:, file:, http: or https: URL nor a path; use one of them"
            )
        return read_image(self._content(path, name), name)

    def _downloaded(self, url: str, name: str) -> bytes:
        if not self.web:
            raise InvalidImageError(
                f"{name}: nothing is fetched from the web; allow it with ImageAccess(web=True), or "
                "pass the image as a PIL image or data URL"
            )
        from dar_retriever.conversation.download import Limits, download

        limits = Limits(self.max_bytes, self.seconds, self.redirects, self.private_networks)
        return download(url, limits)

    def _content(self, path: str, name: str) -> bytes:
        resolved = self._resolved(path) if self.folders else None
        if resolved is None:
            raise InvalidImageError(
                f"{name}: not in a folder that may be opened; allow its folder with "
                "ImageAccess(folders=(...,)), or pass the image as PIL image or data URL"
            )
        return content_of(resolved, name)

    def _resolved(self, path: str) -> Path | None:
        """The path with links followed, if it is in one of the folders."""
        try:
            resolved = Path(path).resolve()
            folders = [Path(folder).resolve() for folder in self.folders]
        # Circular links, a null byte, or characters that no file system allows.
        except (OSError, RuntimeError, ValueError):
            return None
        return resolved if any(map(resolved.is_relative_to, folders)) else None


def local_path(reference: str) -> str | None:
    """The local path that a reference names.

    Args:
        reference: A path or a URL. A file: URL (RFC 8089) is percent-decoded byte by byte; bytes
            that are not UTF-8 become surrogates, as in Python's file names.

    Returns:
        The path, or None if the reference does not name a file on this machine.
    """
    scheme = _scheme(reference)
    if scheme is None:
        return reference
    if scheme != "file":
        return None
    path = reference.partition(":")[2]
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            return None
        path = slash + rest
    return os.fsdecode(unquote_to_bytes(path.encode("utf-8", "surrogatepass")))


def _shown(reference: str) -> str:
    """A reference shortened for messages: its beginning, and the name at its end."""
    half = _SHOWN // 2
    long = len(reference) > _SHOWN
    return repr(f"{reference[:half]}...{reference[-half:]}" if long else reference)


def _scheme(reference: str) -> str | None:
    """The scheme of a URL in lower case; None for a path, even if it has a colon in it."""
    match = _SCHEME.match(reference)
    if match is None or not (match[2] or match[1].lower() in _WITHOUT_SLASHES):
        return None
    return match[1].lower()
