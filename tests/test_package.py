"""What design.md says of the package as a whole: a small public face, imports one way, light."""

from __future__ import annotations

import ast
import graphlib
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import dar_retriever
from dar_retriever import errors

ROOT = Path(dar_retriever.__file__).parent.parent
PACKAGE = ROOT / "dar_retriever"
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "open_clip", "chromadb", "accelerate"}

# From the ground up: a module imports from its own layer's room and from the layers before it.
LAYERS = [
    {"errors"},
    {"support"},
    {"conversation", "language_models", "generation", "encoders"},
    {"reformulation", "fusion", "captioning", "trace"},
    {"understanding"},
    {"query_encoder"},
    {"stores"},
    {"ingest", "ranking"},
    {"retriever"},
    {"presets", "questions"},
    {"agents"},
    {"demo"},
    {"evaluation"},
    {"cli"},
    {"__main__"},
]
# Plain values that protocols speak of, too many for the protocol's own file.
VALUES = {f"stores.{n}" for n in ("copies", "entry_parts", "hits", "filters", "fields", "roots")}
AT_THE_ROOT = {"__init__", "__main__", "errors", "trace", "query_encoder", "retriever"}
# The drawn catalogue is ground as well: nothing of the method is needed to draw it.
CATALOGUE = {f"demo.{name}" for name in ("products", "patterns", "shapes", "drawing", "captions")}


def module_name(path: Path) -> str:
    """Of a file of the package, without the package's own name: "encoders.base"."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


class Imports(ast.NodeVisitor):
    """Collects the modules that a file names, with those for type checkers kept apart."""

    def __init__(self) -> None:
        self.named: set[str] = set()
        self.for_types: set[str] = set()
        self._into = self.named

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            self._into = self.for_types
        self.generic_visit(node)
        self._into = self.named

    def visit_Import(self, node: ast.Import) -> None:
        self._into.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        assert node.level == 0, "imports are absolute here"
        assert node.module is not None
        for alias in node.names:
            inner = f"{node.module}.{alias.name}".removeprefix("dar_retriever.")
            named = node.module.startswith("dar_retriever") and inner in MODULES
            self._into.add(f"dar_retriever.{inner}" if named else node.module)


def imports_of(module: str) -> Imports:
    found = Imports()
    found.visit(ast.parse(MODULES[module].read_text()))
    return found


def own_imports(module: str, *, for_types: bool = True) -> Iterator[str]:
    """The modules of this package that one of them imports; "" is the package itself."""
    found = imports_of(module)
    for name in found.named | (found.for_types if for_types else set()):
        if name == "dar_retriever" or name.startswith("dar_retriever."):
            yield name.removeprefix("dar_retriever").removeprefix(".")


def room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def layer(module: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms)


def test_the_reading_of_imports_finds_what_is_there():
    assert {"conversation.dialogue", "encoders.base", "generation.base"} <= set(
        own_imports("query_encoder")
    )
    assert "torch" in imports_of("encoders.open_clip").for_types
    assert "open_clip" in imports_of("encoders.open_clip").named
    assert len(MODULES) > 25


def test_every_module_has_its_layer():
    rooms = {room(module) for module in MODULES} - {""}

    assert rooms <= set().union(*LAYERS)


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_imports_point_one_way(module: str):
    for imported in own_imports(module):
        assert imported, f"{module} imports the package's public face"
        same_room = room(imported) == room(module)
        assert same_room or layer(imported) < layer(module), f"{module} imports {imported}"


def test_there_is_no_circle_of_imports():
    graph = {module: set(own_imports(module, for_types=False)) for module in MODULES}

    assert list(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith(".base")])
def test_protocols_import_no_implementation(module: str):
    siblings = {name for name in MODULES if room(name) == room(module)} - {module} - VALUES

    assert not siblings & set(own_imports(module))
    assert not HEAVY & {room(name) for name in imports_of(module).named}


@pytest.mark.parametrize("folder", ["reformulation", "generation", "encoders"])
def test_implementations_import_their_protocol_and_no_other_room_of_their_layer(folder: str):
    others = {"reformulation", "generation", "encoders", "fusion"} - {folder}
    modules = [name for name in MODULES if room(name) == folder]

    assert f"{folder}.base" in {name for module in modules for name in own_imports(module)}
    for module in modules:
        assert not {room(name) for name in own_imports(module)} & others, module


def test_the_method_knows_protocols_and_no_models():
    """The fusion and the query encoder take components; they never choose an implementation."""
    implementing = ("generation", "encoders", "reformulation")
    rooms = {"fusion", "understanding", "trace", "query_encoder", "stores", "retriever", "ingest"}
    for module in (name for name in MODULES if room(name) in rooms):
        named = {name for name in own_imports(module) if room(name) in implementing}
        # What reads by default, and what is fallen back on; references are put into words, and what
        # is locked is kept, for any.
        rules = {f"reformulation.{name}" for name in ("tagged", "rules", "references", "locked")}
        # Names that a store knows are taken out of messages as English mentions them.
        if module.startswith("stores.filtering."):
            read = "reformulation.english.conditions."
            rules |= {name for name in named if name.startswith(read)}
        assert named <= {f"{name}.base" for name in implementing} | rules


@pytest.mark.parametrize("module", sorted(CATALOGUE))
def test_the_drawn_catalogue_needs_nothing_else(module: str):
    assert set(own_imports(module)) <= CATALOGUE


# The command starts integrations by name; nothing else in the package knows of them.
@pytest.mark.parametrize("module", [name for name in MODULES if room(name) != "cli"])
def test_no_module_knows_the_frameworks_or_the_integrations(module: str):
    found = imports_of(module)
    foreign = {room(name) for name in found.named | found.for_types}

    for name in foreign:
        assert not name.startswith(("langchain", "llama_index", "gradio", "mcp", "integrations"))
        assert not name.endswith("_dar")


def modules_loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter holds after some code."""
    report = "import sys, json; print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    loaded = modules_loaded_by("import dar_retriever")

    assert "dar_retriever" in loaded
    assert not loaded & HEAVY


