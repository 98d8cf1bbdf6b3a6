"""Encoders of open_clip: by name and pretrained tag, from the hub or from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from dar_retriever.encoders.torch_encoder import PROBE, TorchEncoder
from dar_retriever.model_files import loading, require_folder

if TYPE_CHECKING:
    import torch

_LOCAL: Final = "local-dir:"


class OpenClipEncoder(TorchEncoder):
    """An open_clip model, opened at construction.

    Args:
        model: Architecture name such as "ViT-B-32", "hf-hub:owner/name" or "local-dir:FOLDER".
        pretrained: Weights of a named architecture: a tag such as "laion2b_s34b_b79k" or a
            file; not for the other two forms, which bring their own.
        device: "cuda", "mps", "cpu"; the best there is by default.
        dtype: "float16", "bfloat16", "float32"; by device by default.
        batch_size: The most texts or images encoded at once.

    Raises:
        ModelLoadError: The model cannot be opened.
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int = 64,
    ) -> None:
        if model.startswith(_LOCAL):
            require_folder("the encoder's", model.removeprefix(_LOCAL))
        with loading("the open_clip encoder", model):
            import open_clip

            opened, self._preprocess = open_clip.create_model_from_pretrained(
                model, pretrained=pretrained, precision="fp32", device="cpu"
            )
            self._tokenizer: Any = open_clip.get_tokenizer(model)
        context = getattr(opened, "context_length", None) or opened.text.context_length
        vision = opened.visual
        dimension = getattr(vision, "output_dim", None) or _projected_dimension(opened)
        super().__init__(
            opened.eval(),
            name=f"open_clip {model}" + (f" {pretrained}" if pretrained else ""),
            preprocessing=f"{self._preprocess} {self._tokenizer([PROBE]).tolist()}",
            dimension=int(dimension),
            max_tokens=int(context),
            device=device,
            dtype=dtype,
            batch_size=batch_size,
        )

    def count_tokens(self, text: str) -> int:
        """See ``JointEncoder``."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is None:
            return len(self._tokenizer.encode(text)) + 2
        with self._tokenizing:
            return len(inner(text).input_ids)

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        with self._tokenizing:
            tokens = self._tokenizer(list(texts)).to(self.device)
        features: torch.Tensor = self._model.encode_text(tokens)
        return features

    def _image_features(self, images: Sequence[Image.Image]) -> torch.Tensor:
        import torch

        pixels = torch.stack([self._preprocess(image) for image in images])
        features: torch.Tensor = self._model.encode_image(pixels.to(self.device, self.dtype))
        return features


def _projected_dimension(model: Any) -> int:
    import torch

    size = model.visual.image_size
    height, width = size if isinstance(size, tuple) else (size, size)
    with torch.inference_mode():
        return int(model.encode_image(torch.zeros(1, 3, height, width)).shape[-1])
