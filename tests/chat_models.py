"""Chat models without a model: each answers by a function of the messages it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool
from pydantic import Field, PrivateAttr


class FunctionChatModel(BaseChatModel):
    """Answers by a function and keeps what it was given."""

    answer: Callable[[list[BaseMessage]], AIMessage]
    given: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "function"

    def bind_tools(self, tools: Sequence[BaseTool], **_: Any) -> FunctionChatModel:
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.given.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.answer(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.given.append(messages)
        for word in str(self.answer(messages).text).split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(f"{word} "))


class Caller(FunctionChatModel):
    """Calls a tool once for each message of the user, then asks whether it is right."""

    arguments: Callable[[str], dict[str, Any]]
    answer: Callable[[list[BaseMessage]], AIMessage] = lambda _: AIMessage("")
    tool: str = "search_images"
    says: str = "Here they are. What should be different?"
    _numbers: Iterator[int] = PrivateAttr(default_factory=count)

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.given.append(messages)
        message = AIMessage(self.says)
        # Pictures of a tool may come as a message of the user, after the tool's own.
        pictures = len(messages) > 1 and messages[-2].type == "tool"
        if messages[-1].type == "human" and not pictures:
            call = {
                "name": self.tool,
                "args": self.arguments(str(messages[-1].text)),
                "id": f"call-{next(self._numbers)}",
            }
            message = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])