def test_describing_and_reformulating_load_no_store_and_no_generator():
    loaded = modules_loaded_by(
        "from dar_retriever import Dialogue, JoinedTurns, PRESETS, paper_schedule\n"
        "JoinedTurns().reformulate(Dialogue.from_text('a dress'))"
    )

    assert not loaded & HEAVY


def test_all_that_is_promised_is_there():
    names = dar_retriever.__all__

    assert len(names) == len(set(names))
    for name in names:
        assert getattr(dar_retriever, name) is not None


# What users of the first releases import; a name may be added, none may go.
PROMISED = [
    "PRESETS",
    "Acceleration",
    "AdaptiveFusion",
    "BatchingGenerator",
    "BoundedRocchio",
    "Budget",
    "CachedGenerator",
    "Calibration",
    "CaptionedReference",
    "Captioner",
    "Closeness",
    "Composition",
    "DARError",
    "DARQueryEncoder",
    "Dialogue",
    "DialogueLike",
    "DiffusersGenerator",
    "DiffusionAugmentedRetriever",
    "EmptyDialogueError",
    "EncodedQuery",
    "EncoderMismatchError",
    "EngineStore",
    "FacetQuestions",
    "Feedback",
    "FillableStore",
    "Filter",
    "FusedQuery",
    "Fusion",
    "GeneratedImage",
    "GenerationError",
    "Hit",
    "ImageAccess",
    "ImageGenerator",
    "ImageRequest",
    "ImageStore",
    "IngestError",
    "IngestReport",
    "InvalidFilterError",
    "InvalidImageError",
    "InvalidInputError",
    "JoinedTurns",
    "JointEncoder",
    "LLMQuestions",
    "LLMReformulator",
    "LanguageModel",
    "LanguageModelError",
    "LeftOut",
    "MissingExtraError",
    "ModelLoadError",
    "Neighbours",
    "NoQuestions",
    "OpenClipEncoder",
    "PreprocessingEncoder",
    "Preset",
    "PromptDirection",
    "Question",
    "Questioner",
    "Reformulation",
    "Reformulator",
    "ResultNamer",
    "ResultNames",
    "Role",
    "Round",
    "RuleReformulator",
    "ScheduledFusion",
    "SearchResult",
    "SearchableStore",
    "Spending",
    "StoreCloseness",
    "StoreError",
    "StoreOpener",
    "StoreUnavailableError",
    "StoredImage",
    "StoredImageGenerator",
    "Trace",
    "TransformersEncoder",
    "Turn",
    "UncertaintySpending",
    "Vectors",
    "Verdict",
    "WeightedModalities",
    "__version__",
    "from_preset",
    "image_only",
    "ingest",
    "ingest_images",
    "open_encoder",
    "open_generator",
    "paper_schedule",
    "text_only",
]


@pytest.mark.parametrize("name", PROMISED)
def test_a_promise_is_kept(name: str):
    assert name in dar_retriever.__all__


def test_all_that_is_public_is_promised():
    public = {
        name
        for name, value in vars(dar_retriever).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }

    assert public - {"annotations"} <= set(dar_retriever.__all__)


def error_classes() -> list[type[Exception]]:
    return [value for value in vars(errors).values() if inspect.isclass(value)]


@pytest.mark.parametrize("error", error_classes())
def test_every_error_is_public_and_of_one_family(error: type[Exception]):
    assert issubclass(error, errors.DARError)
    assert error.__name__ in dar_retriever.__all__
    assert error.__doc__
    assert error.__name__ in errors.__doc__


def test_errors_are_also_those_that_python_has_for_them():
    assert issubclass(errors.InvalidInputError, ValueError)
    assert issubclass(errors.MissingExtraError, ImportError)


def test_nothing_else_lies_at_the_root():
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_ROOT


CODE = [*PACKAGE.rglob("*.py"), *(ROOT / "integrations").rglob("*.py")]


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_holds_one_idea(path: Path):
    if PACKAGE / "demo" not in path.parents:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_the_tests_mirror_the_rooms():
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}

    assert folders - {"integrations", "__pycache__"} <= rooms


def test_the_types_are_announced():
    assert (PACKAGE / "py.typed").exists()


def test_the_version_is_a_version():
    major, minor, patch = dar_retriever.__version__.split(".")

    assert all(part.isdigit() for part in (major, minor, patch))
