"""``dar mcp`` and ``dar app``: servers for agents and for people."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dar_retriever.cli.common import (
    APP,
    ERR,
    Cut,
    DemoFolder,
    Device,
    HideNearDuplicates,
    Hits,
    Labels,
    LocalModel,
    PresetName,
    Products,
    RuntimeName,
    Store,
    local_model,
    open_retriever,
    parse_labels,
)
from dar_retriever.demo.examples import example_turns, opening_examples
from dar_retriever.demo.gallery import picture_name
from dar_retriever.demo.retriever import FOLDER, PRODUCTS, demo_retriever
from dar_retriever.errors import InvalidInputError
from dar_retriever.questions import FacetQuestions
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.images import open_image
from dar_retriever.support.spans import send_spans
from dar_retriever.support.web_access import is_loopback

_NAME: Final = re.compile("[A-Za-z0-9_-]+")

AllowedHosts = Annotated[
    list[str], typer.Option("--allowed-host", help="A further name it answers to; repeatable.")
]
AllowAnyone = Annotated[
    bool, typer.Option("--allow-anyone", help="Listen off loopback without protection.")
]


@APP.command()
def user(name: Annotated[str, typer.Argument(help="Who may use the page.")]) -> None:
    """Ask for a password and print a line for the file of dar app --users."""
    from gradio_dar import line_for

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    sys.stdout.write(line_for(name, password) + "\n")


@APP.command()
def mcp(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    cut: Cut = False,  # noqa: FBT002
    http: Annotated[bool, typer.Option("--http", help="Over HTTP at /mcp, not stdio.")] = False,  # noqa: FBT002
    host: Annotated[str, typer.Option(help="With --http: where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="With --http: where to listen.")] = 8000,
    token: Annotated[
        str,
        typer.Option(envvar="DAR_MCP_TOKEN", help="With --http: what clients have to send."),
    ] = "",
    language_model: LocalModel = "",
    allowed_host: AllowedHosts = [],  # noqa: B006
    allow_anyone: AllowAnyone = False,  # noqa: FBT002 (an option of the command)
    conversations: Annotated[
        Path | None,
        typer.Option(help="A file for the conversations, to share with other servers."),
    ] = None,
    structured: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool,
        typer.Option(help="Results as data too; some clients then leave the pictures out."),
    ] = True,
    device: Device = None,
    runtime: RuntimeName = "torch",
) -> None:
    """Serve agents by the Model Context Protocol (extra: mcp)."""
    from mcp_dar import SharedConversations, create_server, serve_http, serve_stdio

    kept = SharedConversations(conversations) if conversations else None
    retriever = open_retriever(preset, store, device, language_model, runtime=runtime)
    server = create_server(retriever, conversations=kept, cut=cut, structured=structured)
    if http:
        ERR.print(f"The server: http://{host}:{port}/mcp  (Ctrl-C ends it)", highlight=False)
        serve_http(
            server,
            host=host,
            port=port,
            token=token,
            allowed_hosts=allowed_host,
            allow_anyone=allow_anyone,
        )
    else:
        serve_stdio(server)


@APP.command("app")
def page(
    store: Store = "dar-store",
    preset: PresetName = "demo",
    k: Hits = 24,
    demo: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--demo", help="Search the demo's gallery; drawn where it is missing.")
    ] = False,
    folder: DemoFolder = Path(FOLDER),
    products: Products = PRODUCTS,
    llm: Annotated[
        str, typer.Option(help="An agent answers: its chat model, as LangChain names it.")
    ] = "",
    index_: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--index", help="Let the page index folders of this machine.")
    ] = False,
    collections: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--collections", help="Let visitors put hits into collections.")
    ] = False,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen; 0 for any free one.")] = 7860,
    language_model: LocalModel = "",
    hide_near_duplicates: HideNearDuplicates = False,  # noqa: FBT002 (an option of the command)
    label: Labels = [],  # noqa: B006
    allowed_host: AllowedHosts = [],  # noqa: B006
    users: Annotated[
        Path | None, typer.Option(help="Ask for a password: a file of lines of 'dar user NAME'.")
    ] = None,
    also: Annotated[
        list[str], typer.Option(help="A further store, NAME=PLACE, with a page at /NAME/.")
    ] = [],  # noqa: B006
    rights: Annotated[
        Path | None, typer.Option(help="With --also: a file of lines 'WHO: STORE, STORE'.")
    ] = None,
    user_header: Annotated[
        str, typer.Option(help="Only for those whom a proxy names in this header.")
    ] = "",
    proxy: Annotated[
        list[str], typer.Option(help="With --user-header: the proxy's address; repeatable.")
    ] = ["127.0.0.1", "::1"],  # noqa: B006
    metrics: Annotated[
        int, typer.Option(help="Prometheus metrics of the turns at this port of 127.0.0.1.")
    ] = 0,
    spans: Annotated[
        str, typer.Option(help="Send OpenTelemetry spans of the searches to this collector.")
    ] = "",
    log_json: Annotated[  # noqa: FBT002 (an option of the command, never a position)
        bool, typer.Option("--log-json", help="Logs as JSON, with a line for each turn.")
    ] = False,
    allow_anyone: AllowAnyone = False,  # noqa: FBT002 (an option of the command)
    device: Device = None,
    runtime: RuntimeName = "torch",
) -> None:
    """Serve the page: talk, see what was understood, pick (extra: app)."""
    from gradio_dar import (
        AgentResponder,
        ProxyHeader,
        SearchResponder,
        create_app,
        read_rights,
        read_users,
        serve,
    )

    if index_ and not is_loopback(host):
        raise InvalidInputError(
            f"--index with --host {host}: folders of this machine can be indexed from it alone; "
            "leave one of the two out"
        )

    if (demo and also) or (rights and not also):
        raise InvalidInputError("--also and --rights are for several stores, and the demo has one")
    named = _named([store, *also], several=bool(also))
    names, places = list(named), list(named.values())
    sign_in = ProxyHeader(user_header, tuple(proxy)) if user_header else None
    counted = _watching(metrics, spans, log_json=log_json)
    labels = parse_labels(label)

    def opened(place: str, first: DiffusionAugmentedRetriever | None) -> Any:
        return open_retriever(
            preset,
            place,
            device,
            language_model,
            runtime=runtime,
            keep_drawings=False,
            hide_near_duplicates=hide_near_duplicates,
            models_of=first,
        )

    def page_of(retriever: DiffusionAugmentedRetriever, name: str = "") -> Any:
        agent = AgentResponder(retriever, partial(_agent, llm, k)) if llm else None
        return create_app(
            retriever,
            responder=agent or SearchResponder(retriever, k, FacetQuestions(retriever, labels)),
            k=k,
            indexing=index_,
            examples=_demo_examples(folder) if demo else None,
            scenes=_scenes(retriever, demo=demo),
            # Paths are for those who sit at this machine.
            paths=is_loopback(host) and not (users or allowed_host or sign_in),
            collections=collections,
            metrics=counted,
            name=name,
        )

    if demo:
        model = local_model(language_model, device)
        pages = page_of(demo_retriever(folder, products, language_model=model))
    elif not also:
        pages = page_of(opened(store, None))
    else:
        first = opened(places[0], None)
        retrievers = [first, *(opened(place, first) for place in places[1:])]
        pages = {n: page_of(one, n) for n, one in zip(names, retrievers, strict=True)}
    serve(
        pages,
        host=host,
        port=port,
        allowed_hosts=allowed_host,
        users=read_users(users) if users else None,
        sign_in=sign_in,
        rights=read_rights(rights, names) if rights else None,
        allow_anyone=allow_anyone,
    )


def _watching(metrics: int, spans: str, *, log_json: bool) -> Any:
    """Log, send spans and serve metrics as asked for; what counts turns, if anything does."""
    from gradio_dar import Metrics, log_as_json

    if log_json:
        log_as_json()
    if spans:
        send_spans(spans)
    counted = Metrics() if metrics else None
    if counted is not None:
        counted.serve(metrics)
    return counted


def _named(stores: list[str], *, several: bool) -> dict[str, str]:
    """Places of stores by name: "NAME=PLACE", or a place that is named by its last part.

    Raises:
        InvalidInputError: Two have the same name, or a name is no part of an address.
    """
    named: dict[str, str] = {}
    for each in stores:
        name, equals, place = each.partition("=")
        if not equals or not _NAME.fullmatch(name):
            name, place = Path(each.partition("?")[0]).name, each
        if several and (name in named or not _NAME.fullmatch(name)):
            raise InvalidInputError(
                f"store {each!r}: write NAME=PLACE, with a name of its own of letters, digits, - "
                "and _"
            )
        named[name] = place
    return named


def _demo_examples(folder: Path) -> list[Any]:
    from gradio_dar import Example

    return [
        Example.of(example.text, open_image(folder / "gallery" / picture_name(example.number)))
        for example in opening_examples()
    ]


def _scenes(retriever: DiffusionAugmentedRetriever, *, demo: bool) -> Any:
    """The conversation that plays itself; only the demo's drawings cost nothing."""
    from gradio_dar import play, turns_of, without_costs

    if demo:
        return play(retriever, example_turns())
    return play(without_costs(retriever), turns_of(retriever))


def _agent(model: str, k: int, retriever: DiffusionAugmentedRetriever) -> Any:
    with needs_extra("langchain"):
        from gradio_dar import INSTRUCTIONS
        from langchain.agents import create_agent
        from langchain_dar import DARRetriever, ImagesForModel, create_image_search_tool

    tool = create_image_search_tool(DARRetriever(retriever=retriever, k=k))
    return create_agent(model, [tool], middleware=[ImagesForModel()], system_prompt=INSTRUCTIONS)
