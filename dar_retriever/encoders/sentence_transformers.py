"""Multimodal models of sentence-transformers, such as Qwen3-VL-Embedding and jina-clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from dar_retriever.encoders.base import Vectors
from dar_retriever.encoders.torch_encoder import PROBE, TorchEncoder
from dar_retriever.errors import InvalidInputError, ModelLoadError
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.model_files import loading

if TYPE_CHECKING:
    import torch

# Some tokenizers say 10^30 where they know no limit.
_LONGEST: Final = 32_768


class SentenceTransformersEncoder(TorchEncoder):
    """A sentence-transformers model of texts and images, opened at construction.

    Texts are encoded as queries and images as documents, with the prompts that the model comes
    with. Models that read images and words in one input also encode them together: see
    ``ComposedEncoder``.

    Args:
        model: Hub id or local folder.
        dimension: Number of dimensions to keep, for models that were trained for that (Matryoshka);
            all of them by default.
        query_prompt: What texts are asked with, in place of the model's own prompt; "" for nothing.
        document_prompt: What images are shown with, in place of the model's own prompt.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Maximum number of texts or images in one batch; by default 16 on CPUs, else 64.

    Raises:
        ModelLoadError: The model cannot be opened, needs its own code, or takes no texts or images.
        InvalidInputError: The model has fewer dimensions than ``dimension``.
        MissingExtraError: The package ``sentence-transformers`` is not installed.
    """

    def __init__(
        self,
        model: str,
        *,
        dimension: int | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
    ) -> None:
        with needs_extra("sentence-transformers"):
            from sentence_transformers import SentenceTransformer

        own = {"query": query_prompt, "document": document_prompt}
        with loading("the sentence-transformers encoder", model):
            opened = SentenceTransformer(
                model,
                device="cpu",
                prompts={name: text for name, text in own.items() if text is not None} or None,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": "auto"},
            )
        missing = [kind for kind in ("text", "image") if not opened.supports(kind)]
        if missing:
            raise ModelLoadError(
                f"{model!r} takes no {' and no '.join(missing)}; choose a model for texts and "
                "images, or use the 'demo' preset, which needs no download"
            )
        self._tokenizer: Any = getattr(opened.tokenizer, "tokenizer", opened.tokenizer)
        self._query_prompt = opened.prompts.get("query") or ""
        self.composes = bool(opened.supports(("image", "text")))
        super().__init__(
            opened.eval(),
            name=f"sentence-transformers {model}" + (f" ({dimension})" if dimension else ""),
            preprocessing=f"{dimension} {sorted(opened.prompts.items())} "
            f"{self._tokenizer(PROBE)['input_ids']} {_image_settings(opened)}",
            dimension=_dimension(opened, dimension),
            max_tokens=min(opened.get_max_seq_length() or _LONGEST, _LONGEST),
            image_size=None,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
        )

    def count_tokens(self, text: str) -> int:
        """See ``JointEncoder``. The prompt's tokens count as well."""
        with self._tokenizing:
            return len(self._tokenizer(self._query_prompt + text)["input_ids"])

    def preprocess(self, image: Image.Image) -> Image.Image:
        """See ``PreprocessingEncoder``. The model's own preprocessing is a part of its batches."""
        return image

    def encode_composed(self, images: Sequence[Image.Image], words: str) -> Vectors:
        """See ``ComposedEncoder``."""
        shown = list(images) if len(images) > 1 else images[0]
        query = {"image": shown, "text": words}
        [vector] = self._encode([query], lambda batch: self._features("encode_query", batch))
        return np.asarray(vector)

    def _text_features(self, texts: Sequence[str]) -> torch.Tensor:
        return self._features("encode_query", texts)

    def _image_features(self, images: Sequence[Image.Image]) -> torch.Tensor:
        return self._features("encode_document", images)

    def _features(self, method: str, inputs: Sequence[Any]) -> torch.Tensor:
        # Tokenizing is a part of the call.
        with self._tokenizing:
            features: torch.Tensor = getattr(self._model, method)(
                list(inputs),
                batch_size=len(inputs),
                convert_to_tensor=True,
                show_progress_bar=False,
            )
        return features[:, : self.dimension]


def _dimension(opened: Any, wanted: int | None) -> int:
    own = int(opened.get_embedding_dimension() or 0)
    if not own:
        own = len(opened.encode([PROBE], show_progress_bar=False)[0])
    if wanted is not None and not 0 < wanted <= own:
        raise InvalidInputError(f"dimension={wanted}: the model has {own}; choose 1 to {own}")
    return wanted or own


def _image_settings(opened: Any) -> str:
    processor = getattr(opened.processor, "image_processor", None)
    return str(processor.to_json_string()) if processor is not None else ""
