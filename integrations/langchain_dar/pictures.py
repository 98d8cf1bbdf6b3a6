"""Shows the pictures of tools to every chat model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, ToolMessage

from dar_retriever import agents
from dar_retriever.agents import Place

_PICTURES: Final = frozenset({"image", "image_url", "input_image"})
# Their APIs take pictures in a tool's message; where a profile says so, that counts.
_IN_TOOL_MESSAGES: Final = frozenset(
    {
        *("anthropic-chat", "amazon_bedrock_converse_chat", "chat-google-generative-ai"),
        *("vertexai", "chat-ollama"),
    }
)


class ImagesForModel(AgentMiddleware[Any, Any]):
    """Middleware that shows the pictures of tools in the messages that a model's API takes.

    OpenAI's Chat Completions refuse pictures in tool messages, and some models cannot see. The
    messages in the agent's state stay as they are; only what a model is sent changes.

    Args:
        place: "tool" leaves the pictures in the tool's message. "user" puts them into a user's
            message after all tool messages of the step. "none" leaves them out. By default
            ``place_of`` decides for each model.
        searches: Number of searches whose pictures are sent, the last ones; of earlier ones only
            the text. Calls of one message count as one. None sends all.

    Example:
        >>> from langchain.agents import create_agent
        >>> agent = create_agent(
        ...     "openai:gpt-4o", [search_images], middleware=[ImagesForModel()]
        ... )  # doctest: +SKIP
    """

    def __init__(self, place: Place | None = None, *, searches: int | None = 1) -> None:
        super().__init__()
        self.place = place
        self.searches = searches

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> Any:
        """Send what the model's API takes."""
        return handler(self._fitting(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> Any:
        """Like ``wrap_model_call``."""
        return await handler(self._fitting(request))

    def _fitting(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        place = self.place or place_of(request.model)
        messages = with_pictures(request.messages, place, searches=self.searches)
        return request.override(messages=cast("list[AnyMessage]", messages))


def place_of(model: BaseChatModel) -> Place:
    """Where a chat model sees the pictures of tools.

    Its profile says whether it sees at all, and whether tool messages may hold pictures. Profiles
    are those of models, not of APIs: OpenAI's models take pictures in tool messages only through
    the Responses API. Where there is no profile, the provider decides.
    """
    profile = model.profile or {}
    if profile.get("image_inputs") is False:
        return "none"
    if hasattr(model, "use_responses_api"):
        return "tool" if model.use_responses_api else "user"
    in_tools = profile.get("image_tool_message")
    if in_tools is None:
        in_tools = model._llm_type in _IN_TOOL_MESSAGES  # noqa: SLF001 (all models have it)
    return "tool" if in_tools else "user"


def with_pictures(
    messages: Sequence[BaseMessage], place: Place, *, searches: int | None = None
) -> list[BaseMessage]:
    """Messages with the pictures of tools where a model sees them.

    For graphs without middleware: ``model.invoke(with_pictures(messages, place_of(model)))``.

    Args:
        messages: Oldest first; they are not changed.
        place: See ``ImagesForModel``.
        searches: See ``ImagesForModel``.
    """
    return agents.with_pictures(messages, _Form(), place, searches)


class _Form:
    """LangChain's messages; see ``dar_retriever.agents.Form``."""

    def is_tools(self, message: BaseMessage) -> bool:
        return isinstance(message, ToolMessage)

    def blocks(self, message: BaseMessage) -> Sequence[Any]:
        return () if isinstance(message.content, str) else message.content

    def is_picture(self, block: Any) -> bool:
        return isinstance(block, dict) and block.get("type") in _PICTURES

    def text_of(self, block: Any) -> str | None:
        text = block.get("text") if isinstance(block, dict) else block
        return text if isinstance(text, str) else None

    def with_blocks(self, message: BaseMessage, blocks: Sequence[Any]) -> BaseMessage:
        said = [text for text in map(self.text_of, blocks) if text is not None]
        # One text is what every API takes.
        content = "\n".join(said) if len(said) == len(blocks) else list(blocks)
        return message.model_copy(update={"content": content})

    def users(self, results: Sequence[tuple[str, Sequence[Any]]]) -> BaseMessage:
        blocks: list[str | dict[Any, Any]] = []
        for opening, pictures in results:
            blocks += [{"type": "text", "text": opening}, *pictures]
        return HumanMessage(blocks)
