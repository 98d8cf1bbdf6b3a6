"""Draws what is meant; whatever fails is recorded, and the search goes on without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from dar_retriever.generation.base import (
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    StartingPicture,
    usable_images,
)
from dar_retriever.support.deadline import call_within
from dar_retriever.trace import Recorder, of_error

Starts: TypeAlias = Callable[[], Sequence[StartingPicture]]


def found_starts(starts: Starts | None, record: Recorder) -> Sequence[StartingPicture]:
    """The pictures to draw from; none if they cannot be found."""
    try:
        return starts() if starts else ()
    # Images can be drawn from noise.
    except Exception as error:
        record.fall_back(f"no picture was found to draw from: {of_error(error)}")
        return ()


def draw(
    generator: ImageGenerator,
    requests: Sequence[ImageRequest],
    limit: float | None,
    record: Recorder,
) -> list[GeneratedImage]:
    """The usable images that a generator makes.

    Args:
        generator: The generator.
        requests: At least one request.
        limit: Seconds to wait; None for no limit.
        record: Collects timings, reasons and fallbacks.
    """
    try:
        with record.timed("generate"):
            made = list(call_within(limit, lambda: generator.generate(requests)))
    # The generator may be third-party code or a remote service.
    except Exception as error:
        record.fall_back(f"generation failed, the text alone was used: {of_error(error)}")
        return []
    images, wrong = usable_images(made, len(requests))
    record.fall_back(*wrong)
    if any(request.start for request in requests):
        begun = sum(bool(image.start) for image in images)
        record.reasons.append(f"{begun} of {len(images)} images were drawn from pictures")
    return images
