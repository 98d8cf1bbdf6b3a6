"""Reads images from any source into one form: RGB, upright, complete."""

from __future__ import annotations

import base64
import io
import os
import stat
from typing import Final

from PIL import Image

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.colours import to_rgb
from dar_retriever.support.decoding import MAX_BYTES, MAX_PIXELS, decode, too_large

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "content_of",
    "data_url",
    "image_from_data_url",
    "is_blank",
    "open_image",
    "printable",
    "read_file",
    "read_image",
    "to_rgb",
]

_LONGEST_NAME: Final = 200
# Opening a named pipe would wait until somebody writes to it. Windows has neither flag.
_OPTIONS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def read_image(content: bytes, name: str = "image") -> Image.Image:
    """Decode an image; see ``decode``.

    Args:
        content: The file's bytes.
        name: What to call it in errors.

    Returns:
        The image in mode RGB. EXIF orientation is applied, colours are converted to sRGB,
        transparency becomes white, and 16-bit values are scaled to 8 bits. A JPEG of more than
        ``MAX_PIXELS`` comes at a reduced size.

    Raises:
        InvalidImageError: The content cannot be read as an image, or is beyond the limits.
    """
    return decode(content, name).image


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read an image file; see ``read_file`` and ``read_image``.

    Raises:
        InvalidImageError: The file cannot be opened, or is not a readable image.
    """
    return read_image(read_file(path), printable(path))


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read the bytes of a file that may be an image; see ``content_of``.

    Raises:
        InvalidImageError: The file cannot be opened, is not a regular file, or has more than
            ``MAX_BYTES``.
    """
    return content_of(path, printable(path))


def content_of(path: str | os.PathLike[str], name: str) -> bytes:
    """Read the bytes of a regular file of at most ``MAX_BYTES``.

    This never blocks: pipes, sockets and devices are refused before a byte is read. Bytes that are
    appended while the file is read are left out.

    Args:
        path: The file.
        name: What to call it in errors.

    Raises:
        InvalidImageError: The file cannot be opened, is not a regular file, or is larger.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            _refuse_unreadable(status, name)
            return file.read(status.st_size)
    except InvalidImageError:
        raise
    except OSError as error:
        raise InvalidImageError(f"{name}: {error.strerror}; check the path") from error
    # A null byte, or characters that no file system allows.
    except ValueError as error:
        raise InvalidImageError(f"{name}: not a valid path ({error}); check it") from error


def printable(path: str | os.PathLike[str]) -> str:
    """A path for messages: always printable, and shortened in the middle if it is long."""
    name = os.fspath(path).encode("utf-8", "backslashreplace").decode()
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"


def image_from_data_url(url: str) -> Image.Image:
    """Read an image from a ``data:image/...;base64,...`` URL.

    Raises:
        InvalidImageError: The URL is of another kind, its base64 is broken, or it is not an image.
    """
    head, _, payload = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InvalidImageError(
            f"{url[:60]!r}: only data:image/...;base64 URLs are opened, no remote or local ones; "
            "fetch the image yourself and pass it as a PIL image or data URL, or allow folders or "
            "the web with open_url=ImageAccess(...).open"
        )
    try:
        content = base64.b64decode(payload, validate=True)
    # Broken base64 raises binascii.Error, a subclass; text beyond ASCII raises ValueError itself.
    except ValueError as error:
        raise InvalidImageError(
            f"{url[:60]!r}: broken base64 ({error}); encode it again"
        ) from error
    return read_image(content, "the image of a data URL")


def data_url(image: Image.Image, side: int | None = None, most_bytes: int | None = None) -> str:
    """An image as a JPEG in a ``data:`` URL, without the metadata of its original file.

    Args:
        image: An image in any mode.
        side: Scale the longer side down to this many pixels; unchanged by default.
        most_bytes: Scale it down until the JPEG has at most so many bytes.
    """
    image = to_rgb(image).copy()
    # Pillow would copy a comment of the original file.
    image.info.clear()
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = _jpeg(image)
    while most_bytes and len(content) > most_bytes and max(image.size) > 1:
        # A little smaller than what the size would suggest, since small pictures pack less well.
        share = 0.9 * (most_bytes / len(content)) ** 0.5
        side = max(1, int(max(image.size) * share))
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        content = _jpeg(image)
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _jpeg(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return content.getvalue()


def is_blank(image: Image.Image, tolerance: int = 4) -> bool:
    """Whether all pixels have the same colour, as in images that a safety filter blanked out."""
    extrema = image.convert("RGB").getextrema()
    return all(high - low <= tolerance for low, high in extrema)  # type: ignore[misc]


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | _OPTIONS)


def _refuse_unreadable(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidImageError(f"{name}: a pipe, socket or device; name the image file itself")
    if status.st_size > MAX_BYTES:
        raise too_large(name, status.st_size)
