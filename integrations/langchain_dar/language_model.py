"""LangChain's chat models for what this package asks language models."""

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
    """Make a chat model one that ``LLMReformulator`` and ``LLMQuestions`` can ask.

    Args:
        model: Of any provider. Where it can be made to keep to a schema, it is; else it is told to
            in words.

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

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: type[BaseModel], /) -> str:
        asked = convert_to_messages([dict(message) for message in messages])
        try:
            structured = self.model.with_structured_output(schema, include_raw=True)
        # Not every model can; some say so by an error of their own about missing tools.
        except (NotImplementedError, ValueError, TypeError):
            return str(self.model.invoke(asked).text)
        answer: Any = structured.invoke(asked)
        if isinstance(answer["parsed"], BaseModel):
            return answer["parsed"].model_dump_json()
        return _said(answer["raw"])


def _said(message: AIMessage) -> str:
    """What an answer that does not keep to the schema says, to be refused by the check of all."""
    if message.tool_calls:
        return json.dumps(message.tool_calls[0]["args"])
    malformed = [call["args"] or "" for call in message.invalid_tool_calls]
    return str(message.text) or "".join(malformed)
