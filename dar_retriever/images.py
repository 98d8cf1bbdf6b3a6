"""Reading images from anywhere into one form: RGB, upright, complete."""

from __future__ import annotations

import base64
import io
import os
import warnings
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageOps

from dar_retriever.errors import InvalidImageError

MAX_PIXELS: Final = 64_000_000
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
_ANIMATED_FORMATS: Final = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
_WHITE: Final = (255, 255, 255, 255)


def read_image(content: bytes, name: str = "image") -> Image.Image:
    """Decode a still image.

    Args:
        content: The file's bytes, in any format that Pillow reads.
        name: What to call it in errors.

    Returns:
        The image in mode RGB, EXIF orientation applied, transparency laid on white, 16-bit
        values scaled to 8.

    Raises:
        InvalidImageError: Not an image, incomplete, animated, or of more than ``MAX_PIXELS``.
    """
    if not content:
        raise InvalidImageError(f"{name}: the file is empty; replace it")
    try:
        with warnings.catch_warnings():
            # The size is checked below, before any pixel is decoded.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
        _refuse_unfit(image, name)
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except InvalidImageError:
        raise
    except Image.DecompressionBombError as error:
        raise InvalidImageError(f"{name}: {error}; scale it down first") from error
    # Pillow's plugins raise whatever their parser meets in a broken file.
    except Exception as error:
        raise InvalidImageError(
            f"{name}: cannot be read as an image ({type(error).__name__}: {error}); "
            "use a complete JPEG, PNG, WebP, BMP, GIF or TIFF file"
        ) from error


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read an image file; see ``read_image``.

    Raises:
        InvalidImageError: The file cannot be opened, or not read as an image.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InvalidImageError(f"{os.fspath(path)}: {error.strerror}; check the path") from error
    return read_image(content, os.fspath(path))


def image_from_data_url(url: str) -> Image.Image:
    """Read an image from a ``data:image/...;base64,...`` URL.

    Raises:
        InvalidImageError: Another kind of URL, broken base64, or no image in it.
    """
    head, _, payload = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise InvalidImageError(
            f"{url[:60]!r}: only data:image/...;base64 URLs are opened, never remote or local "
            "ones; fetch the image yourself and pass it as PIL image or data URL"
        )
    try:
        content = base64.b64decode(payload, validate=True)
    # binascii.Error is one; text beyond ASCII raises the plain one.
    except ValueError as error:
        raise InvalidImageError(f"{url[:60]!r}: broken base64 ({error}); encode it anew") from error
    return read_image(content, "the image of a data URL")


def data_url(image: Image.Image, side: int | None = None) -> str:
    """An image as a JPEG in a ``data:`` URL, without the metadata of the file it came from.

    Args:
        image: In any mode.
        side: The most pixels of the longer side; as it is by default.
    """
    image = to_rgb(image).copy()
    # Pillow would write a comment that the file had.
    image.info.clear()
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert any of Pillow's modes to RGB without losing what a person sees."""
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
    """Whether an image shows nothing: every pixel of one colour, as safety filters leave it."""
    extrema = image.convert("RGB").getextrema()
    return all(high - low <= tolerance for low, high in extrema)  # type: ignore[misc]


def _refuse_unfit(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise InvalidImageError(
            f"{name}: {width} x {height} pixels are more than {MAX_PIXELS:,}; scale it down first"
        )
    if image.format in _ANIMATED_FORMATS and getattr(image, "is_animated", False):
        frames = getattr(image, "n_frames", 2)
        raise InvalidImageError(f"{name}: animated, {frames} frames; save one of them as a file")
