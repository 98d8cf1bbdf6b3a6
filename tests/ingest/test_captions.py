"""Captions at ingest, from files to replies: who writes them, what is asked once, what goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from engines import OPENERS
from files_of_images import settle
from langchain_dar import DARRetriever
from llama_index_dar import DARRetriever as LlamaIndexRetriever
from PIL import Image
from typer.testing import CliRunner

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    EngineStore,
    FacetQuestions,
    Hit,
    ImageStore,
    OpenClipEncoder,
    StoreError,
    TransformersCaptioner,
    ingest,
    open_encoder,
    sync,
)
from dar_retriever.cli.common import APP
from dar_retriever.demo.captioner import CatalogueCaptioner
from dar_retriever.ingest.captioning import add_captions
from dar_retriever.ingest.migration import migrate
from dar_retriever.stores.engines import AddressStore, open_engine

COLOURS = {"red": (230, 20, 20), "green": (20, 200, 30), "blue": (20, 40, 230)}
PICTURES = 12


class Namer:
    """Names the colour, and remembers how often it was asked."""

    def __init__(self, name: str = "namer", start: str = "a wall in") -> None:
        self.name, self._start, self.asked = name, start, 0

    def __call__(self, image: Image.Image, /) -> str:
        self.asked += 1
        return f"{self._start} {colour_of(image)}"


class Counting:
    """The tiny encoder, which says what it encoded."""

    def __init__(self, encoder: OpenClipEncoder) -> None:
        self._encoder, self.images, self.texts = encoder, 0, list[str]()
        self.name, self.fingerprint = encoder.name, encoder.fingerprint
        self.dimension, self.max_tokens = encoder.dimension, encoder.max_tokens
        self.count_tokens = encoder.count_tokens

    def encode_images(self, images: Sequence[Image.Image]) -> Any:
        self.images += len(images)
        return self._encoder.encode_images(images)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return self._encoder.encode_texts(texts)


def colour_of(image: Image.Image) -> str:
    seen = image.convert("RGB").getpixel((0, 0))
    assert isinstance(seen, tuple)
    return max(
        COLOURS, key=lambda name: sum(a * b for a, b in zip(COLOURS[name], seen, strict=True))
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Walls, the first of which people have described."""
    walls = tmp_path / "walls"
    walls.mkdir()
    for number in range(PICTURES):
        colour = list(COLOURS.values())[number % 3]
        Image.new("RGB", (16 + number, 16), colour).save(walls / f"{number:02}.png")
    said = {"file_name": "00.png", "caption": "the old barn"}
    (walls / "metadata.jsonl").write_text(json.dumps(said))
    settle(walls)
    return walls


@pytest.fixture
def encoder(tiny_encoder: OpenClipEncoder) -> Counting:
    return Counting(tiny_encoder)


def captions(store: Any) -> dict[str, tuple[str, str]]:
    """Captions and who wrote them, by file."""
    found = store.get([record.id for record in store.records()])
    return dict(
        sorted((h.file_name, (h.caption, h.metadata.get("captioned_by", ""))) for h in found)
    )


def test_pictures_without_a_caption_get_one_that_is_marked(folder: Path, encoder: Counting):
    store, namer, steps = ImageStore.in_memory(encoder), Namer(), list[tuple[int, int]]()
    report = ingest(
        folder, store, encoder, captioner=namer, caption_progress=lambda *step: steps.append(step)
    )
    assert (report.added, report.captioned, report.uncaptioned) == (PICTURES, PICTURES - 1, [])
    assert steps == [(PICTURES - 1, PICTURES - 1)]
    told = captions(store)
    assert told["00.png"] == ("the old barn", "")
    assert told["01.png"] == ("a wall in green", "namer")
    assert namer.asked == PICTURES - 1
    # The captions that people gave are read by the search as well.
    assert set(encoder.texts) == {"the old barn", *(f"a wall in {colour}" for colour in COLOURS)}
    ids = [record.id for record in store.records()]
    assert store.captions_of(ids) == {hit.id: hit.caption for hit in store.get(ids)}


