"""Frames of animations and films, and pages of documents, as pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from PIL import Image, ImageSequence

from dar_retriever.errors import InvalidImageError, MissingExtraError
from dar_retriever.support.colours import to_rgb
from dar_retriever.support.decoding import (
    MAX_PIXELS,
    decode,
    opened_animation,
    require_few_pixels,
)
from dar_retriever.support.extras import needs_extra

FILM_SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"})
DOCUMENT_SUFFIXES: Final = frozenset({".pdf"})
# Of longer animations and films so many frames are taken, evenly spread.
MOST_FRAMES: Final = 32
MOST_SECONDS: Final = 600
MOST_PAGES: Final = 1000
_MOST_DECODED: Final = 32 * MAX_PIXELS
_PAGE_SIDE: Final = 1600
_PDF: Final = b"%PDF-"
_MATROSKA: Final = b"\x1a\x45\xdf\xa3"
# PDFium must not be called by two threads at once.
_PDFIUM: Final = Lock()
_PICTURES: Final = (b"hei", b"hev", b"mif", b"msf", b"avi")


@dataclass(frozen=True, slots=True)
class Still:
    """A frame or a page.

    Attributes:
        image: RGB.
        second: When the frame is shown, in seconds from the start; None of a page.
        page: Number of the page, from 1; None of a frame.
    """

    image: Image.Image
    second: float | None = None
    page: int | None = None


def is_document(content: bytes) -> bool:
    """Whether bytes begin as a PDF does."""
    return content.startswith(_PDF)


def is_film(content: bytes) -> bool:
    """Whether bytes begin as an MP4, QuickTime, Matroska, WebM or AVI film does."""
    boxed = content[4:8] == b"ftyp" and content[8:11] not in _PICTURES
    riff = content.startswith(b"RIFF") and content[8:11] == b"AVI"
    return boxed or riff or content.startswith(_MATROSKA)


def stills(content: bytes, name: str) -> Iterator[Still]:
    """The frames of an animation or film, or the pages of a document, in their order.

    Of an animation at most 32 frames, of a film one a second and at most 600, evenly spread; of a
    document the first 1,000 pages. A picture that does not move has none.

    Args:
        content: The file's bytes.
        name: What to call it in errors.

    Raises:
        InvalidImageError: It cannot be read, or the package that reads it is not installed.
    """
    if is_document(content):
        yield from _pages(content, name, 1, MOST_PAGES)
    elif is_film(content):
        yield from _film(content, name, 0.0)
    else:
        yield from _animation(content, name)


def still_at(
    content: bytes, name: str, second: float | None = None, page: int | None = None
) -> Image.Image:
    """The frame that is shown at a second, or a page; the first one by default.

    Raises:
        InvalidImageError: See ``stills``; or there is no such frame or page.
    """
    if is_document(content):
        found = _pages(content, name, page or 1, 1)
    elif is_film(content):
        found = _film(content, name, second or 0.0)
    elif second:
        found = (still for still in _animation(content, name) if still.second == second)
    else:
        return decode(content, name).image
    still = next(found, None)
    if still is None:
        raise InvalidImageError(f"{name}: no frame at {second} s, no page {page}; index it again")
    return still.image


def _animation(content: bytes, name: str) -> Iterator[Still]:
    with opened_animation(content, name) as image:
        count: int = getattr(image, "n_frames", 1)
        if count == 1:
            return
        most = max(1, _MOST_DECODED // (image.width * image.height))
        wanted = {place * count // MOST_FRAMES for place in range(MOST_FRAMES)}
        passed = 0.0
        for place, frame in enumerate(ImageSequence.Iterator(image)):
            if place >= most:
                return
            if place in wanted or count <= MOST_FRAMES:
                yield Still(to_rgb(frame.copy()), round(passed, 3))
            frame.load()
            passed += float(frame.info.get("duration") or 0) / 1000


def _film(content: bytes, name: str, start: float) -> Iterator[Still]:
    try:
        with needs_extra("video"):
            import av
    except MissingExtraError as error:
        raise InvalidImageError(f"{name}: {error}") from error
    try:
        with av.open(io.BytesIO(content), "r") as film:
            stream = film.streams.video[0]
            require_few_pixels(name, stream.width, stream.height)
            step = max(1.0, float(film.duration or 0) / 1e6 / MOST_SECONDS)
            if start:
                film.seek(int(start * 1e6))
            due = start
            for frame in film.decode(stream):
                # A little early, since times of frames are rounded.
                if frame.time is not None and frame.time > due - 0.001:
                    yield Still(frame.to_image(), round(float(frame.time), 3))
                    due = float(frame.time) + step
    except InvalidImageError:
        raise
    # FFmpeg has an error for everything; a file without pictures has no stream.
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InvalidImageError(
            f"{name}: cannot be read as a film ({type(error).__name__}: {error}); convert it to MP4"
        ) from error


def _pages(content: bytes, name: str, first: int, most: int) -> Iterator[Still]:
    try:
        with needs_extra("pdf"):
            import pypdfium2
    except MissingExtraError as error:
        raise InvalidImageError(f"{name}: {error}") from error
    try:
        with _PDFIUM:
            document: Any = pypdfium2.PdfDocument(content)
            last = min(len(document), first + most - 1)
        for number in range(first, last + 1):
            with _PDFIUM:
                page = document[number - 1]
                scale = _PAGE_SIDE / max(*page.get_size(), 1.0)
                image = to_rgb(page.render(scale=scale).to_pil())
                page.close()
            yield Still(image, page=number)
    except pypdfium2.PdfiumError as error:
        raise InvalidImageError(
            f"{name}: cannot be read as a PDF ({error}); save it again, without a password"
        ) from error
