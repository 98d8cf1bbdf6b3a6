"""Encoders of open_clip: by name and pretrained tag, from the hub or from a folder."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from PIL import Image

from dar_retriever.encoders.torch_encoder import PROBE, TorchEncoder
from dar_retriever.support.model_files import loading, pickle_refused, require_folder

if TYPE_CHECKING:
    import torch

_LOCAL: Final = "local-dir:"
_HUB: Final = "hf-hub:"
_CONFIG: Final = "open_clip_config.json"
_WEIGHTS: Final = "open_clip_model.safetensors"
_PICKLED: Final = "open_clip_pytorch_model.bin"
# The weight files that open_clip prefers in a folder.
_TAKEN_FIRST: Final = (_WEIGHTS, "open_clip_pytorch_model.safetensors")
# Big Vision's .npz files hold plain arrays, which NumPy reads without unpickling.
_NEVER_PICKLED: Final = frozenset({".safetensors", ".npz"})


class OpenClipEncoder(TorchEncoder):
    """An open_clip model, opened at construction.

    Args:
        model: Architecture name such as "ViT-B-32", "hf-hub:owner/name" or "local-dir:FOLDER".
        pretrained: Weights for an architecture name: a tag such as "laion2b_s34b_b79k" or a
            file. The other two forms of ``model`` include their weights.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of texts or images in one batch; by default 16 on CPUs, else 64.
        pickled_weights: Whether to accept pickled weights (.bin, .pt, .pth), which PyTorch's
            restricted unpickler then reads. By default only safetensors files are opened.

    Raises:
        ModelLoadError: The model cannot be opened, or its weights are pickled.
    """

    def __init__(
        self,
        model: str,
        pretrained: str | None = None,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        pickled_weights: bool = False,
    ) -> None:
        if model.startswith(_LOCAL):
            require_folder("the encoder's", model.removeprefix(_LOCAL))
        local = model.startswith(_LOCAL) or pretrained is None or Path(pretrained).is_file()
        with loading("the open_clip encoder", model, local=local and not model.startswith(_HUB)):
            import open_clip

            source = _Source(model, pretrained)
            if not pickled_weights:
                source = _without_pickles(model, pretrained)
            text = (open_clip.get_model_config(source.model) or {}).get("text_cfg", {})
            _refuse_code(text)
            opened, self._preprocess = open_clip.create_model_from_pretrained(
                source.model,
                pretrained=source.pretrained,
                precision="fp32",
                device="cpu",
                weights_only=True,
                # Do not load the text tower's own weights; the checkpoint replaces them anyway.
                pretrained_text=False,
                **source.preprocessing,
            )
            # Overrides what the checkpoint's configuration passes to the tokenizer.
            code = {"trust_remote_code": False} if text.get("hf_tokenizer_name") else {}
            self._tokenizer: Any = open_clip.get_tokenizer(model, **code)
        context = getattr(opened, "context_length", None) or opened.text.context_length
        vision = opened.visual
        dimension = getattr(vision, "output_dim", None) or _projected_dimension(opened)
        super().__init__(
            opened.eval(),
            name=f"open_clip {model}" + (f" {pretrained}" if pretrained else ""),
            preprocessing=f"{self._preprocess} {self._tokenizer([PROBE]).tolist()}",
            dimension=int(dimension),
            max_tokens=int(context),
            image_size=max(_image_size(vision)),
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

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """See ``PreprocessingEncoder``: float32 (3, height, width)."""
        pixels: torch.Tensor = self._preprocess(image)
        return pixels

    def _image_features(self, images: Sequence[torch.Tensor]) -> torch.Tensor:
        import torch

        pixels = torch.stack(list(images))
        features: torch.Tensor = self._model.encode_image(pixels.to(self.device, self.dtype))
        return features


class _Source(NamedTuple):
    """The arguments with which open_clip opens a model."""

    model: str
    pretrained: str | None = None
    preprocessing: Mapping[str, Any] = MappingProxyType({})


def _without_pickles(model: str, pretrained: str | None) -> _Source:
    """The same model, but with a safetensors file; by itself open_clip falls back to pickles."""
    import open_clip

    if model.startswith(_LOCAL):
        _refuse_pickles_in(model)
        return _Source(model, pretrained)
    if model.startswith(_HUB):
        weights = _download(model, model.removeprefix(_HUB), _WEIGHTS, _PICKLED)
        # The configuration of the same commit must lie beside the weights.
        _download(model, model.removeprefix(_HUB), _CONFIG, revision=weights.parent.name)
        return _Source(f"{_LOCAL}{weights.parent}")
    name = model.replace("/", "-")
    tag = open_clip.get_pretrained_cfg(name, pretrained) if pretrained else {}
    if not tag:
        if pretrained and Path(pretrained).suffix not in _NEVER_PICKLED:
            _refuse_file(model, pretrained)
        return _Source(model, pretrained)
    if not tag["hf_hub"]:
        # Weights that are not on the hub are .pt and .pth files.
        raise pickle_refused(f"{model} {pretrained}", tag["url"])
    repository, _, file = tag["hf_hub"].rpartition("/")
    wanted = Path(file).with_suffix(".safetensors").name if file else _WEIGHTS
    weights = _download(f"{model} {pretrained}", repository, wanted, file or _PICKLED)
    config = open_clip.get_model_config(name) or {}
    if config.get("quick_gelu", False) != tag.get("quick_gelu", False):
        # open_clip warns about this for tags, but not for files.
        warnings.warn(
            f"{model} and the weights {pretrained!r} differ in quick_gelu; use the architecture "
            "with or without '-quickgelu' at its end",
            stacklevel=3,
        )
    settings = ("mean", "std", "interpolation", "resize_mode")
    return _Source(model, str(weights), {f"image_{key}": tag[key] for key in settings})


def _refuse_pickles_in(model: str) -> None:
    folder = Path(model.removeprefix(_LOCAL))
    pickled = sorted(file for file in folder.iterdir() if file.suffix in {".bin", ".pth"})
    if pickled and not any((folder / name).is_file() for name in _TAKEN_FIRST):
        raise pickle_refused(model, pickled[0], f"a safetensors file has to be named {_WEIGHTS}")


def _refuse_file(model: str, file: str) -> None:
    # If it is not a file, it is an unknown tag, and open_clip's own error lists the known ones.
    if Path(file).is_file():
        raise pickle_refused(model, file)


def _download(
    model: str, repository: str, file: str, pickled: str = "", revision: str | None = None
) -> Path:
    """Fetch a file from the hub, or from the local cache."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, file, revision=revision))
    except EntryNotFoundError as error:
        # A hub that was not asked tells nothing about the kind of its files.
        unknown = isinstance(error, LocalEntryNotFoundError)
        if not pickled or (unknown and not try_to_load_from_cache(repository, pickled)):
            raise
        reason = f"{file} was not found: {str(error).strip().splitlines()[0]}"
        raise pickle_refused(model, f"{repository}/{pickled}", reason) from error


def _refuse_code(text_config: Mapping[str, Any]) -> None:
    """Refuse a text tower that needs remote code, instead of prompting the user about it."""
    from transformers import AutoConfig

    if tower := text_config.get("hf_model_name"):
        AutoConfig.from_pretrained(tower, trust_remote_code=False)


def _projected_dimension(model: Any) -> int:
    import torch

    height, width = _image_size(model.visual)
    with torch.inference_mode():
        return int(model.encode_image(torch.zeros(1, 3, height, width)).shape[-1])


def _image_size(vision: Any) -> tuple[int, int]:
    size = vision.image_size
    return size if isinstance(size, tuple) else (size, size)
