"""Reads captions into features: a small text model in CLIP's format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dar_retriever.support.model_files import fingerprint_of, loading, require_folder
from dar_retriever.support.remembering import Remembered

_REMEMBERED: Final = 512


class CaptionReader:
    """A text model of transformers (``CLIPTextModelWithProjection``), opened at construction.

    An encoder's own text vector can lose which colour belongs to what. Models that are trained on
    stored vectors read the caption with a model of their own.

    Args:
        folder: Model and tokenizer.

    Raises:
        ModelLoadError: The folder holds no such model.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        place = require_folder("the caption reader's", os.fspath(folder))
        with loading("the caption reader", str(place), local=True):
            from transformers import CLIPTextModelWithProjection, CLIPTokenizer

            self._tokenizer: Any = CLIPTokenizer.from_pretrained(place)
            model: Any = CLIPTextModelWithProjection.from_pretrained(place)
        self._model = model.float().eval()
        self.features = int(model.config.projection_dim)
        self.fingerprint = fingerprint_of("caption reader", self._model)
        # A turn asks for the same texts several times: to order, to end the list, to explain.
        self._known = Remembered[NDArray[np.float32]](self._features, _REMEMBERED)

    def read(self, captions: Sequence[str]) -> NDArray[np.float32]:
        """The features of captions: float32 (N, features)."""
        return np.array(self._known.of(captions), np.float32).reshape(-1, self.features)

    def _features(self, captions: list[str]) -> NDArray[np.float32]:
        import torch

        # A tokenizer's padding state changes at every call; one caller at a time comes here.
        tokens = self._tokenizer(
            captions,
            padding=True,
            truncation=True,
            max_length=self._model.config.max_position_embeddings,
            return_tensors="pt",
        )
        with torch.inference_mode():
            read = self._model(tokens.input_ids, attention_mask=tokens.attention_mask)
        features: NDArray[np.float32] = read.text_embeds.numpy()
        return features
