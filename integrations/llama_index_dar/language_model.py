"""Lets this package use LlamaIndex's LLMs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from dar_retriever import LanguageModel


def language_model(llm: LLM) -> LanguageModel:
    """Wrap an LLM for ``LLMReformulator`` and ``LLMQuestions``.

    Args:
        llm: An LLM of any provider. If it supports function calling, that gives the answer its
            form; otherwise the prompt describes the form.

    Example:
        >>> from llama_index.core import Settings
        >>> from dar_retriever import LLMReformulator
        >>> reformulator = LLMReformulator(language_model(Settings.llm))  # doctest: +SKIP
    """
    return _LLM(llm)


@dataclass(frozen=True, slots=True)
class _LLM:
    llm: LLM

    def __call__(self, messages: Sequence[Mapping[str, Any]], schema: type[BaseModel], /) -> str:
        asked = [_message(each) for each in messages]
        llm = self.llm
        if not isinstance(llm, FunctionCallingLLM) or not llm.metadata.is_function_calling_model:
            return llm.chat(asked).message.content or ""
        tool = FunctionTool.from_defaults(
            _never_called, name=schema.__name__, description=schema.__doc__, fn_schema=schema
        )
        reply = llm.chat_with_tools([tool], chat_history=asked, tool_required=True)
        calls = llm.get_tool_calls_from_response(reply, error_on_no_tool_call=False)
        # The common check handles an answer in plain text too.
        return json.dumps(calls[0].tool_kwargs) if calls else reply.message.content or ""


def _message(message: Mapping[str, Any]) -> ChatMessage:
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return ChatMessage(role=role, content=content)
    blocks = [
        TextBlock(text=part["text"])
        if part["type"] == "text"
        else ImageBlock(url=part["image_url"]["url"])
        for part in content
    ]
    return ChatMessage(role=role, blocks=blocks)


def _never_called(**_: object) -> None:
    """Only its schema is used."""
