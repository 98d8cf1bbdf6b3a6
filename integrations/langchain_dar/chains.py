"""Parts of chains that search with a conversation and show images to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, MessageLikeRepresentation
from langchain_core.messages.content import ContentBlock, ImageContentBlock, TextContentBlock
from langchain_core.runnables import RunnableConfig, RunnableSerializable

from dar_retriever import InvalidInputError
from langchain_dar.messages import as_messages
from langchain_dar.retriever import DARRetriever


class DialogueRetriever(RunnableSerializable[dict[str, Any], list[Document]]):
    """Searches with a chain's input and its chat history.

    Takes a mapping such as ``{"input": "make it blue", "chat_history": [...]}``. The input is a
    text, a list of content blocks (which may include images) or a message. The history is optional.

    Attributes:
        retriever: The retriever.
        input_key: Key of the input.
        history_key: Key of the earlier messages.
    """

    retriever: DARRetriever
    input_key: str = "input"
    history_key: str = "chat_history"

    def invoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Search.

        Args:
            input: See the class.
            config: Config of the run.
            **kwargs: Fields of ``DARRetriever`` for this call.

        Raises:
            InvalidInputError: The input is missing, or something is not a message.
        """
        query, history = said_in(input, self.input_key, self.history_key)
        return self.retriever.invoke(query, config, chat_history=history, **kwargs)

    async def ainvoke(
        self, input: dict[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Like ``invoke``, without blocking the event loop."""
        query, history = said_in(input, self.input_key, self.history_key)
        return await self.retriever.ainvoke(query, config, chat_history=history, **kwargs)


def said_in(
    input: Mapping[str, Any], input_key: str, history_key: str
) -> tuple[str, list[MessageLikeRepresentation]]:
    """The text of a chain's input, and the messages up to and including it.

    Raises:
        InvalidInputError: The input is missing, or is not a message.
    """
    if input_key not in input:
        raise InvalidInputError(
            f"{', '.join(map(str, input)) or 'nothing'}: no key {input_key!r}; pass "
            "the user's words there, or set input_key"
        )
    said = input[input_key]
    (message,) = as_messages([HumanMessage(said) if isinstance(said, str | list) else said])
    return str(message.text), [*(input.get(history_key) or []), message]


def content_blocks(documents: Sequence[Document]) -> list[ContentBlock]:
    """Documents as content blocks for a multimodal model.

    Args:
        documents: Results of a retriever with ``include_images`` other than "none".

    Returns:
        For each document its number and text, then its image if there is one.
    """
    blocks: list[ContentBlock] = []
    for number, document in enumerate(documents, 1):
        text = f"Image {number}: {document.page_content}"
        blocks.append(TextContentBlock(type="text", text=text))
        image = document.metadata.get("image")
        if image:
            blocks.append(image_block(image))
    return blocks


def image_block(url: str) -> ContentBlock:
    """A data URL of a JPEG as a standard image block, which all providers' packages accept."""
    return ImageContentBlock(type="image", base64=url.partition(",")[2], mime_type="image/jpeg")
