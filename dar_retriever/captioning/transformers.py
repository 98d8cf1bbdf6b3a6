"""Captions by any image-to-text model of transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final

from PIL import Image

from dar_retriever.encoders.transformers import open_safely
from dar_retriever.errors import InvalidInputError
from dar_retriever.support.devices import choose_batch_size, choose_device, choose_dtype
from dar_retriever.support.model_files import loading

_ASKED: Final = "Describe this picture in one plain sentence."


class TransformersCaptioner:
    """A captioning model such as BLIP, GIT or ViT-GPT2, or a chat model that sees, opened here.

    Chat models such as Qwen3-VL are asked for one plain sentence. Decoding is greedy: the same
    picture has the same caption.

    Args:
        model: Hub id or local folder, such as "Salesforce/blip-image-captioning-base".
        prompt: What a chat model is asked, or what other models go on from; some, such as
            Florence-2, take a task name such as "<CAPTION>".
        device: "cuda", "mps" or "cpu"; the best one available by default.
        dtype: "float16", "bfloat16" or "float32"; by default half precision on accelerators.
        batch_size: Pictures read at once; by default 16 on CPUs, else 64.
        max_new_tokens: The longest caption.
        pickled_weights: Whether weights that are no safetensors file may be opened; they can run
            code.

    Raises:
        InvalidInputError: ``batch_size`` or ``max_new_tokens`` is below 1, or there is no such
            device or dtype.
        ModelLoadError: The model cannot be opened, or puts no pictures into words.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        prompt: str | None = None,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int | None = None,
        max_new_tokens: int = 60,
        pickled_weights: bool = False,
    ) -> None:
        if max_new_tokens < 1:
            raise InvalidInputError(f"max_new_tokens={max_new_tokens}: must be at least 1")
        place = os.fspath(model)
        # A folder's name tells the model, and its place is nobody's business.
        self.name = Path(place).name if Path(place).is_dir() else place
        self._device = choose_device(device)
        self._dtype = choose_dtype(dtype, self._device)
        self._batch_size = choose_batch_size(batch_size, self._device)
        self._longest, self._prompt = max_new_tokens, prompt
        with loading("captioner", place):
            from transformers import AutoConfig, AutoModelForImageTextToText

            config = AutoConfig.from_pretrained(place, trust_remote_code=False)
            opened = open_safely(
                place, config, pickled=pickled_weights, opener=AutoModelForImageTextToText
            )
            self._model: Any = opened.to(self._device, self._dtype).eval()
            self._processor, self._tokenizer = _processors(place)
        self._chats = getattr(self._processor, "chat_template", None) is not None
        # Answers begin where the questions end.
        self._tokenizer.padding_side = "left"
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._lock = Lock()

    def __call__(self, image: Image.Image, /) -> str:
        """A caption of one RGB image."""
        return self.captions([image])[0]

    def captions(self, images: Sequence[Image.Image]) -> list[str]:
        """A caption of each RGB image."""
        size = self._batch_size
        with self._lock:
            return [
                caption
                for start in range(0, len(images), size)
                for caption in self._batch(
                    [each.convert("RGB") for each in images[start : start + size]]
                )
            ]

    def _batch(self, images: list[Image.Image]) -> list[str]:
        import torch

        inputs = self._asked(images) if self._chats else self._shown(images)
        inputs = {
            name: value.to(self._device, self._dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        with torch.inference_mode():
            made = self._model.generate(**inputs, do_sample=False, max_new_tokens=self._longest)
        if self._chats:
            made = made[:, inputs["input_ids"].shape[1] :]
        told = self._tokenizer.batch_decode(made, skip_special_tokens=True)
        return [str(text).strip() for text in told]

    def _asked(self, images: list[Image.Image]) -> Any:
        text = {"type": "text", "text": self._prompt or _ASKED}
        chats = [
            [{"role": "user", "content": [{"type": "image", "image": image}, text]}]
            for image in images
        ]
        return self._processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _shown(self, images: list[Image.Image]) -> Any:
        words = {"text": [self._prompt] * len(images), "padding": True} if self._prompt else {}
        return self._processor(images=images, return_tensors="pt", **words)


def _processors(model: str) -> tuple[Any, Any]:
    """What prepares pictures, and words where the model has one for both; and the tokenizer."""
    from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer, ProcessorMixin

    both = AutoProcessor.from_pretrained(model, trust_remote_code=False)
    if isinstance(both, ProcessorMixin):
        return both, both.tokenizer
    # An encoder and a decoder that were trained apart come with two.
    return (
        AutoImageProcessor.from_pretrained(model, trust_remote_code=False),
        AutoTokenizer.from_pretrained(model, trust_remote_code=False),
    )
