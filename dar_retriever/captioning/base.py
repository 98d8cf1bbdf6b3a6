"""What a captioner is: any function, which may have a name, and a way to take many pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from PIL import Image

Captioner: TypeAlias = Callable[[Image.Image], str]
"""Puts an RGB image into words. What it says is marked with its ``name``, if it has one."""

Captioned: TypeAlias = str | Exception


@runtime_checkable
class BatchCaptioner(Protocol):
    """A captioner that is faster with many pictures at once. Any ``Captioner`` will do as well."""

    def __call__(self, image: Image.Image, /) -> str:
        """A caption of one RGB image."""
        ...

    def captions(self, images: Sequence[Image.Image]) -> Sequence[Captioned]:
        """A caption of each RGB image, or the error why there is none."""
        ...


def captioner_name(captioner: Captioner) -> str:
    """What a captioner's captions are marked with.

    That is its ``name``, or the name of the function or class.
    """
    name = getattr(captioner, "name", None) or getattr(captioner, "__name__", None)
    return str(name or type(captioner).__name__)


def captions_of(captioner: Captioner, images: Sequence[Image.Image]) -> list[Captioned]:
    """A captioner's captions of some images, each in one line, or the error why there is none.

    An empty caption says that there is nothing to say of an image.
    """
    if isinstance(captioner, BatchCaptioner):
        try:
            made = list(captioner.captions(images))
        # The captioner may be third-party code or a remote service.
        except Exception as error:
            made = [error]
        if len(made) == len(images):
            return [_line(each) for each in made]
    # One picture that fails is not to cost the others their captions.
    return [_line(_of_one(captioner, image)) for image in images]


def _of_one(captioner: Captioner, image: Image.Image) -> Captioned:
    try:
        return captioner(image)
    except Exception as error:
        return error


def _line(caption: object) -> Captioned:
    if isinstance(caption, Exception):
        return caption
    if not isinstance(caption, str):
        return TypeError(f"{caption!r} is not a caption")
    return " ".join("".join(c if c.isprintable() else " " for c in caption).split())
