"""LlamaIndex's LLMs for what this package asks language models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM
from pydantic import BaseModel

from dar_retriever import LanguageModel


def language_model(llm: LLM) -> LanguageModel:
    """Make an LLM one that ``LLMReformulator`` and ``LLMQuestions`` can ask.

    Args:
        llm: Of any provider. Where it calls functions, it is made to keep to a schema that way;
            else it is told to in words.

    Example:
        >>> from llama_index.core import Settings
        >>> from dar_retriever import LLMReformulator
        >>> reformulator = LLMReformulator(language_model(Settings.llm))  # doctest: +SKIP
    """
    return _LLM(llm)


@dataclass(frozen=True, slots=True)
class _LLM:
    llm: LLM

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: type[BaseModel], /) -> str:
        asked = [ChatMessage(role=each["role"], content=each["content"]) for each in messages]
        if not self.llm.metadata.is_function_calling_model:
            return self.llm.chat(asked).message.content or ""
        try:
            return self.llm.as_structured_llm(schema).chat(asked).message.content or ""
        except ValueError as error:
            # No function was called, or with arguments of another form: an answer like any other.
            return f"no answer of the form that was asked for ({error})"
