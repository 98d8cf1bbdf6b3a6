"""Generated images that were made earlier and are read from a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from dar_retriever.errors import GenerationError, InvalidImageError
from dar_retriever.generation.base import GeneratedImage, ImageRequest
from dar_retriever.support.images import open_image
from dar_retriever.support.model_files import require_folder


class StoredImageGenerator:
    """Serves image files named by dialogue and round, as DAR's authors publish theirs.

    Args:
        folder: The folder of the images.
        template: File name, with fields of ``ImageRequest`` in braces: ``dialogue_id``,
            ``round`` and, if there are several images per round, ``number``.

    Raises:
        ModelLoadError: The folder does not exist.

    Example:
        ``StoredImageGenerator("generated")`` answers round 3 of dialogue "17" with
        ``generated/17_3.jpg``.
    """

    def __init__(self, folder: str | Path, template: str = "{dialogue_id}_{round}.jpg") -> None:
        self._folder = require_folder("the generated images'", folder)
        self._template = template

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        place = f"{self._folder.resolve()}/{self._template}"
        return hashlib.sha256(place.encode()).hexdigest()[:16]

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        """See ``ImageGenerator``. A template without ``number`` gives one image per round."""
        paths: dict[Path, ImageRequest] = {}
        for request in requests:
            name = self._template.format(
                dialogue_id=request.dialogue_id, round=request.round, number=request.number
            )
            paths.setdefault(self._folder / name, request)
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise GenerationError(
                f"no generated image at {missing[0]}; set the dialogue's id and check the "
                f"template {self._template!r}"
            )
        try:
            return [
                GeneratedImage(open_image(path), request.prompt, request.seed, cached=True)
                for path, request in paths.items()
            ]
        except InvalidImageError as error:
            raise GenerationError(str(error)) from error
