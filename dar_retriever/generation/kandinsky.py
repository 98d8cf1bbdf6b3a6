"""Image vectors from the published prior of Kandinsky 2.2, without drawing any picture."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dar_retriever.errors import GenerationError, InvalidInputError
from dar_retriever.generation.base import Samples
from dar_retriever.support.devices import choose_device, choose_dtype
from dar_retriever.support.model_files import fingerprint_of, loading

if TYPE_CHECKING:
    import torch

KANDINSKY: Final = "kandinsky-community/kandinsky-2-2-prior"


class KandinskyPrior:
    """Samples image vectors with a ``KandinskyV22PriorPipeline`` of diffusers.

    The prior belongs to one joint encoder: the published one to CLIP ViT-bigG-14 of LAION, which
    open_clip has as ``OpenClipEncoder("ViT-bigG-14", "laion2b_s39b_b160k")``. The encoder of
    pictures that comes with the pipeline is not opened, since nothing is drawn.

    Args:
        model: Hub id or local folder.
        steps: Number of denoising steps.
        guidance: Classifier-free guidance scale. Below 2 the samples keep more of what the caption
            leaves open.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.

    Raises:
        ModelLoadError: The pipeline cannot be opened.
        InvalidInputError: ``steps`` is below 1.
    """

    def __init__(
        self,
        model: str = KANDINSKY,
        *,
        steps: int = 25,
        guidance: float = 1.0,
        device: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if steps < 1:
            raise InvalidInputError(f"steps={steps}: at least 1")
        place = choose_device(device)
        with loading("the prior", model):
            self._pipeline = _opened(model, choose_dtype(dtype, place)).to(place)
        self._pipeline.set_progress_bar_config(disable=True)
        self._dimension: int = self._pipeline.prior.config.embedding_dim
        self._options: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": guidance}
        parts = self._pipeline.prior, self._pipeline.text_encoder
        self.fingerprint = fingerprint_of(f"Kandinsky's prior, {self._options}", *parts)
        self._lock = Lock()

    def sample(self, caption: str, text: Samples, count: int, seed: int) -> Samples:
        """See ``ImagePrior``. The caption's words are read, and not its vector.

        Raises:
            InvalidInputError: The prior belongs to another encoder.
            GenerationError: The pipeline fails.
        """
        import torch

        if len(text) != self._dimension:
            raise InvalidInputError(
                f"the prior samples vectors of {self._dimension} dimensions, the encoder's have "
                f"{len(text)}; open the encoder that the prior was trained with"
            )
        chance = torch.Generator("cpu").manual_seed(seed)
        try:
            with self._lock, torch.no_grad():
                made = self._pipeline(
                    caption, num_images_per_prompt=count, generator=chance, **self._options
                ).image_embeds
        # A pipeline can fail in any of its libraries.
        except Exception as error:
            raise GenerationError(
                f"the prior failed on {caption!r} ({type(error).__name__}: {error}); try another "
                "caption, fewer samples or another device"
            ) from error
        sampled: Samples = made.float().cpu().numpy()
        sampled /= np.linalg.norm(sampled, axis=1, keepdims=True)
        return sampled


def _opened(model: str, dtype: torch.dtype) -> Any:
    import torch
    from diffusers import KandinskyV22PriorPipeline

    class WithoutPictures(KandinskyV22PriorPipeline):  # type: ignore[misc]
        """The pipeline without its encoder of pictures, a third of its weights."""

        def get_zero_embed(self, batch_size: int = 1, device: Any = None) -> torch.Tensor:
            return torch.zeros(batch_size, self.prior.config.embedding_dim, device=device)

    absent = {"image_encoder": None, "image_processor": None}
    return WithoutPictures.from_pretrained(model, dtype=dtype, use_safetensors=True, **absent)
