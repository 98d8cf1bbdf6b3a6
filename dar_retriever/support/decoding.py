"""Decodes image files within limits, however they were made."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.colours import in_srgb, to_rgb
from dar_retriever.support.image_kinds import WANTED, formats, is_heif, is_jpeg, open_heif
from dar_retriever.support.photo_data import photo_data

MAX_PIXELS: Final = 64_000_000
# A JPEG of up to this many is read at half, a quarter or an eighth of its size.
MAX_JPEG_PIXELS: Final = 256_000_000
MAX_BYTES: Final = 256 * 2**20
_ANIMATED_FORMATS: Final = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
# Each scan of a progressive JPEG visits every pixel, and a file can add one with 100 bytes. Usual
# files have about 14.
_MAX_SCANNED_PIXELS: Final = 256 * MAX_PIXELS
# A JPEG cannot say less about so many pixels.
_PIXELS_A_BYTE: Final = 1000
_START_OF_SCAN: Final = b"\xff\xda"
_READS: Final = 10_000
_BYTES_A_READ: Final = 64


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image.

    Attributes:
        image: The image in mode RGB, upright, in sRGB; it may be smaller than the file's.
        width: Width of the file's image, upright.
        height: Height of the file's image, upright.
        animated: Whether it is the first frame of several.
        photo: What the camera wrote; see ``photo_data``.
    """

    image: Image.Image
    width: int
    height: int
    animated: bool = False
    photo: dict[str, str | int | float] = field(default_factory=dict)


def decode(content: bytes, name: str = "image", side: int | None = None) -> Decoded:
    """Decode an image; of an animation, the first frame.

    A JPEG can be decoded at half, a quarter or an eighth of its size, with far less work.

    Args:
        content: The file's bytes: JPEG (MPO too, the first picture), PNG, WebP, GIF, BMP, TIFF
            (the first page), AVIF if Pillow was built with it, or HEIC with the extra "heif".
            Bytes after the image are ignored.
        name: What to call it in errors.
        side: Each side keeps at least this many pixels; the full size by default.

    Raises:
        InvalidImageError: The content is not an image of these formats, is incomplete, has more
            than ``MAX_PIXELS`` (``MAX_JPEG_PIXELS`` if it is a JPEG) or ``MAX_BYTES``, or was built
            to take very long to decode.
    """
    if not content:
        raise InvalidImageError(f"{name}: the file is empty; replace it")
    if len(content) > MAX_BYTES:
        raise too_large(name, len(content))
    with _image_errors(name):
        return _decoded(_Metered(content, name), content, name, side)


@contextmanager
def opened_animation(content: bytes, name: str) -> Iterator[Image.Image]:
    """An image whose frames can be read one by one, while the block lasts; see ``decode``.

    Raises:
        InvalidImageError: The content is not an image, or is beyond the limits.
    """
    with _image_errors(name):
        image = _opened(_Metered(content, name), content, name)
        _refuse_unfit(image, content, name)
        yield image


@contextmanager
def _image_errors(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidImageError:
        raise
    # Users may have turned warnings into errors.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InvalidImageError(f"{name}: {error}; scale it down first") from error
    except UnidentifiedImageError as error:
        raise InvalidImageError(f"{name}: cannot be read as an image; {WANTED}") from error
    # On a broken file Pillow's plugins can raise anything.
    except Exception as error:
        raise InvalidImageError(
            f"{name}: cannot be read as an image ({type(error).__name__}: {error}); {WANTED}"
        ) from error


def too_large(name: str, size: int) -> InvalidImageError:
    """The error for a file of too many bytes."""
    return InvalidImageError(
        f"{name}: {size:,} bytes are more than {MAX_BYTES:,}; save it smaller or compressed"
    )


def require_few_pixels(name: str, width: int, height: int) -> None:
    """Refuse a picture of more than ``MAX_PIXELS``.

    Raises:
        InvalidImageError: It has more.
    """
    if width * height > MAX_PIXELS:
        raise _too_many_pixels(name, width, height)


def _decoded(file: _Metered, content: bytes, name: str, side: int | None) -> Decoded:
    image = _opened(file, content, name)
    _refuse_unfit(image, content, name)
    animated = image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False)
    if image.format == "BMP":
        # Pillow reads run-length encoded pixels byte by byte.
        file.reads_left += len(content)
    width, height = image.size
    scale = _scale(width * height)
    if side is not None or scale > 1:
        wanted = (width // scale, height // scale)
        image.draft(None, (min(side or width, wanted[0]), min(side or height, wanted[1])))
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(name, width, height)
    stored = image.size
    image.load()
    photo = photo_data(image)
    upright = ImageOps.exif_transpose(image)
    if upright.size != stored:
        width, height = height, width
    return Decoded(to_rgb(in_srgb(upright)), width, height, animated, photo)


def _opened(file: _Metered, content: bytes, name: str) -> Image.Image:
    if is_jpeg(content):
        # Image.open would refuse the largest photographs, which are read at a reduced size here.
        return JpegImagePlugin.jpeg_factory(file)
    chosen = (open_heif(name),) if is_heif(content) else formats()
    return Image.open(file, formats=chosen)


def _refuse_unfit(image: Image.Image, content: bytes, name: str) -> None:
    width, height = image.size
    if image.format not in ("JPEG", "MPO"):
        require_few_pixels(name, width, height)
        return
    if width * height > MAX_JPEG_PIXELS:
        raise _too_many_pixels(name, width, height)
    if width * height > MAX_PIXELS and image.info.get("progressive"):
        raise InvalidImageError(
            f"{name}: a progressive JPEG of {width} x {height} pixels has to be decoded whole; "
            "save it as a usual JPEG, or scale it down first"
        )
    if width * height > _PIXELS_A_BYTE * len(content):
        raise InvalidImageError(
            f"{name}: too short for {width} x {height} pixels; {WANTED}, or scale it down first"
        )
    scans = content.count(_START_OF_SCAN)
    if scans * width * height > _MAX_SCANNED_PIXELS:
        raise InvalidImageError(
            f"{name}: {scans} scans of {width} x {height} pixels; save it as a usual JPEG"
        )


def _scale(pixels: int) -> int:
    """The number that sides are divided by: 1, 2, 4 or 8."""
    return next((scale for scale in (1, 2, 4) if pixels <= MAX_PIXELS * scale**2), 8)


def _too_many_pixels(name: str, width: int, height: int) -> InvalidImageError:
    return InvalidImageError(
        f"{name}: {width} x {height} pixels are more than {MAX_PIXELS:,}; scale it down first"
    )


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
