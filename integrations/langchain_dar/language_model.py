"""Lets this package use LangChain's chat models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, convert_to_messages
from pydantic import BaseModel

from dar_retriever import LanguageModel


def language_model(model: BaseChatModel) -> LanguageModel:
    """Wrap a chat model for ``LLMReformulator`` and ``LLMQuestions``.

    Args:
        model: A chat model of any provider. If it supports structured output, that is used;
            otherwise the prompt describes the form of the answer.

    Example:
        >>> from langchain.chat_models import init_chat_model
        >>> from dar_retriever import LLMReformulator
        >>> model = init_chat_model("anthropic:claude-haiku-4-5")  # doctest: +SKIP
        >>> reformulator = LLMReformulator(language_model(model))  # doctest: +SKIP
    """
    return _ChatModel(model)


@dataclass(frozen=True, slots=True)
class _ChatModel:
    model: BaseChatModel

    def __call__(self, messages: Sequence[Mapping[str, Any]], schema: type[BaseModel], /) -> str:
        asked = convert_to_messages([dict(message) for message in messages])
        try:
            structured = self.model.with_structured_output(schema, include_raw=True)
        # Not every model supports it, and some raise other errors about missing tools.
        except (NotImplementedError, ValueError, TypeError):
            return str(self.model.invoke(asked).text)
        answer: Any = structured.invoke(asked)
        if isinstance(answer["parsed"], BaseModel):
            return answer["parsed"].model_dump_json()
        return _said(answer["raw"])


def _said(message: AIMessage) -> str:
    """The text of an answer that does not fit the schema; the common check will refuse it."""
    if message.tool_calls:
        return json.dumps(message.tool_calls[0]["args"])
    malformed = [call["args"] or "" for call in message.invalid_tool_calls]
    return str(message.text) or "".join(malformed)
