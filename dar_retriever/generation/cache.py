"""A cache in front of a generator, so that no image is generated twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import Final

from PIL import Image

from dar_retriever.errors import GenerationError, InvalidImageError
from dar_retriever.generation.base import (
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    NotGenerated,
    Outcome,
    answered,
)
from dar_retriever.support.images import open_image, to_rgb

_LOGGER: Final = logging.getLogger(__name__)


class CachedGenerator:
    """Wraps a generator with a cache in memory and, if a folder is given, on disk.

    The key is the generator's fingerprint (model and settings) with prompt, negative prompt,
    seed and starting picture.

    Args:
        generator: Makes the images that are not in the cache.
        folder: Keeps images as PNG files between runs; by default they are not kept.
        capacity: Number of images kept in memory; the least recently used one is dropped first.
    """

    def __init__(
        self,
        generator: ImageGenerator,
        folder: str | os.PathLike[str] | None = None,
        capacity: int = 512,
    ) -> None:
        self._generator = generator
        self._folder = None if folder is None else Path(folder)
        self._capacity = capacity
        self._images: OrderedDict[str, Image.Image] = OrderedDict()
        self._lock = Lock()
        self._warned = False
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._generator.fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """See ``ImageGenerator``. Images from the cache have ``cached`` set.

        If the generator returns no image for a request, nothing is cached for it. If it fails as
        a whole, the images that are in the cache are still returned.
        """
        keys = [self._key(request) for request in requests]
        found = {key: self._look_up(key) for key in dict.fromkeys(keys)}
        # Requests that differ only in dialogue and round give the same image; make it once.
        missing = {k: r for k, r in zip(keys, requests, strict=True) if found[k] is None}
        new = self._made(list(missing.values()), alone=len(missing) == len(found))
        made = {self._key(r): image for r, image in answered(list(missing.values()), new)}
        for key, generated in made.items():
            if not isinstance(generated, GeneratedImage):
                continue
            # What was asked for from a picture and drawn from noise is no answer for the next time.
            if missing[key].start is None or generated.start:
                self._keep(key, generated.image)
        result: list[Outcome] = []
        for key, request in zip(keys, requests, strict=True):
            image = found[key]
            if image is not None:
                start = request.start.id if request.start else ""
                result.append(
                    GeneratedImage(image, request.prompt, request.seed, cached=True, start=start)
                )
            elif key in made:
                outcome = made[key]
                if isinstance(outcome, GeneratedImage):
                    outcome = dataclasses.replace(outcome, cached=False)
                result.append(outcome)
        return result

    def _made(self, requests: Sequence[ImageRequest], *, alone: bool) -> Sequence[Outcome]:
        if not requests:
            return []
        try:
            return self._generator.generate(requests)
        except GenerationError as error:
            if alone:
                raise
            return [NotGenerated(each.prompt, each.seed, str(error)) for each in requests]

    def _key(self, request: ImageRequest) -> str:
        parts = [self.fingerprint, request.prompt, request.negative_prompt, request.seed]
        if request.start is not None:
            parts += [request.start.id, request.start.strength]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _look_up(self, key: str) -> Image.Image | None:
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        if self._folder is None:
            return None
        try:
            image = open_image(self._folder / f"{key}.png")
        except InvalidImageError:
            return None
        self._remember(key, image)
        return image

    def _keep(self, key: str, image: Image.Image) -> None:
        image = to_rgb(image)
        self._remember(key, image)
        if self._folder is None:
            return
        part = self._folder / f"{key}.{os.getpid()}-{get_ident()}.part"
        try:
            image.save(part, "PNG")
            part.replace(self._folder / f"{key}.png")
        except OSError as error:
            # The search has its image; without a copy on disk it is only made again later.
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if not self._warned:
                self._warned = True
                _LOGGER.warning(
                    "generated images cannot be saved in %r (%s); make room there, or they are "
                    "generated anew in every run",
                    str(self._folder),
                    error,
                )

    def _remember(self, key: str, image: Image.Image) -> None:
        with self._lock:
            self._images[key] = image
            while len(self._images) > self._capacity:
                self._images.popitem(last=False)
