"""What all commands share: the application, options, consoles, opened models."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.encoders import JointEncoder
from dar_retriever.errors import InvalidInputError
from dar_retriever.generation import Acceleration
from dar_retriever.language_models import LocalLanguageModel
from dar_retriever.presets import PRESETS, from_preset, open_encoder
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.opening import is_address
from dar_retriever.support.addresses import shown_address
from dar_retriever.support.paths import is_folder_gone
from dar_retriever.support.progress import quiet_libraries

APP: Final = typer.Typer(
    help="Find images from a conversation (Diffusion Augmented Retrieval).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
OUT: Final = Console()
ERR: Final = Console(stderr=True)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (Typer calls it so)
    if wanted:
        OUT.print(f"dar-retriever {package_version('dar-retriever')}", highlight=False)
        raise typer.Exit


@APP.callback()
def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print it.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


Store = Annotated[
    str,
    typer.Option(
        help="Folder of the image store, or an address: http://HOST:PORT/COLLECTION (Chroma), "
        "postgresql://, qdrant://, qdrant:FOLDER, milvus://, milvus:FILE.db, lancedb:FOLDER."
    ),
]
HideNearDuplicates = Annotated[
    bool, typer.Option("--hide-near-duplicates", help="Show of each burst the best hit alone.")
]
PresetName = Annotated[str, typer.Option(help=f"Models: {', '.join(PRESETS)}, or auto.")]
Hits = Annotated[int, typer.Option("-k", help="Number of hits.")]
Cut = Annotated[
    bool, typer.Option("--cut", help="End the list where nothing more fits the request.")
]
Where = Annotated[str, typer.Option(help='Metadata filter as JSON, such as {"colour": "red"}.')]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DemoFolder = Annotated[
    Path, typer.Option("--folder", help="Of the demo: where gallery, store and page go.")
]
Products = Annotated[int, typer.Option(help="Of the demo: number of products in its gallery.")]
LocalModel = Annotated[
    str,
    typer.Option(
        "--language-model",
        help="A language model run here words the captions: name, folder or GGUF (local-llm).",
    ),
]
Labels = Annotated[
    list[str],
    typer.Option("--label", help="FIELD=NAME: what questions call a metadata field; repeatable."),
]
Device = Annotated[str | None, typer.Option(help="cuda, mps or cpu; the best there is by default.")]
RuntimeName = Annotated[
    str, typer.Option("--runtime", help="What draws: torch, or openvino on a CPU (openvino).")
]


def open_retriever(
    preset: str,
    store: str,
    device: str | None,
    language_model: str = "",
    *,
    runtime: str = "torch",
    keep_drawings: bool = True,
    hide_near_duplicates: bool = False,
    models_of: DiffusionAugmentedRetriever | None = None,
) -> DiffusionAugmentedRetriever:
    """Open a preset over a store that is there, and a language model if one is named.

    Raises:
        InvalidInputError: The store's folder is missing, or there is no such runtime.
    """
    acceleration = acceleration_of(runtime)
    folder = None if is_address(existing_store(store)) else Path(store)
    cache = folder / "generated" if folder is not None and keep_drawings else None
    with quiet_libraries(), ERR.status("Opening the models"):
        model = local_model(language_model, device)
        retriever = from_preset(
            preset,
            store,
            device=device,
            cache_folder=cache,
            language_model=model,
            acceleration=acceleration,
            hide_near_duplicates=hide_near_duplicates,
            models_of=models_of,
        )
    if preset == "demo":
        # The pictures of its catalogue can be put into words by the encoder that knows them.
        encoder = retriever.query_encoder.encoder
        retriever.query_encoder.captioner = CatalogueCaptioner(encoder)
    return retriever


def acceleration_of(runtime: str) -> Acceleration:
    """The acceleration that runs the denoiser in a runtime.

    Raises:
        InvalidInputError: There is no such runtime.
    """
    return Acceleration(runtime=runtime)  # type: ignore[arg-type]


def existing_store(store: str) -> str:
    """The place of a store that is there, or of a server.

    Raises:
        InvalidInputError: The store's folder is missing.
    """
    if not is_address(store) and is_folder_gone(store):
        shown = shown_address(store)
        raise InvalidInputError(
            f"store={shown!r} does not exist; make it with 'dar index FOLDER --store {shown}'"
        )
    return store


def local_model(name: str, device: str | None) -> LocalLanguageModel | None:
    """A language model that runs here; None for an empty name."""
    return LocalLanguageModel(name, device=device) if name else None


def open_quiet_encoder(preset: str, device: str | None) -> JointEncoder:
    """Open a preset's encoder without what its library prints."""
    with quiet_libraries():
        return open_encoder(preset, device=device)


def parse_filter(where: str) -> dict[str, Any] | None:
    """A metadata filter that was written as JSON; None for an empty text.

    Raises:
        InvalidInputError: It is no JSON object.
    """
    if not where:
        return None
    try:
        parsed = json.loads(where)
    except ValueError as error:
        raise InvalidInputError(
            f"--where {where!r} is no JSON ({error}); quote it whole"
        ) from error
    if not isinstance(parsed, dict):
        raise InvalidInputError(f'--where {where!r} is no JSON object, such as {{"colour": "red"}}')
    return parsed


def parse_labels(labels: Sequence[str]) -> dict[str, str]:
    """Labels of fields by name, each written as FIELD=NAME.

    Raises:
        InvalidInputError: One is written in another form.
    """
    parsed = {}
    for label in labels:
        field, _, name = (part.strip() for part in label.partition("="))
        if not field or not name:
            raise InvalidInputError(f"--label {label!r}: write FIELD=NAME, such as Farbe=colour")
        parsed[field] = name
    return parsed


def print_json(content: dict[str, Any]) -> None:
    """One line for programs, there at once also in a pipe."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()