def test_an_old_store_gets_captions_without_encoding_its_pictures_again(
    folder: Path, tmp_path: Path, encoder: Counting
):
    ingest(folder, ImageStore.on_disk(tmp_path / "store", encoder), encoder)
    store, namer, before = ImageStore.on_disk(tmp_path / "store", encoder), Namer(), encoder.images
    assert not store.has_captions
    report = sync(folder, store, encoder, captioner=namer)
    assert (report.captioned, report.known) == (PICTURES - 1, PICTURES)
    again = sync(folder, store, encoder, captioner=namer)
    assert (again.captioned, namer.asked, encoder.images) == (0, PICTURES - 1, before)
    assert len(encoder.texts) == PICTURES


def test_another_captioner_writes_anew_and_the_first_is_not_asked_again(
    folder: Path, encoder: Counting
):
    store, first, other = ImageStore.in_memory(encoder), Namer(), Namer("other", "something")
    ingest(folder, store, encoder, captioner=first)
    assert ingest(folder, store, encoder, captioner=other).captioned == PICTURES - 1
    assert captions(store)["02.png"] == ("something blue", "other")
    assert ingest(folder, store, encoder, captioner=first).captioned == PICTURES - 1
    assert captions(store)["02.png"] == ("a wall in blue", "namer")
    assert first.asked == PICTURES - 1


def test_captions_by_people_take_the_place_of_machines(folder: Path, encoder: Counting):
    store = ImageStore.in_memory(encoder)
    ingest(folder, store, encoder, captioner=Namer())
    said = [{"file_name": "01.png", "caption": "the new barn"}]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, said)))
    settle(folder)
    ingest(folder, store, encoder)
    told = captions(store)
    assert told["01.png"] == ("the new barn", "")
    assert told["00.png"] == ("", "")
    # Vectors follow without a captioner.
    by_name = {hit.file_name: hit.id for hit in store.get([r.id for r in store.records()])}
    assert store.captions_of([by_name["01.png"], by_name["00.png"]]) == {
        by_name["01.png"]: "the new barn"
    }


def test_failures_are_counted_and_tried_again(folder: Path, encoder: Counting):
    class Moody(Namer):
        """Cannot stand green."""

        def __call__(self, image: Image.Image, /) -> str:
            if colour_of(image) == "green" and not self.asked > PICTURES:
                raise RuntimeError("out of memory")
            return super().__call__(image)

    store, moody = ImageStore.in_memory(encoder), Moody()
    report = ingest(folder, store, encoder, captioner=moody)
    assert (report.added, report.captioned, len(report.uncaptioned)) == (12, 7, 4)
    assert "01.png" in report.uncaptioned[0].path
    assert "out of memory" in report.uncaptioned[0].reason
    moody.asked = PICTURES + 1
    assert ingest(folder, store, encoder, captioner=moody).captioned == 4


def test_a_captioner_that_always_fails_is_left_alone(tmp_path: Path, encoder: Counting):
    asked = []

    def broken(image: Image.Image) -> str:
        asked.append(image)
        raise ConnectionError("no key")

    for number in range(70):
        Image.new("RGB", (8 + number, 8)).save(tmp_path / f"{number}.png")
    report = ingest(tmp_path, ImageStore.in_memory(encoder), encoder, captioner=broken)
    assert (report.added, report.captioned, len(report.uncaptioned)) == (70, 0, len(asked))
    assert len(asked) < 70
    assert f"{70 - len(asked)} pictures were not captioned: broken failed" in report.remarks[0]


def test_a_file_that_is_gone_meanwhile_costs_the_others_nothing(folder: Path, encoder: Counting):
    store = ImageStore.in_memory(encoder)
    listed = sorted(folder.glob("*.png"))

    ingest(listed, store, encoder)
    hits = {hit.file_name: hit for hit in store.get([r.id for r in store.records()])}
    listed[5].unlink()
    report = add_captions(store, encoder, Namer(), [hit.id for hit in hits.values()])
    assert (report.captioned, len(report.uncaptioned)) == (PICTURES - 1, 1)
    assert "05.png" in report.uncaptioned[0].path


