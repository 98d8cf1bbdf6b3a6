"""Answers a query from the pictures of nodes, as the response synthesizer of a query engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.schema import CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.events.synthesis import (
    SynthesizeEndEvent,
    SynthesizeStartEvent,
)
from llama_index.core.llms import LLM
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.schema import NodeWithScore, QueryBundle, QueryType

from dar_retriever.agents import Answer, OpenUrl, PictureAnswers, PictureBudget
from dar_retriever.support.images import image_from_data_url
from dar_retriever.support.threads import in_thread
from llama_index_dar.language_model import language_model
from llama_index_dar.nodes import hit_of_node
from llama_index_dar.retriever import dialogue_of_query

_DISPATCHER: Final = get_dispatcher(__name__)


@dataclass
class PictureResponse(Response):
    """A response from pictures.

    Attributes:
        answer: The answer, with the hits that it cites. ``source_nodes`` are those that the model
            saw, best first.
    """

    answer: Answer = field(default_factory=lambda: Answer(""))


class PictureSynthesizer(BaseSynthesizer):
    """Answers a query by what the pictures of nodes show, and cites them by their ids.

    Nodes that do not fit the query are left out; how the others are shown and how the answer is
    checked says ``PictureAnswers``. The response comes whole, never as a stream, since its
    citations are checked.

    Args:
        llm: An LLM that sees; that of the settings by default.
        budget: How much of the pictures it is shown.
        limit: Seconds to wait for the answer; None for no limit.
        instructions: See ``PictureAnswers``.
        open_url: Opens URLs and paths of images in queries; see ``dialogue_from_chat_messages``.
        callback_manager: LlamaIndex's callback manager.

    Example:
        >>> from llama_index.core.query_engine import RetrieverQueryEngine
        >>> from llama_index_dar import PictureSynthesizer
        >>> engine = RetrieverQueryEngine(retriever, PictureSynthesizer(llm))  # doctest: +SKIP
        >>> engine.query("how many mugs have dots?").answer.cited  # doctest: +SKIP
    """

    def __init__(
        self,
        llm: LLM | None = None,
        budget: PictureBudget | None = None,
        *,
        limit: float | None = 60.0,
        instructions: str | Path | None = None,
        open_url: OpenUrl = image_from_data_url,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(llm=llm, callback_manager=callback_manager)
        self._answers = PictureAnswers(
            language_model(self._llm), budget, limit=limit, instructions=instructions
        )
        self._open_url = open_url

    def synthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        **_: Any,
    ) -> PictureResponse:
        """Answer.

        Args:
            query: The question; the conversation before it where it is a ``ChatQueryBundle``.
            nodes: What was found, best first.
            additional_source_nodes: Further sources for the response; the LLM does not see them.
            **_: Not used.

        Raises:
            EmptyDialogueError: Nothing was asked.
        """
        bundle = QueryBundle(query) if isinstance(query, str) else query
        _DISPATCHER.event(SynthesizeStartEvent(query=query))
        payload: dict[str, Any] = {EventPayload.QUERY_STR: bundle.query_str}
        with self._callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event:
            dialogue = dialogue_of_query(bundle, (), self._open_url)
            answer = self._answers.answer(dialogue, [hit_of_node(node) for node in nodes])
            seen = {hit.id: rank for rank, hit in enumerate(answer.shown)}
            shown = {node.node_id: node for node in reversed(nodes) if node.node_id in seen}
            sources = sorted(shown.values(), key=lambda node: seen[node.node_id])
            sources += additional_source_nodes or ()
            about = {node.node_id: node.metadata for node in sources}
            response = PictureResponse(answer.text, sources, about, answer)
            event.on_end(payload={EventPayload.RESPONSE: response})
        _DISPATCHER.event(SynthesizeEndEvent(query=query, response=response))
        return response

    async def asynthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        **_: Any,
    ) -> PictureResponse:
        """Like ``synthesize``, without blocking the event loop."""
        return await in_thread(lambda: self.synthesize(query, nodes, additional_source_nodes))

    def get_response(self, query_str: str, text_chunks: Sequence[str], **_: Any) -> NoReturn:
        """Refused, since texts alone show nothing."""
        raise NotImplementedError("pictures are in nodes: use synthesize(query, nodes)")

    async def aget_response(self, query_str: str, text_chunks: Sequence[str], **_: Any) -> NoReturn:
        """Refused, as by ``get_response``."""
        self.get_response(query_str, text_chunks)

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        """There are none of LlamaIndex's; see ``instructions``."""
