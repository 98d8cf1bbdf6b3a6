"""Random lives of a folder: after every sync, store and folder agree exactly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dar_retriever import ImageStore, IngestError, sync
from dar_retriever.stores.hits import StoredImage

NAMES = [f"{folder}{name}.png" for folder in ("", "a/", "a/b/", "c/") for name in "xyz"]
CONTENTS = 8
TAGS = ["dog", "cat", "beach"]


class KilledByTestError(Exception):
    """What stops a sync in the middle."""


class Corners:
    """A joint encoder of 4 numbers."""

    name, fingerprint, dimension, max_tokens = "corners", "corners", 4, 77

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise NotImplementedError

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        rows = [[*np.asarray(image, np.float32)[0, 0], 99] for image in images]
        vectors = np.array(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


ENCODER: Any = Corners()
PICTURES = [
    Image.fromarray(np.full((2, 2, 3), (20 * n, 255 - 20 * n, 7 * n), np.uint8))
    for n in range(CONTENTS)
]


class FragileStore(ImageStore):
    """A real store that can be told to die at one of its next writes, before or after it."""

    left = -1

    def add(self, images: Sequence[StoredImage]) -> None:
        self._perhaps_die(bool(images))
        super().add(images)
        self._perhaps_die(bool(images))

    def rewrite(self, records: Any) -> None:
        for record in records:
            self._perhaps_die(True)
            super().rewrite([record])

    def delete(self, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._perhaps_die(True)
            super().delete([id_])

    def _perhaps_die(self, counts: bool) -> None:  # noqa: FBT001
        if counts and self.left >= 0:
            self.left -= 1
            if self.left < 0:
                raise KilledByTestError


@dataclass
class Life:
    """A folder, and what a plain model knows of it: content and tags by name."""

    folder: Path
    files: dict[str, int] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    ticks: Iterator[int] = field(default_factory=lambda: iter(range(10**18, 2 * 10**18, 10**6)))

    def write(self, name: str, content: int) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PICTURES[content].save(path)
        os.utime(path, ns=(10**18, next(self.ticks)))
        self.files[name] = content

    def remove(self, name: str) -> None:
        if name in self.files:
            (self.folder / name).unlink()
            del self.files[name]

    def move(self, name: str, to: str) -> None:
        if name in self.files and name != to:
            (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).rename(self.folder / to)
            self.files[to] = self.files.pop(name)

    def move_folder(self, name: str, to: str) -> None:
        inside = to.startswith(f"{name}/")
        if (self.folder / name).is_dir() and not (self.folder / to).exists() and not inside:
            (self.folder / to).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).rename(self.folder / to)
            self.files = {
                f"{to}/{file.removeprefix(name + '/')}" if file.startswith(name + "/") else file: n
                for file, n in self.files.items()
            }

    def tag(self, name: str, tags: list[str]) -> None:
        self.tags[name] = tags
        lines = [{"file_name": each, "tags": said} for each, said in self.tags.items()]
        text = "\n".join(map(json.dumps, lines))
        (self.folder / "metadata.jsonl").write_text(text, encoding="utf-8")

    def rename(self) -> None:
        self.folder = self.folder.rename(self.folder.parent / f"{self.folder.name}-")

    def expected(self) -> dict[str, tuple[set[str], set[str]]]:
        """Places and tags by id."""
        found: dict[str, tuple[set[str], set[str]]] = {}
        for name in self.files:
            path = self.folder / name
            id_ = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
            places, tags = found.setdefault(id_, (set(), set()))
            places.add(str(path))
            tags.update(self.tags.get(name, []))
        return found


def stored(store: ImageStore) -> dict[str, tuple[set[str], set[str]]]:
    hits = store.get(store.vectors()[0])
    return {hit.id: ({hit.uri, *hit.copies}, items(hit.metadata.get("tags", []))) for hit in hits}


def items(value: str | list[str]) -> set[str]:
    return set(value) if isinstance(value, list) else {value}


names, contents = st.sampled_from(NAMES), st.integers(0, CONTENTS - 1)
folders = st.sampled_from(["a", "c", "a/b", "d"])
steps = st.one_of(
    st.tuples(st.just("write"), names, contents),
    st.tuples(st.just("write"), names, contents),
    st.tuples(st.just("move"), names, names),
    st.tuples(st.just("move_folder"), folders, folders),
    st.tuples(st.just("remove"), names),
    st.tuples(st.just("tag"), names, st.lists(st.sampled_from(TAGS), unique=True, max_size=2)),
    st.tuples(st.just("rename")),
    st.tuples(st.just("killed"), st.integers(0, 6)),
    st.tuples(st.just("sync")),
)


@settings(max_examples=60)
@given(life=st.lists(steps, min_size=4, max_size=14))
def test_store_and_folder_agree_after_every_sync(
    life: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("life")
    model, store = Life(root / "photos"), FragileStore.in_memory(ENCODER)
    assert isinstance(store, FragileStore)
    model.folder.mkdir()
    model.write("first.png", 0)
    for what, *arguments in [*life, ("sync",)]:
        if what in ("sync", "killed"):
            store.left = arguments[0] if arguments else -1
            try:
                sync(model.folder, store, ENCODER, batch_size=2, workers=1)
            except KilledByTestError:
                continue
            except IngestError:
                assert not model.files
                continue
            assert stored(store) == model.expected()
        else:
            getattr(model, what)(*arguments)
    if model.files:
        for tag in TAGS:
            found = {hit.id for hit in store.search(np.ones(4, np.float32), 99, {"tags": tag})}
            assert found == {id_ for id_, (_, tags) in model.expected().items() if tag in tags}
    shutil.rmtree(root)


@pytest.mark.parametrize("content", range(CONTENTS))
def test_of_two_records_of_one_file_the_file_itself_decides(content: int, tmp_path: Path) -> None:
    """As a kill between storing an edited picture and taking the place from the old one leaves."""
    model, store = Life(tmp_path), ImageStore.in_memory(ENCODER)
    other = (content + 1) % CONTENTS
    model.write("x.png", content)
    model.write("y.png", other)
    sync(model.folder, store, ENCODER)
    by_place = {record.copies[0].path: record for record in store.records()}
    # Both tell the very same size and time, so nothing but the file's bytes tells them apart.
    store.rewrite([replace(by_place["y.png"], copies=by_place["x.png"].copies)])
    model.remove("y.png")

    sync(model.folder, store, ENCODER)

    assert stored(store) == model.expected()
