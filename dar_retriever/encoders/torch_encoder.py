"""What encoders on PyTorch share: device, precision, batches, unit length, fingerprint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.errors import ModelLoadError
from dar_retriever.support.devices import choose_batch_size, choose_device, choose_dtype
from dar_retriever.support.model_files import fingerprint_of
from dar_retriever.support.processes import Birthplace

if TYPE_CHECKING:
    import torch

# Different tokenizers give different tokens for it, and so different fingerprints.
PROBE: Final = "A photo of two brown-ish dogs, 3 caf\u00e9s & an umbrella's shadow."
# Scaling down from twice the size is as good as scaling down from the full size.
_FINER: Final = 2
T = TypeVar("T")


class TorchImageEncoder(ABC):
    """An ``ImageEncoder`` around a PyTorch model; subclasses encode single batches.

    Args:
        model: The model in evaluation mode, float32, on the CPU.
        name: The model's name for people.
        preprocessing: A text that describes everything but the weights that a vector depends on.
        dimension: Number of dimensions of a vector.
        image_size: The larger side of the images that the model reads; None if it reads any size.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of inputs in one batch; by default 16 on CPUs, else 64.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        name: str,
        preprocessing: str,
        dimension: int,
        image_size: int | None,
        device: str | None,
        dtype: str | None,
        batch_size: int | None,
    ) -> None:
        self.name = name
        self.dimension = dimension
        self.useful_side = None if image_size is None else _FINER * image_size
        self.fingerprint = fingerprint_of(preprocessing, model)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self._batch_size = choose_batch_size(batch_size, self.device)
        self._model: Any = model.to(self.device, self.dtype)
        self._birthplace = Birthplace(f"the encoder {name!r}", ModelLoadError)

    @property
    def parallel_calls(self) -> int:
        """See ``PreprocessingEncoder``: on CPUs, the number of cores that PyTorch uses."""
        import torch

        return torch.get_num_threads() if self.device.type == "cpu" else 1

    @abstractmethod
    def preprocess(self, image: Image.Image) -> Any:
        """See ``PreprocessingEncoder``."""

    @abstractmethod
    def _image_features(self, images: Sequence[Any]) -> torch.Tensor:
        """Encode one batch of preprocessed images."""

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        """See ``ImageEncoder``."""
        return self._encode(
            images, lambda batch: self._image_features([self.preprocess(image) for image in batch])
        )

    def encode_preprocessed(self, images: Sequence[Any]) -> Vectors:
        """See ``PreprocessingEncoder``."""
        return self._encode(images, self._image_features)

    def _encode(
        self, items: Sequence[T], features: Callable[[Sequence[T]], torch.Tensor]
    ) -> Vectors:
        import torch

        self._birthplace.require()
        parts = [np.empty((0, self.dimension), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(items), self._batch_size):
                values = features(items[start : start + self._batch_size]).float()
                parts.append(torch.nn.functional.normalize(values, dim=-1).cpu().numpy())
        return np.concatenate(parts)


class TorchEncoder(TorchImageEncoder):
    """A ``JointEncoder`` around a PyTorch model.

    Args:
        model: See ``TorchImageEncoder``.
        max_tokens: Maximum number of tokens that the text side reads.
        settings: The other arguments of ``TorchImageEncoder``.
    """

    def __init__(self, model: torch.nn.Module, *, max_tokens: int, **settings: Any) -> None:
        super().__init__(model, **settings)
        self.max_tokens = max_tokens
        # Every call of a tokenizer changes its padding state, so calls must not overlap.
        self._tokenizing = Lock()

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """See ``JointEncoder``."""

    @abstractmethod
    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        """Encode one batch of texts."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """See ``JointEncoder``."""
        return self._encode(texts, self._text_features)
