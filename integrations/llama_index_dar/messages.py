"""Reads dialogues and agent runs from LlamaIndex's chat messages."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from llama_index.core.base.llms.types import (
    ChatMessage,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from PIL import Image

from dar_retriever import Dialogue, InvalidImageError, InvalidInputError, Role
from dar_retriever.agents import (
    Event,
    OpenUrl,
    Part,
    ReadMessage,
    SearchCall,
    Unread,
    answered,
    assistant_message,
    dialogue_of,
    is_summary,
    judgements_of,
    summary_message,
    user_message,
)
from dar_retriever.support.images import image_from_data_url, read_image

_ROLES: Final[Mapping[MessageRole, Role]] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
}
# The form of a ReActAgent's steps in a message; only the answer was shown to the user.
_STEPS: Final = re.compile(r"\AThought: (?:.*^Answer: (?P<answer>.*))?", re.DOTALL | re.MULTILINE)
_STEP: Final = re.compile(
    r"^Action: (?P<tool>\S+)\nAction Input: (?P<arguments>\{[^\n]*\})\n"
    r"Observation: (?P<result>.*?)(?=^Thought: |\Z)",
    re.DOTALL | re.MULTILINE,
)


def dialogue_from_chat_messages(
    messages: Sequence[ChatMessage],
    *,
    open_url: OpenUrl = image_from_data_url,
    id: str = "",
) -> Dialogue:
    """Read a conversation from LlamaIndex's chat messages.

    The texts and images of the user and the texts of the assistant are kept, so that answers stay
    with their questions. System messages, tool calls and tool results are left out. Summaries of
    earlier messages count as the user's words.

    Args:
        messages: Chat messages. Images may be blocks with bytes, a path or a URL.
        open_url: Opens the URL or the path of an image block. By default only data URLs are opened,
            because the application should decide what users may open: see ``ImageAccess``.
        id: See ``Dialogue``.

    Raises:
        InvalidInputError: Something is not a message.
        InvalidImageError: An image is not readable.
    """
    return dialogue_of((read_message(each, n, open_url) for n, each in enumerate(messages)), id)


def read_message(message: ChatMessage, number: int, open_url: OpenUrl) -> ReadMessage:
    """Read one message.

    Args:
        message: Of any role.
        number: What to call it in errors.
        open_url: See ``dialogue_from_chat_messages``.

    Raises:
        InvalidInputError: It is not a message.
    """
    if not isinstance(message, ChatMessage):
        raise InvalidInputError(f"message {number}: {message!r} is not a ChatMessage")
    role, text = _ROLES.get(message.role), message.content or ""
    if message.role in (MessageRole.USER, MessageRole.SYSTEM) and is_summary(text):
        return summary_message(text)
    if role is None:
        return ReadMessage()
    if role == "assistant":
        steps = _STEPS.match(text)
        return assistant_message(steps["answer"] or "" if steps else text)
    return user_message(_parts(message, open_url), number)


def summary_marked(message: ChatMessage) -> ChatMessage:
    """A message of a memory that summarises; its system message is the summary of what went."""
    if message.role != MessageRole.SYSTEM or is_summary(message.content or ""):
        return message
    return ChatMessage(role=message.role, content=f"Conversation summary: {message.content}")


def history_of(messages: Sequence[ChatMessage], tool: str, open_url: OpenUrl) -> Iterator[Event]:
    """An agent's messages as what happened in them.

    Args:
        messages: Oldest first, of a FunctionAgent or a ReActAgent.
        tool: Name of the image search among the agent's tools.
        open_url: See ``dialogue_from_chat_messages``.
    """
    # Providers without call ids, such as Ollama, use the tool's name as the id.
    nameless = (None, "", tool)
    waiting: dict[object, SearchCall] = {}
    for number, message in enumerate(messages):
        text = message.content or ""
        for step in _STEP.finditer(text):
            if step["tool"] == tool and _ROLES.get(message.role) == "assistant":
                yield from answered(judgements_of(_literal(step["arguments"])), step["result"])
        read = read_message(message, number, open_url)
        if read.turn is not None:
            yield read.turn
        yield from (Unread(f"left out: {problem}") for problem in read.problems)
        for place, (name, id_, arguments) in enumerate(_calls(message)):
            if name == tool:
                key = (number, place) if id_ in nameless else id_
                waiting[key] = judgements_of(_literal(arguments))
        if message.role == MessageRole.TOOL:
            call_id = message.additional_kwargs.get("tool_call_id")
            called = next(iter(waiting), None) if call_id in nameless else call_id
            if called in waiting:
                yield from answered(waiting.pop(called), text)


def _calls(message: ChatMessage) -> Iterator[tuple[Any, Any, Any]]:
    """Names, ids and arguments of a message's calls of tools."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    for block in blocks:
        yield block.tool_name, block.tool_call_id, block.tool_kwargs
    # Some providers keep the calls here alone, in the form of OpenAI's API or as its objects.
    kept = () if blocks else message.additional_kwargs.get("tool_calls") or ()
    for call in kept:
        plain = call if isinstance(call, Mapping) else getattr(call, "model_dump", dict)()
        function = plain.get("function") or {}
        yield function.get("name"), plain.get("id"), function.get("arguments")


def _literal(arguments: Any) -> Any:
    """Arguments as a mapping; some providers give them as text."""
    if not isinstance(arguments, str):
        return arguments
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return read(arguments)
    return {}


def _parts(message: ChatMessage, open_url: OpenUrl) -> Iterator[Part]:
    """The texts and images of a message; other blocks are left out."""
    for block in message.blocks:
        if isinstance(block, TextBlock):
            yield block.text
        elif isinstance(block, ImageBlock):
            yield partial(_opened, block, open_url)


def _opened(block: ImageBlock, open_url: OpenUrl) -> Image.Image:
    if isinstance(block.image, bytes):
        return read_image(base64.b64decode(block.image), "an image block")
    if block.image is not None:
        return read_image(block.resolve_image().read(), "an image block")
    if block.path is not None:
        return open_url(str(block.path))
    if block.url is not None:
        return open_url(str(block.url))
    raise InvalidImageError("an image block without bytes, path or URL; give it one of them")
