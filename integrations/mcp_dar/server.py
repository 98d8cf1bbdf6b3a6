"""The MCP server: its tools, and the images as resources."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Annotated, Any, Final

from mcp.server.apps import client_supports_apps
from mcp.server.auth.provider import TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from pydantic import BeforeValidator, Field, ValidationError

from dar_retriever import (
    DARError,
    DiffusionAugmentedRetriever,
    Question,
    Questioner,
    SearchResult,
    Turn,
    __version__,
)
from dar_retriever.agents import (
    FILTER,
    LESS_LIKE,
    MORE_LIKE,
    REQUEST,
    AgentSearch,
    Event,
    FilterArgument,
    Hits,
    IncludeImages,
    K,
    Listing,
    Named,
    Request,
    SearchCall,
    adds_to,
    hit_picture,
    invalid_arguments,
    listed_ids,
    pictures_shown,
    reply_text,
)
from dar_retriever.support.threads import in_threads
from mcp_dar.apps import TOOL_META, drawings_of, hits_page
from mcp_dar.conversations import Conversations, KeptConversations, new_id
from mcp_dar.results import IMAGE_URI, Found, found_of

_INSTRUCTIONS: Final = (
    "Finds images by conversation. Call search_images with what the user wants, then again after "
    "each answer or correction with the conversation id that the result gave: with the whole wish, "
    "or only with what changes. "
    "more_like_this and its less_like take results by their number or id."
)
_STAGES: Final = 3
# What clients may call without asking a person first.
_READS: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)

Words = Annotated[Request, Field(description=REQUEST)]
Conversation = Annotated[
    Request, Field(description="The id that an earlier result gave; leave it out to begin anew.")
]
Number = Annotated[Hits, Field(description=K)]
Filter = Annotated[FilterArgument, Field(description=f"{FILTER} See describe_store.")]
Liked = Annotated[Named, Field(description=MORE_LIKE)]
Disliked = Annotated[Named, Field(description=LESS_LIKE)]
Reply = Annotated[CallToolResult, Found]
Earlier = Annotated[
    list[str],
    BeforeValidator(lambda said: [said] if isinstance(said, str) and said else said or []),
    Field(description="What the user said before, oldest first, if anything."),
]


def create_server(
    retriever: DiffusionAugmentedRetriever,
    *,
    name: str = "dar-retriever",
    images: IncludeImages = "thumbnail",
    conversations: KeptConversations | None = None,
    questioner: Questioner | None = None,
    cut: bool = False,
    structured: bool = True,
    auth: AuthSettings | None = None,
    token_verifier: TokenVerifier | None = None,
) -> MCPServer[Any]:
    """Make a server for a retriever.

    It has the tools ``search_images``, ``more_like_this`` and ``describe_store``, and the images of
    the store as resources, ``dar://images/{id}``. It reports progress while images are generated,
    and stops generating if a request is cancelled. Clients can only read images of the store.
    Clients with MCP Apps show the hits on a page of their own, with buttons to go on.

    Args:
        retriever: The retriever.
        name: Name of the server.
        images: How clients see the hits; "none" for models that read only text.
        conversations: Where the conversations are kept: ``Conversations``, in memory, by default;
            ``SharedConversations`` for several servers behind a balancer, and for restarts.
        questioner: Proposes questions for the user; from the store's metadata by default.
        cut: Whether lists end where nothing more fits; see ``SearchResult.cut``.
        structured: Whether results come as structured data too, which the page of MCP Apps needs.
            Some clients then show their model that data alone, without the pictures.
        auth: For OAuth over HTTP: which service gives tokens out, and what it calls this server.
        token_verifier: For OAuth: says whose a token is; required with ``auth``.

    Returns:
        A server to run with ``serve_stdio`` or ``serve_http``.
    """
    server: MCPServer[Any] = MCPServer(
        name,
        instructions=_INSTRUCTIONS,
        version=__version__,
        extensions=[hits_page()] if structured else [],
        auth=auth,
        token_verifier=token_verifier,
    )
    search = AgentSearch(retriever, questioner=questioner, cut=cut)
    desk = _Desk(search, conversations or Conversations(), images, structured=structured)
    store = retriever.store
    shown = TOOL_META if structured else None

    @server.tool(
        title="Search images", annotations=_READS, meta=shown, structured_output=structured
    )
    async def search_images(
        ctx: Context[Any, Any],
        request: Words = "",
        earlier_turns: Earlier = [],  # noqa: B006
        conversation: Conversation = "",
        k: Number = None,
        filter: Filter = None,
    ) -> Reply:
        """Find images of the collection that a conversation describes."""
        call = SearchCall(request=request, k=k, filter=filter)
        return await desk.search(ctx, conversation, earlier_turns, call)

    @server.tool(
        title="More like this", annotations=_READS, meta=shown, structured_output=structured
    )
    async def more_like_this(
        ctx: Context[Any, Any],
        images: Liked = [],  # noqa: B006
        less_like: Disliked = [],  # noqa: B006
        request: Words = "",
        conversation: Conversation = "",
        k: Number = None,
        filter: Filter = None,
    ) -> Reply:
        """Find images like earlier results, and unlike others; words may say what to change."""
        call = SearchCall(
            request=request, k=k, filter=filter, more_like=images, less_like=less_like
        )
        return await desk.search(ctx, conversation, (), call)

    @server.tool(title="Describe the collection", annotations=_READS, structured_output=False)
    def describe_store() -> str:
        """What the collection holds: number of images, and metadata fields with their values."""
        with _tool_errors():
            # Only few vector engines can count their records.
            count = len(store) if isinstance(store, Sized) else "An unknown number of"
            lines = [f"{count} images."]
            for field, values in store.facets().items():
                lines.append(f"{field}: {', '.join(values)}")
            return "\n".join(lines)

    @server.resource(IMAGE_URI, mime_type="image/jpeg")
    def image(id: str) -> bytes:
        """An image of the collection, by its id."""
        try:
            (hit,) = store.get([id])
            picture = hit_picture(hit, "full")
        except ValueError as error:
            raise ResourceNotFoundError(f"{id}: no image of the collection") from error
        if picture is None:
            raise ResourceNotFoundError(f"{id}: no image of the collection")
        return base64.b64decode(picture.partition(",")[2])

    return server


class _Desk:
    """Runs searches; each adds a turn to its conversation."""

    def __init__(
        self,
        search: AgentSearch,
        conversations: KeptConversations,
        images: IncludeImages,
        *,
        structured: bool,
    ) -> None:
        self._search = search
        self._conversations = conversations
        self._images = images
        self._structured = structured

    async def search(
        self, ctx: Context[Any, Any], conversation: str, said: Sequence[str], call: SearchCall
    ) -> CallToolResult:
        with _tool_errors():
            past, asked = (
                await asyncio.to_thread(self._conversations.of, conversation)
                if conversation
                else ((), None)
            )
            # The request is the user's next turn, unless it only repeats an earlier one.
            turns = [Turn("user", text) for text in said]
            new = [call.request] if not turns or adds_to(call.request, turns) else []
            events: list[Event] = [*past, *_turns([*said, *new], asked)]
            call = self._search.named(events, call)
            async for result in in_threads(self._search.stages(events, call)):
                await _report(ctx, result)
            result, question = await asyncio.to_thread(self._search.asking, result)
            text = reply_text(result, question, call)
            pictures = await asyncio.to_thread(list, self._pictures(result))
            known = conversation or new_id()
            happened = [*events, call, Listing(listed_ids(text))]
            await asyncio.to_thread(self._conversations.keep, known, happened, question)
            told = TextContent(type="text", text=f"{text}\nTo go on: conversation={known}")
            found = found_of(result, question, known).model_dump() if self._structured else None
            drawn = drawings_of(result) if self._structured and client_supports_apps(ctx) else None
            return CallToolResult(content=[told, *pictures], structured_content=found, _meta=drawn)

    def _pictures(self, result: SearchResult) -> Iterator[ContentBlock]:
        for label, picture in pictures_shown(result, self._images):
            yield TextContent(type="text", text=label)
            yield _image(picture)


def _turns(said: Sequence[str], asked: Question | None) -> Iterator[Turn]:
    """The user's turns; if one is a choice of the last question, the question comes before it."""
    for text in filter(str.strip, said):
        answer = asked.answer(text) if asked else None
        if asked and answer:
            yield Turn("assistant", asked.text)
        yield Turn("user", answer or text)


def _image(url: str) -> ImageContent:
    return ImageContent(type="image", data=url.partition(",")[2], mime_type="image/jpeg")


async def _report(ctx: Context[Any, Any], result: SearchResult) -> None:
    trace = result.trace
    if not result.final:
        only = f" (only: {'; '.join(trace.only)})" if trace.only else ""
        said = f"{len(result.hits)} text hits: {trace.understood}{only}"
        await ctx.report_progress(1, _STAGES, said)
        return
    if trace.generated:
        await ctx.report_progress(2, _STAGES, f"{len(trace.generated)} images generated")
    await ctx.report_progress(_STAGES, _STAGES, f"{len(result.hits)} hits")


@contextmanager
def _tool_errors() -> Iterator[None]:
    """Pass this package's own errors on to the model; the server logs all others."""
    try:
        yield
    except ValidationError as error:
        raise ToolError(invalid_arguments(error)) from error
    except DARError as error:
        raise ToolError(str(error)) from error
