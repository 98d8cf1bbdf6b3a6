"""Which files are images, by their names and by their first bytes."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Final

from PIL import Image

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.extras import needs_extra

HEIF_SUFFIXES: Final = frozenset({".heic", ".heif", ".hif"})
SUFFIXES: Final = HEIF_SUFFIXES | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".png", ".apng", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"),
}
WANTED: Final = "use a complete JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC file"
# Pillow knows forty more, and some start programs (Ghostscript for EPS). JPEG includes MPO.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_JPEG: Final = b"\xff\xd8\xff"
_STARTS: Final = (_JPEG, b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM")
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_BOXES: Final = frozenset({b"hei", b"mif", b"avi"})
_HEAD: Final = 64


def is_jpeg(content: bytes) -> bool:
    """Whether bytes begin as a JPEG does."""
    return content.startswith(_JPEG)


def is_heif(content: bytes) -> bool:
    """Whether bytes begin as a HEIC or HEIF file does, and not as an AVIF."""
    if content[4:8] != b"ftyp":
        return False
    # AVIF names the general brands too.
    size = min(int.from_bytes(content[:4]), _HEAD)
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, size, 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS


def is_image_by_content(path: Path) -> bool:
    """Whether a file without a suffix begins as an image does; false if it cannot be read."""
    try:
        if not path.is_file():
            return False
        with open(path, "rb", opener=_without_waiting) as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return False
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    boxed = head[4:8] == b"ftyp" and head[8:11] in _BOXES
    return webp or boxed or head.startswith(_STARTS)


@cache
def formats() -> tuple[str, ...]:
    """The formats of Pillow that are opened."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def open_heif(name: str) -> str:
    """Make Pillow able to open HEIC and HEIF, and return its name of the format.

    Raises:
        InvalidImageError: The package for it is not installed.
    """
    try:
        with needs_extra("heif"):
            import pillow_heif
    except ImportError as error:
        raise InvalidImageError(
            f"{name}: HEIC and HEIF need a package that is not installed; run pip install "
            "'dar-retriever[heif]', or save it as JPEG"
        ) from error
    pillow_heif.register_heif_opener(thumbnails=False)
    return "HEIF"


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
