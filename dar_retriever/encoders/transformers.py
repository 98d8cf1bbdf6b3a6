"""Encoders of transformers: CLIP, SigLIP, SigLIP 2 and BLIP's image-text retrieval models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from dar_retriever.encoders.torch_encoder import PROBE, TorchEncoder
from dar_retriever.errors import ModelLoadError
from dar_retriever.support.model_files import loading, pickle_refused

if TYPE_CHECKING:
    import torch

_SIGLIP_TYPES: Final = frozenset({"siglip", "siglip2"})
_TYPES: Final = frozenset({"clip", "blip"}) | _SIGLIP_TYPES


class TransformersEncoder(TorchEncoder):
    """A transformers model with a text and an image side, opened at construction.

    Args:
        model: Hub id or local folder of a CLIP, SigLIP, SigLIP 2 or BLIP retrieval model.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of texts or images in one batch; by default 16 on CPUs, else 64.
        pickled_weights: Whether to accept pickled weights (pytorch_model.bin), which PyTorch's
            restricted unpickler then reads. By default only safetensors files are opened.

    Raises:
        ModelLoadError: The model cannot be opened, is of another type, or its weights are
            pickled.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        pickled_weights: bool = False,
    ) -> None:
        with loading("the transformers encoder", model):
            from transformers import AutoConfig, AutoProcessor

            config = AutoConfig.from_pretrained(model, trust_remote_code=False)
            self._type = str(config.model_type)
            if self._type not in _TYPES:
                raise ModelLoadError(
                    f"{model!r} is of type {self._type!r}, not one of {', '.join(sorted(_TYPES))}; "
                    "open it with open_clip, write a JointEncoder of five methods for it, or use "
                    "the 'demo' preset, which needs no download"
                )
            opened = open_safely(model, config, pickled=pickled_weights)
            self._processor: Any = AutoProcessor.from_pretrained(model, trust_remote_code=False)
        text = config.text_config
        if self._type == "blip":
            dimension = config.image_text_hidden_size
        elif self._type == "clip":
            dimension = config.projection_dim
        else:
            dimension = getattr(text, "projection_size", None) or text.hidden_size
        super().__init__(
            opened.eval(),
            name=f"transformers {model}",
            preprocessing=f"{self._processor.image_processor.to_json_string()} "
            f"{self._processor.tokenizer(PROBE).input_ids}",
            dimension=int(dimension),
            max_tokens=int(text.max_position_embeddings),
            image_size=image_size_of(self._processor.image_processor),
            device=device,
            dtype=dtype,
            batch_size=batch_size,
        )

    @property
    def model(self) -> Any:
        """The transformers model, for what else it can do; such as ``BlipMatcher``."""
        return self._model

    @property
    def model_type(self) -> str:
        """The type in the model's configuration, such as "blip"."""
        return self._type

    def count_tokens(self, text: str) -> int:
        """See ``JointEncoder``."""
        with self._tokenizing:
            return len(self._processor.tokenizer(text).input_ids)

    def tokens(self, texts: Sequence[str]) -> Any:
        """The model's inputs for texts: "input_ids" (N, L) and "attention_mask", on its device."""
        with self._tokenizing:
            return self._processor.tokenizer(
                list(texts),
                # SigLIP was trained on texts padded to full length, without an attention mask.
                padding="max_length" if self._type in _SIGLIP_TYPES else True,
                truncation=True,
                max_length=self.max_tokens,
                return_tensors="pt",
            ).to(self.device)

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        tokens = self.tokens(texts)
        if self._type == "blip":
            hidden = self._model.text_encoder(
                input_ids=tokens.input_ids, attention_mask=tokens.attention_mask
            ).last_hidden_state
            return self._model.text_proj(hidden[:, 0])  # type: ignore[no-any-return]
        inputs = {"input_ids": tokens.input_ids}
        if self._type == "clip":
            inputs["attention_mask"] = tokens.attention_mask
        return _pooled(self._model.get_text_features(**inputs))

    def preprocess(self, image: Image.Image) -> Any:
        """See ``PreprocessingEncoder``: the inputs of one image by name, float32 (1, ...)."""
        return self._processor.image_processor(images=[image], return_tensors="pt")

    def _image_features(self, images: Sequence[Any]) -> torch.Tensor:
        import torch

        # SigLIP 2's models for any aspect ratio also need a mask and the shapes.
        pixels = {name: torch.cat([image[name] for image in images]) for name in images[0]}
        pixels = {
            name: value.to(self.device, self.dtype if value.is_floating_point() else None)
            for name, value in pixels.items()
        }
        if self._type == "blip":
            hidden = self._model.vision_model(**pixels).last_hidden_state
            return self._model.vision_proj(hidden[:, 0])  # type: ignore[no-any-return]
        return _pooled(self._model.get_image_features(**pixels))


def open_safely(model: str, config: Any, *, pickled: bool, opener: Any = None) -> Any:
    """Open a model of transformers in float32, without its code and, if not asked for, pickles.

    Args:
        model: Hub id or local folder.
        config: Its configuration.
        pickled: Whether pickled weights may be opened.
        opener: The class that opens it; that of encoders by default.

    Raises:
        ModelLoadError: Its weights are pickled, and ``pickled`` is False.
    """
    import torch
    from transformers import AutoModel, BlipForImageTextRetrieval

    # A checkpoint can name its weight file, and an attention implementation from the hub (code).
    named = str(getattr(config, "transformers_weights", None) or "")
    if named.endswith(".bin") and not pickled:
        raise pickle_refused(model, named)
    config._attn_implementation = None  # noqa: SLF001 (transformers has no other name for it)
    encoder = BlipForImageTextRetrieval if config.model_type == "blip" else AutoModel
    try:
        return (opener or encoder).from_pretrained(
            model,
            config=config,
            dtype=torch.float32,
            # None means safetensors if available.
            use_safetensors=None if pickled else True,
            trust_remote_code=False,
        )
    except OSError as error:
        if pickled or "safetensors" not in str(error):
            raise
        raise pickle_refused(model, "pytorch_model.bin", str(error).splitlines()[0]) from error


def _pooled(output: Any) -> torch.Tensor:
    """The projected features; transformers 5 wraps them in an output object, 4 did not."""
    features: torch.Tensor = getattr(output, "pooler_output", output)
    return features


def image_size_of(processor: Any) -> int | None:
    """The larger side that images are scaled to; None for models of any aspect ratio."""
    size = getattr(processor, "size", None)
    return max(dict(size).values()) if size and not hasattr(processor, "max_num_patches") else None
