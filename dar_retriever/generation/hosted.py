"""Images from services by way of the Hugging Face client: fal, Replicate, Together and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageFile

from dar_retriever.errors import GenerationError
from dar_retriever.generation.base import ImageRequest
from dar_retriever.generation.service import ServiceGenerator, ServiceLimits
from dar_retriever.support.images import read_image
from dar_retriever.support.keys import Key


class HostedGenerator(ServiceGenerator):
    """Generates images with ``huggingface_hub.InferenceClient.text_to_image``.

    What leaves the machine is each request's prompt, its negative prompt and its seed, with the
    settings below.

    Args:
        model: Hub id of the model, or the address of an endpoint.
        provider: The service, such as "fal-ai", "replicate", "together" or "hf-inference"; by
            default the first one of your account's settings that has the model.
        key_from: The environment variable with the key: a token of Hugging Face, which then pays
            the service, or the service's own key. None for an endpoint without a key.
        size: Width and height in pixels; the model's own by default.
        steps: Number of denoising steps; the service's own by default.
        guidance: Classifier-free guidance scale; the service's own by default.
        options: Further parameters of the service.
        limits: How far the service is used.

    Raises:
        ModelLoadError: The variable of the key is not set.
    """

    def __init__(
        self,
        model: str,
        *,
        provider: str = "auto",
        key_from: str | None = "HF_TOKEN",
        size: tuple[int, int] | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        options: Mapping[str, Any] | None = None,
        limits: ServiceLimits | None = None,
    ) -> None:
        self._model = model
        self._provider = provider
        width, height = size or (None, None)
        self._parameters: dict[str, Any] = {
            "width": width,
            "height": height,
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "extra_body": dict(options or {}),
        }
        super().__init__(
            f"{model} on {provider}",
            {"model": model, "provider": provider, **self._parameters},
            Key(key_from) if key_from else None,
            limits or ServiceLimits(),
        )

    def _ask(self, request: ImageRequest, seconds: float) -> Image.Image:
        from huggingface_hub import InferenceClient

        # Without a key the client would send the token of a login to any address.
        alone: Any = {} if self._key else {"authorization": None}
        client = InferenceClient(
            self._model,
            provider=self._provider,  # type: ignore[arg-type]
            token=self._key.reveal() if self._key else None,
            headers=alone,
            timeout=seconds,
        )
        image = client.text_to_image(
            request.prompt,
            negative_prompt=request.negative_prompt or None,
            seed=request.seed,
            **self._parameters,
        )
        return _read_again(image)


def _read_again(image: Image.Image) -> Image.Image:
    """The same image, read within our limits; the client leaves it open and not decoded.

    Raises:
        InvalidImageError: The bytes are no complete image of a usual format.
    """
    file = image.fp if isinstance(image, ImageFile.ImageFile) else None
    if file is None:
        raise GenerationError(f"{type(image).__name__}: not an image file")
    file.seek(0)
    content: bytes = file.read()
    return read_image(content, "the service's answer")
