"""What happened in one search."""

from __future__ import annotations

from collections.abc import Mapping
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
        negative_prompt: What it was asked to leave out.
        generated: The images that went into the query.
        text_weight: What the caption counted.
        image_weight: What all images together counted.
        shares: Each image's part of the image weight, generated ones first, then the user's.
        timings: Seconds by step: "reformulate", "generate", "encode", "fuse", "search".
        fallbacks: What failed and what was done without it; empty when all went well.
    """

    caption: str = ""
    prompts: tuple[str, ...] = ()
    negative_prompt: str = ""
    generated: tuple[GeneratedImage, ...] = ()
    text_weight: float = 0.0
    image_weight: float = 0.0
    shares: tuple[float, ...] = ()
    timings: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    fallbacks: tuple[str, ...] = ()

    @property
    def cached_count(self) -> int:
        """How many of the generated images had been made before."""
        return sum(image.cached for image in self.generated)

    def as_json(self) -> dict[str, Any]:
        """The trace as plain data, without the pictures."""
        return {
            "caption": self.caption,
            "prompts": list(self.prompts),
            "negative_prompt": self.negative_prompt,
            "generated": len(self.generated),
            "cached": self.cached_count,
            "text_weight": self.text_weight,
            "image_weight": self.image_weight,
            "timings": {step: round(seconds, 4) for step, seconds in self.timings.items()},
            "fallbacks": list(self.fallbacks),
        }
