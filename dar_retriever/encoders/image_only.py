"""Encoders of images alone, such as DINOv2 and DINOv3: what looks alike, without any words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from dar_retriever.encoders.torch_encoder import TorchImageEncoder
from dar_retriever.encoders.transformers import image_size_of, open_safely
from dar_retriever.errors import ModelLoadError
from dar_retriever.support.model_files import loading

if TYPE_CHECKING:
    import torch


class ImageOnlyEncoder(TorchImageEncoder):
    """A vision model of transformers, opened at construction; it compares images with images.

    Use it as a second view of the store: see ``SecondViewReranker``.

    Args:
        model: Hub id or local folder, such as "facebook/dinov2-base".
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of images in one batch; by default 16 on CPUs, else 64.

    Raises:
        ModelLoadError: The model cannot be opened, or reads texts too.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        with loading("the image-only encoder", model):
            from transformers import AutoConfig, AutoImageProcessor

            config = AutoConfig.from_pretrained(model, trust_remote_code=False)
            width = getattr(config, "hidden_size", None)
            if hasattr(config, "text_config") or not hasattr(config, "patch_size") or not width:
                raise ModelLoadError(
                    f"{model!r} is of type {config.model_type!r}, which is no image-only "
                    "transformer; take one such as 'facebook/dinov2-base'"
                )
            opened = open_safely(model, config, pickled=False)
            self._processor: Any = AutoImageProcessor.from_pretrained(
                model, trust_remote_code=False
            )
        super().__init__(
            opened.eval(),
            name=f"transformers {model}",
            preprocessing=str(self._processor.to_json_string()),
            dimension=int(width),
            image_size=image_size_of(self._processor),
            device=device,
            dtype=dtype,
            batch_size=batch_size,
        )

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """See ``PreprocessingEncoder``: float32 (1, 3, height, width)."""
        pixels: torch.Tensor = self._processor(images=[image], return_tensors="pt").pixel_values
        return pixels

    def _image_features(self, images: Sequence[torch.Tensor]) -> torch.Tensor:
        import torch

        pixels = torch.cat(list(images)).to(self.device, self.dtype)
        # The first token stands for the whole image.
        features: torch.Tensor = self._model(pixels).last_hidden_state[:, 0]
        return features