def test_a_picture_of_which_there_is_nothing_to_say_is_not_asked_about_again(
    folder: Path, encoder: Counting
):
    store, silent = ImageStore.in_memory(encoder), Namer()
    silent.__class__ = type("Silent", (Namer,), {"__call__": lambda _, __: ""})
    report = ingest(folder, store, encoder, captioner=silent)
    assert (report.captioned, report.uncaptioned) == (0, [])
    assert report.remarks == [f"namer had nothing to say of {PICTURES - 1} pictures"]
    assert captions(store)["01.png"] == ("", "")
    assert ingest(folder, store, encoder, captioner=silent).remarks == []


def test_an_encoder_that_fails_on_texts_leaves_captions_out_of_the_score(
    folder: Path, encoder: Counting
):
    store = ImageStore.in_memory(encoder)
    encoder.encode_texts = None  # type: ignore[method-assign, assignment]
    report = ingest(folder, store, encoder, captioner=Namer())
    assert report.captioned == PICTURES - 1
    assert "captions do not count in the score" in report.remarks[0]
    assert not store.has_captions


@pytest.mark.parametrize("kind", ["vit_gpt2", "qwen3_vl"])
def test_a_model_of_transformers_captions_a_folder(
    kind: str, folder: Path, encoder: Counting, checkpoint: Callable[[str], str]
):
    captioner = TransformersCaptioner(checkpoint(kind), device="cpu", max_new_tokens=8)
    store = ImageStore.in_memory(encoder)
    assert ingest(folder, store, encoder, captioner=captioner).captioned == PICTURES - 1
    told = captions(store)
    assert told["01.png"][1] == captioner.name
    assert told["01.png"][0] == " ".join(captioner(Image.open(folder / "01.png")).split())


def test_captions_reach_hits_documents_and_nodes(folder: Path, encoder: Counting):
    (folder / "metadata.jsonl").unlink()
    store = ImageStore.in_memory(encoder)
    ingest(folder, store, encoder, captioner=Namer())
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)

    result = retriever.search("a wall", 6)
    assert {hit.title for hit in result.hits} <= {f"a wall in {colour}" for colour in COLOURS}
    documents = DARRetriever(retriever=retriever, k=6).invoke("a wall")
    assert [each.page_content for each in documents] == [hit.caption for hit in result.hits]
    assert {each.metadata["captioned_by"] for each in documents} == {"namer"}
    nodes = LlamaIndexRetriever(retriever, k=6).retrieve("a wall")
    assert [each.node.get_content() for each in nodes] == [hit.caption for hit in result.hits]
    # Nobody looks for the model that wrote a caption.
    assert "captioned_by" not in store.fields()
    assert "captioned_by" not in store.facets()


def test_a_store_without_metadata_is_asked_about_by_its_captions(gallery_folder: Path):
    encoder = open_encoder("demo")
    store = ImageStore.in_memory(encoder)
    pictures = sorted(gallery_folder.glob("*.jpg"))[:60]
    report = ingest(pictures, store, encoder, captioner=CatalogueCaptioner(encoder))
    assert report.captioned == 60
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)
    result = retriever.search("a dress", 10)
    question = FacetQuestions(retriever).next_question(result)
    assert question is not None
    said = " ".join(hit.caption for hit in store.get([r.id for r in store.records()]))
    assert question.choices
    assert all(choice in said for choice in question.choices)


@pytest.mark.parametrize("opener", OPENERS, ids=lambda opener: opener.__name__)
def test_vector_stores_of_the_frameworks_get_captions_too(
    opener: Callable[[Any], EngineStore], folder: Path, encoder: Counting
):
    store, namer = opener(encoder), Namer()
    ingest(folder, store, encoder)
    before = encoder.images
    assert ingest(folder, store, encoder, captioner=namer).captioned == PICTURES - 1
    assert ingest(folder, store, encoder, captioner=namer).captioned == 0
    hits: list[Hit] = store.search(encoder.encode_texts(["a wall"])[0], PICTURES)
    told = {hit.file_name: (hit.caption, hit.metadata.get("captioned_by", "")) for hit in hits}
    assert told["00.png"] == ("the old barn", "")
    assert told["01.png"] == ("a wall in green", "namer")
    assert len(told) == PICTURES
    assert (namer.asked, encoder.images) == (PICTURES - 1, before)


