"""The image-text matching head of BLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image

from dar_retriever.encoders.transformers import TransformersEncoder
from dar_retriever.errors import InvalidInputError
from dar_retriever.ranking.base import Scores

_BATCH: Final = 16


class BlipMatcher:
    """BLIP's matching head (Li et al., arXiv 2201.12086), with the weights of an open encoder.

    BLIP's retrieval models hold it already, so it needs no further memory.

    Args:
        encoder: A ``TransformersEncoder`` of a BLIP retrieval model.

    Raises:
        InvalidInputError: The encoder is of another type.
    """

    def __init__(self, encoder: TransformersEncoder) -> None:
        if encoder.model_type != "blip":
            raise InvalidInputError(
                f"encoder={encoder.name!r} is of type {encoder.model_type!r} and has no matching "
                "head; take a BLIP retrieval model such as Salesforce/blip-itm-base-coco"
            )
        self._encoder = encoder

    @property
    def name(self) -> str:
        """The model's name, and that this is its matching head."""
        return f"{self._encoder.name} (matching head)"

    def match(self, texts: Sequence[str], images: Sequence[Image.Image]) -> Scores:
        """See ``Matcher``: the log odds of a match."""
        nothing = np.empty((len(texts), 0), np.float32)
        parts = [
            self._matched(texts, images[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
        return np.concatenate([nothing, *parts], axis=1)

    def _matched(self, texts: Sequence[str], images: Sequence[Image.Image]) -> Scores:
        import torch

        encoder, model = self._encoder, self._encoder.model
        pixels = torch.cat([encoder.preprocess(image)["pixel_values"] for image in images])
        rows = []
        with torch.inference_mode():
            seen = model.vision_model(pixels.to(encoder.device, encoder.dtype)).last_hidden_state
            # The model's own forward pass makes this mask on the CPU, wherever the model is.
            everywhere = torch.ones(seen.shape[:2], dtype=torch.long, device=encoder.device)
            for text in texts:
                tokens = encoder.tokens([text])
                read = model.text_encoder(
                    input_ids=tokens.input_ids.expand(len(images), -1),
                    attention_mask=tokens.attention_mask.expand(len(images), -1),
                    encoder_hidden_states=seen,
                    encoder_attention_mask=everywhere,
                ).last_hidden_state
                no, yes = model.itm_head(read[:, 0]).float().unbind(-1)
                rows.append((yes - no).cpu().numpy())
        return np.stack(rows)
