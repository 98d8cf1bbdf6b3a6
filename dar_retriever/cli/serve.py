"""``dar mcp`` and ``dar app``: servers for agents and for people."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

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
from dar_retriever.demo.examples import opening_examples
from dar_retriever.demo.gallery import picture_name
from dar_retriever.demo.retriever import FOLDER, PRODUCTS, demo_retriever
from dar_retriever.errors import InvalidInputError
from dar_retriever.questions import FacetQuestions
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.support.extras import needs_extra
from dar_retriever.support.images import open_image
from dar_retriever.support.web_access import is_loopback

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
    user_header: Annotated[
        str, typer.Option(help="Only for those whom a proxy names in this header.")
    ] = "",
    proxy: Annotated[
        list[str], typer.Option(help="With --user-header: the proxy's address; repeatable.")
    ] = ["127.0.0.1", "::1"],  # noqa: B006
    metrics: Annotated[
        int, typer.Option(help="Prometheus metrics of the turns at this port of 127.0.0.1.")
    ] = 0,
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
        Metrics,
        ProxyHeader,
        SearchResponder,
        create_app,
        log_as_json,
        read_users,
        serve,
    )

    if index_ and not is_loopback(host):
        raise InvalidInputError(
            f"--index with --host {host}: folders of this machine can be indexed from it alone; "
            "leave one of the two out"
        )

    sign_in = ProxyHeader(user_header, tuple(proxy)) if user_header else None
    if log_json:
        log_as_json()
    counted = Metrics() if metrics else None
    if counted is not None:
        counted.serve(metrics)
    labels = parse_labels(label)
    retriever = (
        demo_retriever(folder, products, language_model=local_model(language_model, device))
        if demo
        else open_retriever(
            preset,
            store,
            device,
            language_model,
            runtime=runtime,
            keep_drawings=False,
            hide_near_duplicates=hide_near_duplicates,
        )
    )
    responder = (
        AgentResponder(retriever, partial(_agent, llm, k))
        if llm
        else SearchResponder(retriever, k, FacetQuestions(retriever, labels))
    )
    served = create_app(
        retriever,
        responder=responder,
        k=k,
        indexing=index_,
        examples=_demo_examples(folder) if demo else None,
        # Paths are for those who sit at this machine.
        paths=is_loopback(host) and not (users or allowed_host or sign_in),
        collections=collections,
        metrics=counted,
    )
    serve(
        served,
        host=host,
        port=port,
        allowed_hosts=allowed_host,
        users=read_users(users) if users else None,
        sign_in=sign_in,
        allow_anyone=allow_anyone,
    )


def _demo_examples(folder: Path) -> list[Any]:
    from gradio_dar import Example

    return [
        Example.of(example.text, open_image(folder / "gallery" / picture_name(example.number)))
        for example in opening_examples()
    ]


def _agent(model: str, k: int, retriever: DiffusionAugmentedRetriever) -> Any:
    with needs_extra("langchain"):
        from gradio_dar import INSTRUCTIONS
        from langchain.agents import create_agent
        from langchain_dar import DARRetriever, ImagesForModel, create_image_search_tool

    tool = create_image_search_tool(DARRetriever(retriever=retriever, k=k))
    return create_agent(model, [tool], middleware=[ImagesForModel()], system_prompt=INSTRUCTIONS)
