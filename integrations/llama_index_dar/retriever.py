"""The retriever for query engines and chat engines."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms import LLM
from llama_index.core.memory import BaseMemory
from llama_index.core.schema import NodeWithScore, QueryBundle

from dar_retriever import (
    Dialogue,
    DiffusionAugmentedRetriever,
    Filter,
    InvalidInputError,
    StoreOpener,
    from_preset,
)
from dar_retriever.agents import IncludeImages, OpenUrl, progress_events
from dar_retriever.support.images import image_from_data_url
from dar_retriever.support.threads import in_threads
from llama_index_dar.language_model import language_model
from llama_index_dar.messages import dialogue_from_chat_messages
from llama_index_dar.nodes import nodes_of

_DISPATCHER: Final = get_dispatcher(__name__)


@dataclass
class ChatQueryBundle(QueryBundle):
    """A query with the conversation before it; query engines and routers pass it on unchanged.

    Attributes:
        messages: The conversation before the query.
    """

    messages: Sequence[ChatMessage] = ()


class ImageSearchEvent(BaseEvent):
    """Progress of a search: the hits by text, the generated images, the final hits.

    Attributes:
        progress: See ``dar_retriever.agents.progress_events``.
    """

    progress: dict[str, Any]

    @classmethod
    def class_name(cls) -> str:
        """Name of the kind of event."""
        return "ImageSearchEvent"


class DARRetriever(BaseRetriever):
    """Finds images from a query and the conversation before it.

    Args:
        retriever: The retriever.
        k: Maximum number of nodes.
        filter: A metadata filter of Chroma, such as ``{"colour": "red"}``.
        min_score: Nodes with a lower score are left out. The score is that of the search,
            also where a second stage orders the hits; it depends on encoder and fusion.
        only_fitting: Whether nodes that do not fit the query are left out, so that no model sees
            them; see ``SearchResult.cut``.
        include_images: Whether a node holds its image in base64: "none", "thumbnail" (at most 256
            pixels per side) or "full".
        open_url: Opens URLs and paths of images in messages and queries; see
            ``dialogue_from_chat_messages``.
        memory: The conversation before every query; see ``with_memory``.
        callback_manager: LlamaIndex's callback manager.

    Raises:
        InvalidInputError: ``k`` is below 1, or ``include_images`` is unknown.

    Example:
        >>> from llama_index_dar import DARRetriever
        >>> retriever = DARRetriever.from_preset("demo", "my-store", k=5)  # doctest: +SKIP
        >>> retriever.retrieve("a red mug")  # doctest: +SKIP
    """

    def __init__(
        self,
        retriever: DiffusionAugmentedRetriever,
        *,
        k: int = 5,
        filter: Filter | None = None,
        min_score: float | None = None,
        only_fitting: bool = False,
        include_images: IncludeImages = "none",
        open_url: OpenUrl = image_from_data_url,
        memory: BaseMemory | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if k < 1:
            raise InvalidInputError(f"k={k}: ask for at least 1 node")
        if include_images not in get_args(IncludeImages):
            raise InvalidInputError(
                f"include_images={include_images!r} is not one of "
                f"{', '.join(get_args(IncludeImages))}"
            )
        super().__init__(callback_manager=callback_manager)
        self.retriever = retriever
        self.k = k
        self.filter = filter
        self.min_score = min_score
        self.only_fitting = only_fitting
        self.include_images: IncludeImages = include_images
        self.open_url = open_url
        self.memory = memory

    @classmethod
    def from_preset(
        cls,
        name: str,
        store: str | os.PathLike[str] | StoreOpener | None = None,
        *,
        device: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        llm: LLM | None = None,
        **options: Any,
    ) -> DARRetriever:
        """Open a preset's models and a store; see ``dar_retriever.from_preset``.

        Args:
            name: Name of the preset.
            store: Folder of the image store, or a function that opens a store for the preset's
                encoder. By default the store is in memory.
            device: Device of the models.
            cache_folder: Folder for generated images; by default they are not kept.
            llm: Reformulates the dialogue; rules do by default.
            **options: Other arguments of this class.

        Raises:
            InvalidInputError: There is no preset of that name.
            ModelLoadError: A model cannot be opened.
            EncoderMismatchError: Another encoder filled the store.
        """
        opened = from_preset(
            name,
            store,
            device=device,
            cache_folder=cache_folder,
            language_model=None if llm is None else language_model(llm),
        )
        return cls(opened, **options)

    def with_memory(self, memory: BaseMemory) -> DARRetriever:
        """A copy of this retriever that reads the earlier conversation from a chat engine's memory.

        LlamaIndex's chat engines pass only the last message to a retriever, or a condensed
        question. Give the engine this copy and the same memory, and the whole conversation counts.
        """
        bound = copy.copy(self)
        bound.memory = memory
        return bound

    def retrieve_chat(self, messages: Sequence[ChatMessage]) -> list[NodeWithScore]:
        """Retrieve for a conversation; its last message does not need to be a question.

        Raises:
            EmptyDialogueError: The user has not said or shown anything.
        """
        return self.retrieve(ChatQueryBundle("", messages=messages))

    async def aretrieve_chat(self, messages: Sequence[ChatMessage]) -> list[NodeWithScore]:
        """Like ``retrieve_chat``, without blocking the event loop."""
        return await self.aretrieve(ChatQueryBundle("", messages=messages))

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        history = self.memory.get_all() if self.memory else []
        nodes: list[NodeWithScore] = []
        for nodes, events in self._stages(query_bundle, history):  # noqa: B007
            _tell(events)
        return nodes

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        history = await self.memory.aget_all() if self.memory else []
        nodes: list[NodeWithScore] = []
        async for nodes, events in in_threads(self._stages(query_bundle, history)):  # noqa: B007
            _tell(events)
        return nodes

    def _stages(
        self, query: QueryBundle, history: Sequence[ChatMessage]
    ) -> Iterator[tuple[list[NodeWithScore], list[ImageSearchEvent]]]:
        """The nodes of each stage of a search, with its progress events."""
        dialogue = dialogue_of_query(query, history, self.open_url)
        for result in self.retriever.stream(dialogue, self.k, self.filter):
            kept = (result.cut() if self.only_fitting else result).above(self.min_score)
            events = [ImageSearchEvent(progress=event) for event in progress_events(kept)]
            yield nodes_of(kept, self.include_images), events


def dialogue_of_query(
    query: QueryBundle, history: Sequence[ChatMessage], open_url: OpenUrl
) -> Dialogue:
    """A query with the conversation before it; that of a ``ChatQueryBundle`` comes first."""
    before = query.messages if isinstance(query, ChatQueryBundle) else history
    dialogue = dialogue_from_chat_messages(before, open_url=open_url)
    if query.image_path:
        return dialogue.say(query.query_str, open_url(query.image_path))
    said = dialogue.turns[-1:]
    # Some engines add the query to their memory before they retrieve.
    known = said and said[0].role == "user" and said[0].text == " ".join(query.query_str.split())
    return dialogue if known or not query.query_str else dialogue.say(query.query_str)


def _tell(events: Sequence[ImageSearchEvent]) -> None:
    for event in events:
        _DISPATCHER.event(event)
