"""A limit for generators that cost money: so many images a dialogue."""

from __future__ import annotations

from collections.abc import Sequence

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import ImageGenerator, ImageRequest, NotGenerated, Outcome


class DialogueLimit:
    """Wraps a generator so that only the first rounds of a dialogue get images.

    A turn asks for at most ``images_per_turn`` images, so a request's round and number say how many
    came before it. Nothing has to be remembered, and conversations do not share their limits. Put
    a ``CachedGenerator`` around it, so that images that are there already cost nothing.

    Args:
        generator: Makes the images.
        images: Maximum number of images of a dialogue.
        images_per_turn: Maximum number of images of a turn, as the query encoder has it.

    Raises:
        InvalidInputError: ``images`` is negative, or ``images_per_turn`` below 1.
    """

    def __init__(self, generator: ImageGenerator, images: int, images_per_turn: int) -> None:
        if images < 0 or images_per_turn < 1:
            raise InvalidInputError(
                f"images={images}, images_per_turn={images_per_turn}: at least 0, and at least 1"
            )
        self._generator = generator
        self._images = images
        self._images_per_turn = images_per_turn

    @property
    def fingerprint(self) -> str:
        """See ``ImageGenerator``."""
        return self._generator.fingerprint

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        """See ``ImageGenerator``. Requests beyond the limit are answered with ``NotGenerated``."""
        within = [request for request in requests if self._allows(request)]
        reason = f"{self._images} images a dialogue are the limit"
        if requests and not within:
            raise GenerationError(reason)
        made = iter(self._generator.generate(within))
        return [
            next(made) if self._allows(each) else NotGenerated(each.prompt, each.seed, reason)
            for each in requests
        ]

    def _allows(self, request: ImageRequest) -> bool:
        return request.round * self._images_per_turn + request.number < self._images
