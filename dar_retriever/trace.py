"""What happened in one search."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dar_retriever.generation.base import GeneratedImage


@dataclass(frozen=True, slots=True)
class Trace:
    """How a dialogue became a query, for people and for logs.

    Attributes:
        caption: What the text encoder read.
        prompts: What the generator was asked for.
        exclusions: What the wanted image does not show, a phrase each.
        generated: The images that went into the query.
        text_weight: What the caption counted, composed with the references if any.
        image_weight: What all generated images together counted.
        shares: Each generated image's part of the image weight.
        reasons: Why as many images were generated, and why they got their weights.
        reference_captions: What the user's reference images were taken to show.
        timings: Seconds by step: "reformulate", "caption", "spend", "generate", "encode", "fuse",
            "search", "judge".
        fallbacks: What failed and what was done without it; empty when all went well.
        only: What the hits were filtered by because of words, a phrase each: "price at most 50".
        left_out: Words that no picture shows and that became no filter, and why.
    """

    caption: str = ""
    prompts: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    generated: tuple[GeneratedImage, ...] = ()
    text_weight: float = 0.0
    image_weight: float = 0.0
    shares: tuple[float, ...] = ()
    reasons: tuple[str, ...] = ()
    reference_captions: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fallbacks: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def negative_prompt(self) -> str:
        """The exclusions as one text, as image generators take it."""
        return ", ".join(self.exclusions)

    @property
    def cached_count(self) -> int:
        """How many of the generated images had been made before."""
        return sum(image.cached for image in self.generated)

    def as_json(self) -> dict[str, Any]:
        """The trace as plain data, without the pictures."""
        return {
            "caption": self.caption,
            "reference_captions": list(self.reference_captions),
            "prompts": list(self.prompts),
            "exclusions": list(self.exclusions),
            "only": list(self.only),
            "left_out": list(self.left_out),
            "generated": len(self.generated),
            "cached": self.cached_count,
            "text_weight": self.text_weight,
            "image_weight": self.image_weight,
            "shares": [round(share, 4) for share in self.shares],
            "reasons": list(self.reasons),
            "timings": {step: round(seconds, 4) for step, seconds in self.timings.items()},
            "fallbacks": list(self.fallbacks),
        }


class WarnOnce:
    """Logs a warning for the first fallback of each kind.

    Args:
        logger: Where it goes.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._warned: set[str] = set()

    def __call__(self, what: str) -> None:
        """Warn, unless the same was said before; what follows a colon does not count."""
        kind = what.split(":", maxsplit=1)[0]
        if kind not in self._warned:
            self._warned.add(kind)
            self._logger.warning("%s (further cases are only in the traces)", what)


@dataclass(slots=True)
class Recorder:
    """What one encoding collects for its trace.

    Attributes:
        warn: Told of every fallback.
        timings: Seconds by step.
        fallbacks: See ``Trace``.
        reasons: See ``Trace``.
    """

    warn: Callable[[str], None]
    timings: dict[str, float] = field(default_factory=dict)
    fallbacks: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of a step to what the step took before."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timings[step] = self.timings.get(step, 0.0) + time.perf_counter() - began

    def fall_back(self, what: str) -> None:
        """Note what failed and what was done without it."""
        self.fallbacks.append(what)
        self.warn(what)


def of_error(error: Exception) -> str:
    """An error in a trace."""
    return short(f"{type(error).__name__}: {error}")


def short(text: str) -> str:
    """A text in a trace."""
    return text[:300]
