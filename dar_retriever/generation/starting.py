"""Lets a text-to-image pipeline of diffusers draw from pictures, with the same weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Hashable, Sequence
from typing import Any

from PIL import Image, ImageOps

from dar_retriever.generation.base import ImageRequest, StartingPicture


class StartingPipeline:
    """The image-to-image pipeline of a text-to-image one; both share all parts.

    Most pipelines begin with the picture under noise (SDEdit; Meng et al., arXiv 2108.01073). Those
    that read reference images, such as FLUX.2 and FLUX.1 Kontext, begin with noise and look at the
    picture while they draw.

    Args:
        pipeline: The text-to-image pipeline.
        options: What it is called with: "num_inference_steps", and "width" and "height" if set.

    Attributes:
        pipeline: The image-to-image pipeline.
        takes: The names of its arguments.

    Raises:
        ValueError: Diffusers has no image-to-image pipeline for it.
    """

    def __init__(self, pipeline: Any, options: dict[str, Any]) -> None:
        from diffusers import AutoPipelineForImage2Image

        self.pipeline = AutoPipelineForImage2Image.from_pipe(pipeline)
        self.pipeline.set_progress_bar_config(disable=True)
        self.takes = frozenset(inspect.signature(self.pipeline.__call__).parameters)
        self._options = options
        self._size = _size_of(pipeline, options)

    @property
    def _blends(self) -> bool:
        return "strength" in self.takes

    def kind(self, start: StartingPicture) -> Hashable:
        """Equal for pictures that can share one call."""
        # Reference images belong to all images of a call.
        return start.strength if self._blends else start.id

    def call_options(self, batch: Sequence[ImageRequest]) -> dict[str, Any]:
        """The options for one call, whose requests all have a starting picture of one kind."""
        starts = [request.start for request in batch if request.start is not None]
        pictures = [self._fitted(start.image) for start in starts]
        options = {name: value for name, value in self._options.items() if name in self.takes}
        if not self._blends:
            return options | {"image": pictures[:1]}
        strength = starts[0].strength
        steps = max(options["num_inference_steps"], _fewest(strength))
        return options | {"image": pictures, "strength": strength, "num_inference_steps": steps}

    def _fitted(self, image: Image.Image) -> Image.Image:
        """The picture in the size of the drawings, cropped at its longer side."""
        if self._size is None:
            return image
        return ImageOps.fit(image, self._size, Image.Resampling.LANCZOS)


def _fewest(strength: float) -> int:
    """The fewest steps of which a share can be done and a share left out."""
    shares = (share for share in (strength, 1 - strength) if share)
    return max(math.ceil(round(1 / share, 6)) for share in shares)


def _size_of(pipeline: Any, options: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height of what the pipeline draws, in pixels; None if it does not say."""
    if "width" in options:
        return options["width"], options["height"]
    unet = getattr(pipeline, "unet", None)
    side = getattr(pipeline, "default_sample_size", None) or (unet and unet.config.sample_size)
    factor = getattr(pipeline, "vae_scale_factor", None)
    if not isinstance(side, int) or factor is None:
        return None
    return side * factor, side * factor
