"""The image search as a tool of an agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.content import ContentBlock, TextContentBlock
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel

from dar_retriever import DARError, InvalidInputError, Questioner, SearchResult
from dar_retriever.agents import (
    TOOL_NAME,
    AgentSearch,
    Event,
    IncludeImages,
    OpenUrl,
    ResultData,
    SearchCall,
    Unread,
    answered,
    invalid_arguments,
    judgements_of,
    pictures_shown,
    progress_events,
    reply_text,
    result_as_json,
    tool_description,
)
from dar_retriever.support.threads import in_threads
from langchain_dar.chains import image_block
from langchain_dar.documents import documents_of
from langchain_dar.messages import as_messages, read_message
from langchain_dar.retriever import DARRetriever

_LOGGER: Final = logging.getLogger(__name__)


class SearchArtifact(ResultData):
    """The artifact of a call, for the application; the model does not see it.

    Attributes:
        documents: The hits, as ``DARRetriever`` gives them. Strict checkpoints give them back as
            plain dicts; ``artifact_of`` makes them documents again.
    """

    documents: list[Document]


def artifact_of(message: ToolMessage) -> SearchArtifact:
    """The artifact of a search's message, also if it comes back from a checkpoint.

    Raises:
        InvalidInputError: The message has no artifact of the image search.
    """
    artifact = message.artifact
    if not isinstance(artifact, Mapping) or "documents" not in artifact:
        raise InvalidInputError(
            f"{message.name or 'a message'}: no artifact of the image search; pass the ToolMessage "
            "of a search that has not failed"
        )
    documents = [Document.model_validate(document) for document in artifact["documents"]]
    return cast("SearchArtifact", {**artifact, "documents": documents})


def create_image_search_tool(
    retriever: DARRetriever,
    *,
    images: IncludeImages = "thumbnail",
    name: str = TOOL_NAME,
    description: str | None = None,
    messages_key: str = "messages",
    earlier_key: str | None = None,
    questioner: Questioner | None = None,
) -> BaseTool:
    """Make a tool that searches with the conversation of the agent that calls it.

    The tool reads the conversation from the agent's state when it is called, so the model only says
    what is new. The tool has no state of its own; agents, threads and checkpointers can share it.
    Judgements of earlier hits ("more like number 2") are read from the earlier calls in the state.

    A call's progress goes to the run's stream (``stream_mode="custom"``): the hits by text, the
    generated images, the final hits. The ``ToolMessage`` holds a numbered list of hits with their
    ids and, for multimodal models, the images; its artifact is a ``SearchArtifact``. If a search
    fails, the model gets a tool error that says what to do.

    Args:
        retriever: The retriever. Its ``k`` is the default for calls without one, and its
            ``filter`` and ``only_fitting`` apply to all calls.
        images: How the model sees the hits; "none" for models that read only text.
        name: Name of the tool.
        description: Description for the model; by default it says when to search and which
            metadata to filter by.
        messages_key: Key of the messages in the state.
        earlier_key: Key of messages in the state that were before those, such as the conversation
            of the graph that calls the agent. Messages in both count once.
        questioner: Proposes a question for the user with each result. By default the questions come
            from the metadata. Pass ``LLMQuestions`` for freer ones, ``NoQuestions`` for none.

    Returns:
        A tool for ``create_agent``, LangGraph's ``ToolNode`` or any chat model.
    """
    search = _Search(
        AgentSearch(
            retriever.retriever,
            retriever.k,
            retriever.filter,
            questioner,
            cut=retriever.only_fitting,
        ),
        retriever,
        images,
        name,
        messages_key,
        earlier_key,
    )
    return _SearchTool(
        name=name,
        description=description or tool_description(retriever.retriever.store),
        args_schema=SearchCall,
        func=search.run,
        coroutine=search.arun,
        response_format="content_and_artifact",
        handle_tool_error=True,
        # Its type also allows pydantic 1, which is not used here.
        handle_validation_error=cast("Any", invalid_arguments),
    )


class _SearchTool(StructuredTool):
    """A tool whose schema is that of ``SearchCall``; LangChain's copy of it has defaults.

    OpenAI's strict mode refuses defaults.
    """

    @property
    def tool_call_schema(self) -> type[BaseModel]:
        """The schema that the model sees."""
        return SearchCall


Reply = tuple[str | list[ContentBlock], SearchArtifact]


@dataclass(frozen=True, slots=True)
class _Search:
    search: AgentSearch
    retriever: DARRetriever
    images: IncludeImages
    name: str
    messages_key: str
    earlier_key: str | None

    # Not optional in its type: LangChain would show the argument to the model.
    def run(self, runtime: ToolRuntime = None, **arguments: Any) -> Reply:  # type: ignore[assignment]
        """Search once."""
        with _tool_errors():
            history, call = self._asked(runtime, arguments)
            for result in self._stages(history, call):
                for event in progress_events(result):
                    self._tell(runtime, event)
            return self._reply(result, call)

    async def arun(self, runtime: ToolRuntime = None, **arguments: Any) -> Reply:  # type: ignore[assignment]
        """Search once, without blocking the event loop."""
        with _tool_errors():
            history, call = await asyncio.to_thread(self._asked, runtime, arguments)
            async for result in in_threads(self._stages(history, call)):
                for event in await asyncio.to_thread(list, progress_events(result)):
                    self._tell(runtime, event)
            return await asyncio.to_thread(self._reply, result, call)

    def _asked(
        self, runtime: ToolRuntime | None, arguments: dict[str, Any]
    ) -> tuple[list[Event], SearchCall]:
        """What happened before a call, and the call with the ids of the hits that it names."""
        messages = self._messages(runtime.state) if runtime else []
        history = list(history_of(messages, self.name, self.retriever.open_url))
        return history, self.search.named(history, SearchCall(**arguments))

    def _messages(self, state: Any) -> list[BaseMessage]:
        messages = _messages_of(state, self.messages_key)
        if self.earlier_key is None:
            return messages
        known = {message.id for message in messages if message.id}
        earlier = _messages_of(state, self.earlier_key)
        return [*(each for each in earlier if each.id not in known), *messages]

    def _stages(self, history: Sequence[Event], call: SearchCall) -> Iterator[SearchResult]:
        for result in self.search.stages(history, call):
            yield result.above(self.retriever.min_score)

    def _tell(self, runtime: ToolRuntime | None, event: dict[str, Any]) -> None:
        if runtime is not None:
            runtime.stream_writer(
                {"tool": self.name, "tool_call_id": runtime.tool_call_id, **event}
            )

    def _reply(self, result: SearchResult, call: SearchCall) -> Reply:
        result, question = self.search.asking(result)
        found = documents_of(result, self.retriever.include_images)
        documents = [document.as_document() for document in found]
        artifact = SearchArtifact(documents=documents, **result_as_json(result, question))
        text = reply_text(result, question, call)
        if self.images == "none":
            return text, artifact
        blocks: list[ContentBlock] = [TextContentBlock(type="text", text=text)]
        for label, picture in pictures_shown(result, self.images):
            blocks += [TextContentBlock(type="text", text=label), image_block(picture)]
        return blocks, artifact


def history_of(messages: Sequence[BaseMessage], tool: str, open_url: OpenUrl) -> Iterator[Event]:
    """An agent's messages as what happened in them.

    Args:
        messages: Oldest first.
        tool: Name of the image search among the agent's tools.
        open_url: See ``dialogue_from_messages``.
    """
    waiting: dict[str | None, SearchCall] = {}
    for number, message in enumerate(messages):
        read = read_message(message, number, open_url)
        if read.turn is not None:
            yield read.turn
        yield from (Unread(f"left out: {problem}") for problem in read.problems)
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                if call["name"] == tool:
                    waiting[call["id"]] = judgements_of(call["args"])
        elif isinstance(message, ToolMessage) and message.tool_call_id in waiting:
            call_made = waiting.pop(message.tool_call_id)
            yield from answered(call_made, str(message.text))


def _messages_of(state: Any, key: str) -> list[BaseMessage]:
    """The messages of an agent's state.

    Raises:
        InvalidInputError: The state has no such key.
    """
    if isinstance(state, Mapping):
        names, messages = [str(name) for name in state], state.get(key)
    elif isinstance(state, Sequence):
        names, messages = [], state
    else:
        names, messages = list(vars(state)), getattr(state, key, None)
    if messages is None:
        raise InvalidInputError(
            f"{key!r}: no messages; the agent's state has {', '.join(names) or 'nothing'}; make "
            "the tool with messages_key, the key of the messages"
        )
    return as_messages(messages)


@contextmanager
def _tool_errors() -> Iterator[None]:
    """Turn all errors into tool errors for the model."""
    try:
        yield
    except DARError as error:
        raise ToolException(_one_line(error)) from error
    # A failed search must not end the agent's run.
    except Exception as error:
        _LOGGER.exception("the image search failed")
        raise ToolException(
            f"the image search failed ({type(error).__name__}: {_one_line(error)}); go on without "
            "it, or try once more"
        ) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
