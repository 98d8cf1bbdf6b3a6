"""A generator that remembers, so that a repeated turn generates nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, get_ident

from PIL import Image

from dar_retriever.errors import InvalidImageError
from dar_retriever.generation.base import GeneratedImage, ImageGenerator, ImageRequest
from dar_retriever.images import open_image


class CachedGenerator:
    """Wraps a generator with a cache in memory and, on request, on disk.

    The key is the generator's fingerprint (model and settings) with prompt, negative prompt
    and seed.

    Args:
        generator: Makes what is not there yet.
        folder: Where images are kept between runs, as PNG; nowhere by default.
        capacity: Number of images kept in memory; the one used longest ago goes first.
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
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._generator.fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """See ``ImageGenerator``. Images from the cache are marked so."""
        found = [self._look_up(self._key(request)) for request in requests]
        missing = [request for request, image in zip(requests, found, strict=True) if image is None]
        made = iter(self._generator.generate(missing) if missing else ())
        result = []
        for request, image in zip(requests, found, strict=True):
            if image is not None:
                result.append(GeneratedImage(image, request.prompt, request.seed, cached=True))
                continue
            new = next(made, None)
            if new is not None:
                self._keep(self._key(request), new.image)
                result.append(dataclasses.replace(new, cached=False))
        return result

    def _key(self, request: ImageRequest) -> str:
        parts = [self.fingerprint, request.prompt, request.negative_prompt, request.seed]
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
        self._remember(key, image)
        if self._folder is not None:
            part = self._folder / f"{key}.{os.getpid()}-{get_ident()}.part"
            image.save(part, "PNG")
            part.replace(self._folder / f"{key}.png")

    def _remember(self, key: str, image: Image.Image) -> None:
        with self._lock:
            self._images[key] = image
            while len(self._images) > self._capacity:
                self._images.popitem(last=False)
