"""The image search as a tool of an agent."""

# No deferred annotations here: FunctionTool looks for the type Context itself.

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ContentBlock, ImageBlock, TextBlock
from llama_index.core.memory import ChatSummaryMemoryBuffer
from llama_index.core.tools import FunctionTool, ToolOutput
from llama_index.core.workflow import Context, Event
from pydantic import ValidationError

from dar_retriever import InvalidInputError, Question, Questioner, SearchResult
from dar_retriever.agents import (
    TOOL_NAME,
    AgentSearch,
    IncludeImages,
    SearchCall,
    invalid_arguments,
    pictures_shown,
    progress_events,
    reply_text,
    result_as_json,
    tool_description,
)
from dar_retriever.agents import Event as History
from dar_retriever.support.threads import in_threads
from llama_index_dar.messages import history_of, summary_marked
from llama_index_dar.nodes import nodes_of
from llama_index_dar.retriever import DARRetriever


class ImageSearchProgress(Event):
    """An event in a workflow's stream that tells about the progress of a search.

    Attributes:
        tool_name: Name of the tool.
        progress: See ``dar_retriever.agents.progress_events``.
    """

    tool_name: str
    progress: dict[str, Any]


def create_image_search_tool(
    retriever: DARRetriever,
    *,
    images: IncludeImages = "thumbnail",
    name: str = TOOL_NAME,
    description: str | None = None,
    scratchpad_key: str = "scratchpad",
    reasoning_key: str = "current_reasoning",
    questioner: Questioner | None = None,
) -> FunctionTool:
    """Make a tool that searches with the conversation of the agent that calls it.

    The tool reads the conversation from the agent's memory and context when it is called, so the
    model only says what is new. The tool has no state of its own; agents and conversations can
    share it. Judgements of earlier hits ("more like number 2") are read from the earlier calls.
    Several runs form one conversation if they get the same memory:
    ``agent.run(text, memory=memory)``.

    Progress goes to the workflow's stream as ``ImageSearchProgress``. The output holds a numbered
    list of hits with their ids and, for multimodal models, the images. Its ``raw_output`` is a dict
    of "nodes", "generated" (data URL, prompt and seed of each generated image), "trace",
    "dialogue", "question" (what to ask the user next, with its choices, or None) and "close"
    (whether anything in the store is close to what was asked for). If a search fails, the model
    gets an output with ``is_error`` that says what to do.

    Args:
        retriever: The retriever. Its ``k`` is the default for calls without one, and its
            ``filter`` and ``only_fitting`` apply to all calls.
        images: How the model sees the hits; "none" for models that read only text.
        name: Name of the tool.
        description: Description for the model; by default it says when to search and which
            metadata to filter by.
        scratchpad_key: Key of the context under which a FunctionAgent keeps its messages.
        reasoning_key: Key of the context under which a ReActAgent keeps its steps.
        questioner: Proposes a question for the user with each result. By default the questions come
            from the metadata. Pass ``LLMQuestions`` for freer ones, ``NoQuestions`` for none.

    Returns:
        A tool for ``FunctionAgent``, ``ReActAgent`` and ``AgentWorkflow``.
    """
    agent_search = AgentSearch(
        retriever.retriever,
        retriever.k,
        retriever.filter,
        questioner,
        cut=retriever.only_fitting,
    )
    search = _Search(agent_search, retriever, images, name, scratchpad_key, reasoning_key)
    return FunctionTool.from_defaults(
        async_fn=search.run,
        name=name,
        description=description or tool_description(retriever.retriever.store),
        fn_schema=SearchCall,
        callback=search.output,
    )


@dataclass(frozen=True, slots=True)
class _Reply:
    arguments: dict[str, Any]
    call: SearchCall
    result: SearchResult
    question: Question | None


@dataclass(frozen=True, slots=True)
class _Search:
    search: AgentSearch
    retriever: DARRetriever
    images: IncludeImages
    name: str
    scratchpad_key: str
    reasoning_key: str

    async def run(self, ctx: Context, **arguments: Any) -> _Reply:
        """Search once."""
        messages = await self._messages(ctx)
        history, call = await asyncio.to_thread(self._asked, messages, arguments)
        async for result in in_threads(self._stages(history, call)):
            for event in await asyncio.to_thread(list, progress_events(result)):
                if ctx.is_running:
                    ctx.write_event_to_stream(
                        ImageSearchProgress(tool_name=self.name, progress=event)
                    )
        asking = await asyncio.to_thread(self.search.asking, result)
        return _Reply(arguments, call, *asking)

    def output(self, reply: _Reply) -> ToolOutput:
        """The output for the model and the application."""
        result = reply.result
        shown = list(pictures_shown(result, self.images))
        text = reply_text(result, reply.question, reply.call)
        if shown:
            # Not a label before each: some LLMs are sent all texts as one, without the pictures.
            order = ", ".join(label.rstrip(":") for label, _ in shown)
            text += f"\nIf you are shown pictures, they are in this order: {order}."
        blocks: list[ContentBlock] = [TextBlock(text=text)]
        for _, picture in shown:
            blocks.append(ImageBlock(url=picture, image_mimetype="image/jpeg"))
        return ToolOutput(
            tool_name=self.name,
            blocks=blocks,
            raw_input={"kwargs": reply.arguments},
            raw_output={
                "nodes": nodes_of(result, self.retriever.include_images),
                **result_as_json(result, reply.question),
            },
        )

    async def _messages(self, ctx: Context) -> list[ChatMessage]:
        """The conversation: the memory, then the messages of the current run."""
        memory = await ctx.store.get("memory", default=None)
        messages = await memory.aget_all() if memory else []
        if isinstance(memory, ChatSummaryMemoryBuffer):
            messages = [summary_marked(message) for message in messages]
        steps = await ctx.store.get(self.reasoning_key, default=[])
        reasoning = "\n".join(step.get_content() for step in steps)
        return [
            *messages,
            *await ctx.store.get(self.scratchpad_key, default=[]),
            *([ChatMessage(role="assistant", content=reasoning)] if reasoning else []),
        ]

    def _asked(
        self, messages: list[ChatMessage], arguments: dict[str, Any]
    ) -> tuple[list[History], SearchCall]:
        """What happened before a call, and the call with the ids of the hits that it names."""
        try:
            call = SearchCall.model_validate(arguments)
        except ValidationError as error:
            raise InvalidInputError(invalid_arguments(error)) from error
        history = list(history_of(messages, self.name, self.retriever.open_url))
        return history, self.search.named(history, call)

    def _stages(self, history: list[History], call: SearchCall) -> Iterator[SearchResult]:
        for result in self.search.stages(history, call):
            yield result.above(self.retriever.min_score)
