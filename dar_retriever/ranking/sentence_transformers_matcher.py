"""Cross-encoders of sentence-transformers that read texts with images."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from dar_retriever.errors import ModelLoadError
from dar_retriever.ranking.base import Scores
from dar_retriever.support.devices import choose_batch_size, choose_device, choose_dtype
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.model_files import loading


class SentenceTransformersMatcher:
    """A ``CrossEncoder`` of sentence-transformers, such as Qwen/Qwen3-VL-Reranker-2B.

    Args:
        model: Hub id or local folder of a cross-encoder that reads images.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of pairs in one batch; by default 16 on CPUs, else 64.
        prompt: What the model is told to judge; by default the model's own prompt.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ModelLoadError: The model cannot be opened, reads no images, or gives several scores.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        prompt: str | None = None,
    ) -> None:
        with needs_extra("sentence-transformers"):
            from sentence_transformers import CrossEncoder
        chosen = choose_device(device)
        self.name = f"sentence-transformers {model}"
        self._batch_size = choose_batch_size(batch_size, chosen)
        self._prompt = prompt
        with loading("the cross-encoder", model):
            self._model: Any = CrossEncoder(
                model,
                device=str(chosen),
                trust_remote_code=False,
                model_kwargs={"dtype": choose_dtype(dtype, chosen), "use_safetensors": True},
            )
        if not self._model.supports("image"):
            raise ModelLoadError(
                f"{model!r} reads {', '.join(map(str, self._model.modalities))} and no images; "
                "take an image-text cross-encoder, such as Qwen/Qwen3-VL-Reranker-2B"
            )
        if self._model.num_labels != 1:
            raise ModelLoadError(
                f"{model!r} gives {self._model.num_labels} scores for a pair; take a cross-encoder "
                "that gives one"
            )
        # Tokenizers keep their padding between calls, so calls must not overlap.
        self._predicting = Lock()

    def match(self, texts: Sequence[str], images: Sequence[Image.Image]) -> Scores:
        """See ``Matcher``: the model's scores before any sigmoid, which would make them equal."""
        import torch

        pairs = [(text, image) for text in texts for image in images]
        with self._predicting:
            scores = self._model.predict(
                pairs,
                batch_size=self._batch_size,
                prompt=self._prompt,
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
        return np.asarray(scores, np.float32).reshape(len(texts), len(images))
