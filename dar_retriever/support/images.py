"""Reads images from any source into one form: RGB, upright, complete."""

from __future__ import annotations

import base64
import io
import os
import stat
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dar_retriever.errors import InvalidImageError

MAX_PIXELS: Final = 64_000_000
MAX_BYTES: Final = 256 * 2**20
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
)
# Pillow knows forty more, and some start programs (Ghostscript for EPS). JPEG includes MPO.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ANIMATED_FORMATS: Final = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_WANTED: Final = "use a complete JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file"
_WHITE: Final = (255, 255, 255, 255)
# Each scan of a progressive JPEG visits every pixel, and a file can add one with 100 bytes. Usual
# files have about 14.
_MAX_SCANNED_PIXELS: Final = 256 * MAX_PIXELS
_START_OF_SCAN: Final = b"\xff\xda"
_READS: Final = 10_000
_BYTES_A_READ: Final = 64
_LONGEST_NAME: Final = 200
# Opening a named pipe would wait until somebody writes to it. Windows has neither flag.
_OPTIONS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def read_image(content: bytes, name: str = "image") -> Image.Image:
    """Decode a still image.

    Args:
        content: The file's bytes: JPEG (MPO too, the first picture), PNG, WebP, GIF, BMP, TIFF
            (the first page), or AVIF if Pillow was built with it. Bytes after the image are
            ignored.
        name: What to call it in errors.

    Returns:
        The image in mode RGB. EXIF orientation is applied, transparency becomes white, and 16-bit
        values are scaled to 8 bits.

    Raises:
        InvalidImageError: The content is not an image of these formats, is incomplete or
            animated, has more than ``MAX_PIXELS`` or ``MAX_BYTES``, or was built to take very
            long to decode.
    """
    return read_reduced(content, name)[0]


def read_reduced(
    content: bytes, name: str = "image", side: int | None = None
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a still image at a reduced size if its format has a quick way to do so.

    A JPEG can be decoded at half, a quarter or an eighth of its size, with far less work.

    Args:
        content: See ``read_image``.
        name: See ``read_image``.
        side: Each side keeps at least this many pixels; the full size by default.

    Returns:
        The image as ``read_image`` returns it, possibly smaller, and its original width and height.

    Raises:
        InvalidImageError: See ``read_image``.
    """
    if not content:
        raise InvalidImageError(f"{name}: the file is empty; replace it")
    if len(content) > MAX_BYTES:
        raise _too_large(name, len(content))
    try:
        file = _Metered(content, name)
        image = Image.open(file, formats=_formats())
        _refuse_unfit(image, content, name)
        if image.format == "BMP":
            # Pillow reads run-length encoded pixels byte by byte.
            file.reads_left += len(content)
        size = image.size
        if side is not None:
            image.draft(None, (side, side))
        stored = image.size
        image.load()
        upright = ImageOps.exif_transpose(image)
        return to_rgb(upright), size if upright.size == stored else size[::-1]
    except InvalidImageError:
        raise
    # Users may have turned warnings into errors.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidImageError(f"{name}: {error}; scale it down first") from error
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"{name}: cannot be read as an image; {_WANTED}") from error
    # On a broken file Pillow's plugins can raise anything.
    except Exception as error:
        raise InvalidImageError(
            f"{name}: cannot be read as an image ({type(error).__name__}: {error}); {_WANTED}"
        ) from error


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


def data_url(image: Image.Image, side: int | None = None) -> str:
    """An image as a JPEG in a ``data:`` URL, without the metadata of its original file.

    Args:
        image: An image in any mode.
        side: Scale the longer side down to this many pixels; unchanged by default.
    """
    image = to_rgb(image).copy()
    # Pillow would copy a comment of the original file.
    image.info.clear()
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB so that it looks the same."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        top = 65535 if image.mode != "F" else max(1.0, float(values.max(initial=0)))
        scaled = (values.clip(0, top) * (255 / top)).astype(np.uint8)
        return Image.fromarray(scaled).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        layers = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layers.size, _WHITE), layers).convert("RGB")
    return image.convert("RGB")


def is_blank(image: Image.Image, tolerance: int = 4) -> bool:
    """Whether all pixels have the same colour, as in images that a safety filter blanked out."""
    extrema = image.convert("RGB").getextrema()
    return all(high - low <= tolerance for low, high in extrema)  # type: ignore[misc]


class _Metered(io.BytesIO):
    """A file in memory that raises an error when it is read in too many small pieces.

    A file of millions of empty segments or chunks makes Pillow's parsers use a hundred times the
    file's size in memory and seconds for every megabyte. In normal files each read takes a few
    hundred bytes.
    """

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self._name = name
        self.reads_left = _READS + len(content) // _BYTES_A_READ

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise InvalidImageError(f"{self._name}: made of too many small pieces; save it again")
        return super().read(size)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | _OPTIONS)


def _refuse_unreadable(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidImageError(f"{name}: a pipe, socket or device; name the image file itself")
    if status.st_size > MAX_BYTES:
        raise _too_large(name, status.st_size)


def _refuse_unfit(image: Image.Image, content: bytes, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InvalidImageError(
            f"{name}: {width} x {height} pixels are more than {MAX_PIXELS:,}; scale it down first"
        )
    # How many frames is not asked: a GIF would be read to its end.
    if image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        raise InvalidImageError(f"{name}: animated; save one of its frames as a file")
    scans = content.count(_START_OF_SCAN) if image.format in ("JPEG", "MPO") else 0
    if scans * width * height > _MAX_SCANNED_PIXELS:
        raise InvalidImageError(
            f"{name}: {scans} scans of {width} x {height} pixels; save it as a usual JPEG"
        )


def _too_large(name: str, size: int) -> InvalidImageError:
    return InvalidImageError(
        f"{name}: {size:,} bytes are more than {MAX_BYTES:,}; save it smaller or compressed"
    )
