"""What a language model is to this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel

Message: TypeAlias = Mapping[str, Any]


class LanguageModel(Protocol):
    """Anything that answers messages; a plain function will do.

    ``langchain_dar.language_model`` and ``llama_index_dar.language_model`` make one of their
    frameworks' models.
    """

    def __call__(self, messages: Sequence[Message], schema: type[BaseModel], /) -> str:
        """Answer.

        Args:
            messages: Dicts of "role" ("system", "user" or "assistant") and "content", as chat APIs
                have them. They say what form the answer is to have. Only where pictures are
                asked about, such as by ``ChatVerifier``, "content" is no text but a list of
                {"type": "text", "text": ...} and {"type": "image_url", "image_url": {"url":
                ...}} with a ``data:`` URL.
            schema: That form, for models that can be made to keep to it
                (``schema.model_json_schema()``); others may ignore it.

        Returns:
            The model's reply, a JSON object if it did as it was told.
        """
        ...
