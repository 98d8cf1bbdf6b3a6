"""Shows the pictures of tools to every LLM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    ContentBlock,
    ImageBlock,
    LLMMetadata,
    MessageRole,
    TextBlock,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM, ToolSelection

from dar_retriever import agents
from dar_retriever.agents import Place

# Their classes take pictures in a tool's message.
_IN_TOOL_MESSAGES: Final = frozenset(
    {"openai_responses_llm", "Anthropic_LLM", "Bedrock_Converse_LLM"}
)


class ImagesForModel(FunctionCallingLLM):
    """An LLM that is shown the pictures of tools in the messages that its API takes.

    OpenAI's Chat Completions take no pictures in tool messages, and some models cannot see. Give
    an agent ``ImagesForModel(llm=llm)`` in place of ``llm``; its memory stays as it is.

    Attributes:
        llm: The LLM that answers.
        place: "tool" leaves the pictures in the tool's message. "user" puts them into a user's
            message after all tool messages of the step. "none" leaves them out. By default
            ``place_of`` decides.
        searches: Number of searches whose pictures are sent, the last ones; of earlier ones only
            the text. Calls of one message count as one. None sends all.
    """

    llm: FunctionCallingLLM
    place: Place | None = None
    searches: int | None = 1

    @classmethod
    def class_name(cls) -> str:
        """Name of the kind of LLM."""
        return "ImagesForModel"

    @property
    def metadata(self) -> LLMMetadata:
        """What the LLM can do."""
        return self.llm.metadata

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See ``LLM``."""
        return self.llm.chat(self._fitting(messages), **kwargs)

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """See ``LLM``."""
        return await self.llm.achat(self._fitting(messages), **kwargs)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """See ``LLM``."""
        return self.llm.stream_chat(self._fitting(messages), **kwargs)

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """See ``LLM``."""
        return await self.llm.astream_chat(self._fitting(messages), **kwargs)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: FBT001, FBT002 (LlamaIndex's)
        """See ``LLM``."""
        return self.llm.complete(prompt, formatted, **kwargs)

    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 (LlamaIndex's)
        **kwargs: Any,
    ) -> CompletionResponse:
        """See ``LLM``."""
        return await self.llm.acomplete(prompt, formatted, **kwargs)

    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 (LlamaIndex's)
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """See ``LLM``."""
        return self.llm.stream_complete(prompt, formatted, **kwargs)

    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: FBT001, FBT002 (LlamaIndex's)
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """See ``LLM``."""
        return await self.llm.astream_complete(prompt, formatted, **kwargs)

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002 (LlamaIndex's)
        **kwargs: Any,
    ) -> list[ToolSelection]:
        """See ``FunctionCallingLLM``."""
        return self.llm.get_tool_calls_from_response(
            response, error_on_no_tool_call=error_on_no_tool_call, **kwargs
        )

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self.llm._prepare_chat_with_tools_compat(*args, **kwargs)  # noqa: SLF001

    def _validate_chat_with_tools_response(
        self, response: ChatResponse, *args: Any, **kwargs: Any
    ) -> ChatResponse:
        return self.llm._validate_chat_with_tools_response(response, *args, **kwargs)  # noqa: SLF001

    def _fitting(self, messages: Sequence[ChatMessage]) -> list[ChatMessage]:
        return with_pictures(messages, self.place or place_of(self.llm), searches=self.searches)


def place_of(llm: LLM) -> Place:
    """Where an LLM sees the pictures of tools, by its class and its API."""
    if llm.class_name() in _IN_TOOL_MESSAGES:
        return "tool"
    # Gemini takes pictures in the response of a function from version 3 on.
    google = llm.class_name() == "GenAI" and "gemini-3" in llm.metadata.model_name
    return "tool" if google else "user"


def with_pictures(
    messages: Sequence[ChatMessage], place: Place, *, searches: int | None = None
) -> list[ChatMessage]:
    """Messages with the pictures of tools where an LLM sees them.

    Args:
        messages: Oldest first; they are not changed.
        place: See ``ImagesForModel``.
        searches: See ``ImagesForModel``.
    """
    return agents.with_pictures(messages, _Form(), place, searches)


class _Form:
    """LlamaIndex's messages; see ``dar_retriever.agents.Form``."""

    def is_tools(self, message: ChatMessage) -> bool:
        return message.role == MessageRole.TOOL

    def blocks(self, message: ChatMessage) -> Sequence[ContentBlock]:
        return message.blocks

    def is_picture(self, block: ContentBlock) -> bool:
        return isinstance(block, ImageBlock)

    def text_of(self, block: ContentBlock) -> str | None:
        return block.text if isinstance(block, TextBlock) else None

    def with_blocks(self, message: ChatMessage, blocks: Sequence[ContentBlock]) -> ChatMessage:
        return message.model_copy(update={"blocks": list(blocks)})

    def users(self, results: Sequence[tuple[str, Sequence[ContentBlock]]]) -> ChatMessage:
        blocks: list[ContentBlock] = []
        for opening, pictures in results:
            blocks += [TextBlock(text=opening), *pictures]
        return ChatMessage(role=MessageRole.USER, blocks=blocks)
