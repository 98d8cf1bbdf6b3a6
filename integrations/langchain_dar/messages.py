"""LangChain's messages as a dialogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    MessageLikeRepresentation,
    SystemMessage,
    convert_to_messages,
)
from PIL import Image

from dar_retriever import Dialogue, InvalidImageError, InvalidInputError, Role
from dar_retriever.agents import (
    OpenUrl,
    Part,
    ReadMessage,
    assistant_message,
    dialogue_of,
    is_summary,
    summary_message,
    user_message,
)
from dar_retriever.support.images import image_from_data_url

_CHAT_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
}


def dialogue_from_messages(
    messages: Sequence[MessageLikeRepresentation],
    *,
    open_url: OpenUrl = image_from_data_url,
    id: str = "",
) -> Dialogue:
    """Read a conversation from LangChain's messages.

    The texts and images of the user and the texts of the assistant are kept, so that answers stay
    with their questions. System messages, tool calls and tool results are left out. Summaries of
    earlier messages count as the user's words.

    Args:
        messages: Messages, or anything that LangChain converts to messages. Images may have any
            form that LangChain knows: standard blocks, version 0 blocks, and the blocks of OpenAI,
            Anthropic, Bedrock and Google.
        open_url: Opens the URL of an image block. By default only data URLs are opened, because
            the application should decide what users may open: see ``ImageAccess``.
        id: See ``Dialogue``.

    Raises:
        InvalidInputError: Something is not a message, or malformed.
        InvalidImageError: An image is not readable, or is given as a provider's file id.
    """
    read = (read_message(each, n, open_url) for n, each in enumerate(as_messages(messages)))
    return dialogue_of(read, id)


def as_messages(messages: Sequence[MessageLikeRepresentation]) -> list[BaseMessage]:
    """Convert anything that LangChain accepts as messages.

    Raises:
        InvalidInputError: Something is not a message.
    """
    # LangChain would treat each letter or key as a message.
    if isinstance(messages, str | Mapping):
        raise InvalidInputError(
            f"{str(messages)[:200]}: not a list of messages; put it into a list"
        )
    try:
        return convert_to_messages(messages)
    # LangChain raises its own errors, or KeyError, TypeError or ValueError.
    except Exception as error:
        raise InvalidInputError(
            f"{str(messages)[:200]}: not a list of messages ({type(error).__name__}: {error}); "
            "pass HumanMessage, AIMessage and the like"
        ) from error


def read_message(message: BaseMessage, number: int, open_url: OpenUrl) -> ReadMessage:
    """Read one message.

    Args:
        message: Of any kind.
        number: What to call it in errors.
        open_url: See ``dialogue_from_messages``.
    """
    text = str(message.text)
    if _is_summary(message, text):
        return summary_message(text)
    role = role_of(message)
    if role is None:
        return ReadMessage()
    if role == "assistant":
        return assistant_message(text)
    return user_message(_parts(message, number, open_url), number)


def role_of(message: BaseMessage) -> Role | None:
    """The role of a message; None for messages of the system and of tools."""
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, AIMessage):
        return "assistant"
    if isinstance(message, ChatMessage):
        return _CHAT_ROLES.get(message.role.lower())
    return None


def _is_summary(message: BaseMessage, text: str) -> bool:
    """Whether a message of the user or the system is a summary of earlier messages."""
    marked = message.additional_kwargs.get("lc_source") == "summarization"
    return isinstance(message, HumanMessage | SystemMessage) and (marked or is_summary(text))


def _parts(message: BaseMessage, number: int, open_url: OpenUrl) -> Iterator[Part]:
    """The texts and images of a message; other blocks are left out."""
    try:
        blocks = message.content_blocks
    # LangChain does not check blocks before it translates them.
    except Exception as error:
        raise InvalidInputError(
            f"message {number}: a malformed content block ({type(error).__name__}: {error}); "
            "build blocks with langchain_core.messages.content"
        ) from error
    for block in blocks:
        part: dict[str, Any] = {**block}
        kind = part.get("type")
        if kind == "non_standard":
            part = _unwrapped(part.get("value"))
            kind = part.get("type")
        if kind in ("text", "input_text"):
            text = part.get("text")
            if not isinstance(text, str):
                raise InvalidInputError(f"message {number}: text={text!r} of a block is not a str")
            yield text
        elif kind == "image" or str(part.get("mime_type")).startswith("image/"):
            yield partial(_opened, part, open_url)


def _unwrapped(value: Any) -> dict[str, Any]:
    """Convert image blocks that LangChain leaves as they are to the standard form."""
    if not isinstance(value, Mapping):
        return {}
    if value.get("type") in ("image_url", "input_image"):
        image = value.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        return {"type": "image", "url": url, "file_id": value.get("file_id")}
    inline = value.get("inline_data") if "inline_data" in value else value
    if isinstance(inline, Mapping) and "data" in inline:
        return {"mime_type": inline.get("mime_type"), "base64": inline["data"]}
    return dict(value)


def _opened(block: Mapping[str, Any], open_url: OpenUrl) -> Image.Image:
    return open_url(_url_of(block))


def _url_of(block: Mapping[str, Any]) -> str:
    """The URL of an image block; image data become a data URL.

    Raises:
        InvalidImageError: The block names a provider's file, or has no image at all.
    """
    if block.get("base64"):
        return f"data:{block.get('mime_type') or 'image/jpeg'};base64,{block['base64']}"
    if isinstance(block.get("url"), str):
        return str(block["url"])
    file_id = block.get("file_id") or block.get("id")
    if file_id:
        raise InvalidImageError(
            f"file id {file_id!r}: only the provider that keeps the file can open it; send the "
            "image as base64 data or as a URL"
        )
    raise InvalidImageError(
        f"an image block of {', '.join(map(str, block)) or 'nothing'}: neither data nor URL; send "
        "the image as base64 data or as a URL"
    )
