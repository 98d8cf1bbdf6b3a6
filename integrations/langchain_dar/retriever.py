"""The retriever for chains."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, MessageLikeRepresentation
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from dar_retriever import DiffusionAugmentedRetriever, StoreOpener, from_preset
from dar_retriever.agents import IncludeImages, OpenUrl, progress_events
from dar_retriever.support.images import image_from_data_url
from dar_retriever.support.threads import in_threads
from langchain_dar.documents import documents_of
from langchain_dar.language_model import language_model
from langchain_dar.messages import as_messages, dialogue_from_messages, role_of

PROGRESS_EVENT: Final = "image_search_progress"


class DARRetriever(BaseRetriever):
    """Finds images from a query and the conversation before it.

    ``invoke``, ``ainvoke`` and the like also take ``chat_history``, the messages before the query,
    and any field except ``retriever``, for one call. During a search, custom events named
    "image_search_progress" report the hits by text, the generated images and the final hits.

    Attributes:
        retriever: The retriever.
        k: Maximum number of documents.
        filter: A metadata filter of Chroma, such as ``{"colour": "red"}``.
        min_score: Documents with a lower score are left out. The score is that of the search,
            also where a second stage orders the hits; it depends on encoder and fusion.
        only_fitting: Whether documents that do not fit the query are left out, so that no model
            sees them; see ``SearchResult.cut``.
        include_images: Whether ``metadata["image"]`` holds the document's image as a data URL:
            "none", "thumbnail" (at most 256 pixels per side) or "full".
        open_url: Opens URLs of images in the messages; see ``dialogue_from_messages``.

    Example:
        >>> from langchain_dar import DARRetriever
        >>> retriever = DARRetriever.from_preset("demo", "my-store", k=5)  # doctest: +SKIP
        >>> retriever.invoke("make it blue", chat_history=[("human", "a mug")])  # doctest: +SKIP
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    retriever: DiffusionAugmentedRetriever
    k: int = Field(default=5, ge=1)
    filter: dict[str, Any] | None = None
    min_score: float | None = None
    only_fitting: bool = False
    include_images: IncludeImages = "none"
    open_url: OpenUrl = image_from_data_url

    @classmethod
    def from_preset(
        cls,
        name: str,
        store: str | os.PathLike[str] | StoreOpener | None = None,
        *,
        device: str | None = None,
        cache_folder: str | os.PathLike[str] | None = None,
        llm: BaseChatModel | None = None,
        **fields: Any,
    ) -> DARRetriever:
        """Open a preset's models and a store; see ``dar_retriever.from_preset``.

        Args:
            name: Name of the preset.
            store: Folder of the image store, or a function that opens a store for the preset's
                encoder. By default the store is in memory.
            device: Device of the models.
            cache_folder: Folder for generated images; by default they are not kept.
            llm: Reformulates the dialogue; rules do by default.
            **fields: Other arguments of this class.

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
        return cls(retriever=opened, **fields)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        chat_history: Sequence[MessageLikeRepresentation] = (),
        **fields: Any,
    ) -> list[Document]:
        documents: list[Document] = []
        config: Any = {"callbacks": run_manager.get_child()}
        for documents, events in _stages(self._with(fields), query, chat_history):  # noqa: B007
            for event in events:
                dispatch_custom_event(PROGRESS_EVENT, event, config=config)
        return documents

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        chat_history: Sequence[MessageLikeRepresentation] = (),
        **fields: Any,
    ) -> list[Document]:
        documents: list[Document] = []
        config: Any = {"callbacks": run_manager.get_child()}
        stages = in_threads(_stages(self._with(fields), query, chat_history))
        async for documents, events in stages:  # noqa: B007
            for event in events:
                await adispatch_custom_event(PROGRESS_EVENT, event, config=config)
        return documents

    def _with(self, fields: dict[str, Any]) -> DARRetriever:
        """This retriever with other fields, checked as in the constructor."""
        if not fields:
            return self
        return type(self)(**{**dict(self), **fields})


def _stages(
    retriever: DARRetriever, query: str, chat_history: Sequence[MessageLikeRepresentation]
) -> Iterator[tuple[list[Document], list[dict[str, Any]]]]:
    """The documents of each stage of a search, with its progress events."""
    messages = as_messages(chat_history)
    # In some chains the history already ends with the query.
    last = messages[-1] if messages else None
    if last is None or role_of(last) != "user" or last.text != query:
        messages.append(HumanMessage(query))
    dialogue = dialogue_from_messages(messages, open_url=retriever.open_url)
    for result in retriever.retriever.stream(dialogue, retriever.k, retriever.filter):
        kept = (result.cut() if retriever.only_fitting else result).above(retriever.min_score)
        yield [*documents_of(kept, retriever.include_images)], list(progress_events(kept))
