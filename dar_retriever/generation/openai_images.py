"""Images from OpenAI, and from servers that speak its protocol."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from PIL import Image

from dar_retriever.errors import GenerationError
from dar_retriever.generation.base import ImageRequest
from dar_retriever.generation.service import ServiceGenerator, ServiceLimits
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.images import read_image
from dar_retriever.support.keys import Key

# The client insists on some key, also for servers that need none.
_NO_KEY: Final = "none"


class OpenAIImageGenerator(ServiceGenerator):
    """Generates images with the ``openai`` client's ``images.generate``.

    What leaves the machine is each request's prompt, with the settings below. The protocol has no
    negative prompt and no seed.

    Args:
        model: The model's name.
        base_url: Address of a server that speaks the same protocol; OpenAI's by default.
        key_from: The environment variable with the key; None for a server without one.
        size: Width and height in pixels; the model's own by default.
        quality: Such as "low"; the model's own by default.
        options: Further parameters in the body, such as {"response_format": "b64_json"} for models
            that answer with an address otherwise.
        limits: How far the service is used.

    Raises:
        ModelLoadError: The variable of the key is not set.
        MissingExtraError: The package ``openai`` is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key_from: str | None = "OPENAI_API_KEY",
        size: tuple[int, int] | None = None,
        quality: str | None = None,
        options: Mapping[str, Any] | None = None,
        limits: ServiceLimits | None = None,
    ) -> None:
        with needs_extra("openai"):
            from openai import OpenAI

        self._body: dict[str, Any] = {
            "model": model,
            **({"size": f"{size[0]}x{size[1]}"} if size else {}),
            **({"quality": quality} if quality else {}),
            **(options or {}),
        }
        super().__init__(
            f"{model} on {base_url or 'OpenAI'}",
            {"base_url": base_url, **self._body},
            Key(key_from) if key_from else None,
            limits or ServiceLimits(),
        )
        self._client = OpenAI(
            api_key=self._key.reveal() if self._key else _NO_KEY,
            base_url=base_url,
            # Attempts are counted here, so that the limits hold.
            max_retries=0,
        )

    def _ask(self, request: ImageRequest, seconds: float) -> Image.Image:
        answer = self._client.images.generate(
            prompt=request.prompt, n=1, extra_body=self._body, timeout=seconds
        )
        content = answer.data[0].b64_json if answer.data else None
        if not content:
            raise GenerationError(
                "the answer holds no image; an address alone is not opened: "
                "options={'response_format': 'b64_json'} asks for the image itself"
            )
        return read_image(base64.b64decode(content, validate=True), "the service's answer")