def test_other_engines_get_captions_too(folder: Path, tmp_path: Path, encoder: Counting):
    pytest.importorskip("qdrant_client")
    store = AddressStore(open_engine(f"qdrant:{tmp_path / 'qdrant'}"), encoder)
    assert ingest(folder, store, encoder, captioner=Namer()).captioned == PICTURES - 1
    assert captions(store)["02.png"] == ("a wall in blue", "namer")


def test_stores_that_cannot_change_an_entry_are_refused(folder: Path, encoder: Counting):
    class WriteOnly:
        """Takes images and knows none."""

        def known(self, ids: Any) -> set[str]:
            return set()

        def add(self, images: Any) -> None:
            pass

    with pytest.raises(StoreError, match="WriteOnly cannot change"):
        ingest(folder, WriteOnly(), encoder, captioner=Namer())


def test_captions_move_to_another_encoder(
    folder: Path, encoder: Counting, checkpoint: Callable[[str], str]
):
    store = ImageStore.in_memory(encoder)
    ingest(folder, store, encoder, captioner=Namer())
    other = OpenClipEncoder(f"local-dir:{checkpoint('open_clip_siglip')}", device="cpu")
    moved = ImageStore.in_memory(other)
    migrate(store, moved, other)
    assert captions(moved) == captions(store)
    ids = [record.id for record in store.records()]
    assert moved.captions_of(ids) == store.captions_of(ids)


def test_a_killed_index_goes_on_where_it_was(gallery_folder: Path, tmp_path: Path):
    """By the command, which a captioner kills in its second batch."""
    (tmp_path / "killer.py").write_text(
        "import os, signal\n"
        "from pathlib import Path\n"
        "LOG = Path(__file__).with_name('asked')\n"
        "def describe(image):\n"
        "    with LOG.open('a') as log:\n"
        "        log.write('.')\n"
        "    if LOG.stat().st_size == 40:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return 'a thing'\n"
    )
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted(gallery_folder.glob("*.jpg"))[:50]:
        (pictures / path.name).write_bytes(path.read_bytes())
    command = ["index", str(pictures), "--store", str(tmp_path / "store")]
    command += ["--captions", "killer:describe"]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    killed = subprocess.run(
        [sys.executable, "-m", "dar_retriever", *command],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    sys.path.insert(0, str(tmp_path))
    try:
        done = CliRunner().invoke(APP, [*command, "--json"])
    finally:
        sys.path.remove(str(tmp_path))
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    # The first batch of 32 was stored.
    assert (report["added"], report["known"], report["captioned"]) == (0, 50, 18)
    assert (tmp_path / "asked").stat().st_size == 40 + 18


def test_the_command_counts_captions_and_says_why_there_are_none(
    gallery_folder: Path, tmp_path: Path, checkpoint: Callable[[str], str]
):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted(gallery_folder.glob("*.jpg"))[:4]:
        (pictures / path.name).write_bytes(path.read_bytes())
    command = ["index", str(pictures), "--store", str(tmp_path / "store"), "--captions"]
    done = CliRunner().invoke(APP, [*command, checkpoint("vit_gpt2")])
    assert done.exit_code == 0, done.output
    assert "4 captioned" in done.output
    done = CliRunner().invoke(APP, [*command, "json:loads"])
    assert "no caption for" in done.output
    assert "0 captioned, 4 without caption" in done.output
    done = CliRunner().invoke(APP, [*command, str(tmp_path / "nothing")])
    assert "captioner" in str(done.exception)
    done = CliRunner().invoke(APP, [*command, "ocr", "--engine", "ray", "--store", "http://h:1"])
    assert "--captions: Ray writes none" in str(done.exception)
