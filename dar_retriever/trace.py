"""The trace: a record of one search."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dar_retriever.generation.base import GeneratedImage
from dar_retriever.support.spans import span
from dar_retriever.support.threads import stop_requested


@dataclass(frozen=True, slots=True)
class Trace:
    """A record of one search, for people and for logs.

    Attributes:
        caption: The caption that the text encoder read.
        prompts: The prompts for the generator.
        exclusions: Phrases for what the wanted image does not show.
        exclusion_weights: How much each of the last exclusions counted in the query.
        generated: The generated images in the query.
        text_weight: Weight of the caption, combined with reference images if there are any.
        image_weight: Weight of all generated images together.
        shares: Each generated image's share of the image weight.
        reasons: Explanations of the number of images and of their weights.
        reference_captions: Captions of the user's reference images.
        timings: Seconds by step: "reformulate", "caption", "sample", "spend", "generate", "encode",
            "fuse", "search", "rank", "judge".
        fallbacks: What failed, and what was done instead; empty if all went well.
        only: Filters that came from the user's words, as phrases such as "price at most 50".
        left_out: Words that a picture cannot show and that did not become a filter, with reasons.
        agreed: What samples and drawings of what is meant agree on: ("mug", "blue").
        open: What they differ in, the widest first: ("pattern", "background").
        refined: What none of the first hits showed, so that it was drawn and searched once more.
    """

    caption: str = ""
    prompts: tuple[str, ...] = ()
    exclusions: tuple[str, ...] = ()
    exclusion_weights: tuple[float, ...] = ()
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
    agreed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    refined: tuple[str, ...] = ()

    @property
    def spread(self) -> str:
        """Both in words: "agreed: mug, blue; open: pattern"; empty if nothing is known."""
        parts = (("agreed", self.agreed), ("open", self.open))
        return "; ".join(f"{name}: {', '.join(some)}" for name, some in parts if some)

    @property
    def understood(self) -> str:
        """What was understood, in words: "a mug, not: dots"; empty where nothing was said."""
        excluded = f"not: {', '.join(self.exclusions)}" if self.exclusions else ""
        return ", ".join(filter(None, (self.caption, excluded)))

    @property
    def negative_prompt(self) -> str:
        """The exclusions as one text, for image generators."""
        return ", ".join(self.exclusions)

    @property
    def cached_count(self) -> int:
        """Number of generated images that came from the cache."""
        return sum(image.cached for image in self.generated)

    def as_json(self) -> dict[str, Any]:
        """The trace as plain data, without the pictures."""
        return {
            "caption": self.caption,
            "reference_captions": list(self.reference_captions),
            "prompts": list(self.prompts),
            "exclusions": list(self.exclusions),
            "exclusion_weights": [round(weight, 4) for weight in self.exclusion_weights],
            "only": list(self.only),
            "left_out": list(self.left_out),
            "agreed": list(self.agreed),
            "open": list(self.open),
            "refined": list(self.refined),
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
        logger: The logger.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._warned: set[str] = set()

    def __call__(self, what: str) -> None:
        """Warn, unless the text before the first colon was logged before."""
        kind = what.split(":", maxsplit=1)[0]
        if kind not in self._warned:
            self._warned.add(kind)
            self._logger.warning("%s (further cases are only in the traces)", what)


@dataclass(slots=True)
class Recorder:
    """Collects the parts of a trace.

    Attributes:
        warn: Called with every fallback.
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
        """Measure a block and add its duration to the step's time."""
        began = time.perf_counter()
        try:
            with span(f"dar.{step}"):
                yield
        finally:
            self.timings[step] = self.timings.get(step, 0.0) + time.perf_counter() - began

    def fall_back(self, *whats: str) -> None:
        """Record what failed, and what was done instead.

        If nobody waits for the search any more, it was stopped rather than failed: no warning.
        """
        for what in whats:
            self.fallbacks.append(what)
            if not stop_requested():
                self.warn(what)


def of_error(error: Exception) -> str:
    """The text of an error for a trace."""
    return short(f"{type(error).__name__}: {error}")


def short(text: str) -> str:
    """A text, shortened for a trace."""
    return text[:300]
