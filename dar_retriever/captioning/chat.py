"""Captions by a chat model that sees."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from PIL import Image
from pydantic import BaseModel

from dar_retriever.captioning.base import Captioned
from dar_retriever.language_models import LanguageModel, ask
from dar_retriever.language_models.answers import Phrase
from dar_retriever.language_models.instructions import instructions as filled_in
from dar_retriever.language_models.pictures import picture_part

_SIDE: Final = 512
_AT_ONCE: Final = 4


class _Caption(BaseModel):
    """A caption of one picture."""

    caption: Phrase


class ChatCaptioner:
    """Asks a chat model for a caption of each picture, four at a time.

    Args:
        model: Any ``LanguageModel`` that takes pictures: ``langchain_dar.language_model`` and
            ``llama_index_dar.language_model`` make one.
        name: What its captions are marked with, such as the model's name.
        instructions: What to write, in place of the package's own text; or the file that holds it.
            The answer is to be a JSON object with "caption".
        limit: Seconds to wait for one caption; None for no limit.

    Raises:
        InvalidInputError: The file of instructions cannot be read.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        name: str = "chat model",
        instructions: str | Path | None = None,
        limit: float | None = 60.0,
    ) -> None:
        self.name = name
        self._model, self._limit = model, limit
        self._told = filled_in("describe", instructions)

    def __call__(self, image: Image.Image, /) -> str:
        """A caption of one picture.

        Raises:
            LanguageModelError: The model gave no valid answer.
            TimeoutError: There was no answer in time.
        """
        shown = [picture_part(image, _SIDE)]
        return ask(self._model, self._told, shown, _Caption, self._limit)[0].caption

    def captions(self, images: Sequence[Image.Image]) -> list[Captioned]:
        """See ``BatchCaptioner``."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._or_error, images))

    def _or_error(self, image: Image.Image) -> Captioned:
        try:
            return self(image)
        # The model may be third-party code or a remote service.
        except Exception as error:
            return error
