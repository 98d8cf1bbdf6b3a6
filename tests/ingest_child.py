"""Ingests that are disturbed, each in a process of its own: what they leave, as lines of JSON.

Started by test_ingest_faults. It imports Chroma once and forks for every trial; no Chroma client is
ever open where a fork happens.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import chromadb
import numpy as np
from PIL import Image

from dar_retriever.errors import DARError
from dar_retriever.ingest import IngestReport, ingest
from dar_retriever.stores.hits import StoredImage
from dar_retriever.stores.image_store import ImageStore

PICTURES = 160
BATCH = 8
# Chroma writes its index after so many images: several times in every trial.
PERSISTED_EVERY = 20


class Thumbnails:
    """A joint encoder in a few lines: 8 x 8 pixels."""

    name, fingerprint, dimension, max_tokens = "thumbnails", "8x8-pixels", 192, 77

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise NotImplementedError

    def encode_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        small = [np.asarray(image.resize((8, 8)), np.float32).ravel() - 128 for image in images]
        vectors = np.stack(small)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


ENCODER: Any = Thumbnails()


def draw_pictures(folder: Path, count: int = PICTURES, seed: int = 0) -> None:
    """Small pictures, no two alike, and what is said of them."""
    folder.mkdir()
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    entries = []
    for number, picture in enumerate(pixels):
        name = f"{number:04}.png"
        Image.fromarray(picture).save(folder / name)
        entries.append({"file_name": name, "caption": f"picture {number}", "tags": [number, "é"]})
    lines = "\n".join(map(json.dumps, entries))
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")


def create_collection(folder: Path, persisted_every: int = PERSISTED_EVERY) -> None:
    """The collection as ``ImageStore`` makes it, but for how often the index is written."""
    hnsw = {"space": "cosine", "sync_threshold": persisted_every, "batch_size": persisted_every}
    chromadb.PersistentClient(str(folder)).create_collection(
        "images",
        metadata={"dar_encoder_fingerprint": ENCODER.fingerprint, "dar_encoder": ENCODER.name},
        configuration={"hnsw": hnsw},
        embedding_function=None,
    )


def contents(store: ImageStore) -> dict[str, Any]:
    """All that is stored, by id, and the images that do not find themselves."""
    ids, vectors = store.vectors()
    hits = {hit.id: hit for hit in store.get(ids)}
    return {
        "stored": {
            id_: [hits[id_].uri, hits[id_].caption, dict(hits[id_].metadata), vector.tolist()]
            for id_, vector in zip(ids, vectors, strict=True)
        },
        "lost": [
            id_
            for id_, vector in zip(ids, vectors, strict=True)
            if [hit.id for hit in store.search(vector, 1)] != [id_]
        ],
        "count": len(store),
    }


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two stores hold the same."""
    mine, yours = one["stored"], other["stored"]
    return (
        mine.keys() == yours.keys()
        and all(mine[id_][:3] == yours[id_][:3] for id_ in mine)
        and all(np.allclose(mine[id_][3], yours[id_][3], atol=1e-6) for id_ in mine)
        and not one["lost"]
        and not other["lost"]
        and one["count"] == other["count"]
    )


def run(pictures: Path, folder: Path, told: Callable[[Any], None]) -> IngestReport:
    """Ingest into a folder; ``told`` gets the number of files after every batch."""
    store = ImageStore.on_disk(folder, ENCODER)
    told(0)
    return ingest(
        pictures, store, ENCODER, batch_size=BATCH, progress=lambda done, _: told(done), workers=2
    )


class Child:
    """A forked process that tells, line by line, what it has done."""

    def __init__(self, work: Callable[[Callable[[Any], None]], Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(reading)
            with os.fdopen(writing, "w", buffering=1) as pipe:

                def tell(value: Any) -> None:
                    pipe.write(json.dumps(value) + "\n")
                    pipe.flush()

                try:
                    tell({"result": work(tell)})
                except DARError as error:
                    tell({"error": type(error).__name__, "message": str(error)})
                except BaseException as error:
                    tell({"error": repr(error), "message": str(error)})
            os._exit(0)
        os.close(writing)
        self.pipe = os.fdopen(reading)

    def lines(self) -> Iterator[Any]:
        for line in self.pipe:
            if line.endswith("\n"):
                yield json.loads(line)

    def end(self) -> dict[str, Any]:
        """What it gives, once it has ended by itself."""
        said = list(self.lines())
        self.pipe.close()
        os.waitpid(self.pid, 0)
        last = said[-1] if said else None
        return last if isinstance(last, dict) else {"error": "died", "message": str(last)}


def in_child(work: Callable[[], Any]) -> Any:
    """What work gives that is done in a process of its own."""
    ended = Child(lambda _: work()).end()
    if "result" not in ended:
        raise RuntimeError(ended)
    return ended["result"]


def open_contents(folder: Path) -> Any:
    return in_child(lambda: contents(ImageStore.on_disk(folder, ENCODER)))


def index_state(folder: Path) -> list[tuple[int, int]]:
    """Changes as soon as Chroma writes its index."""
    states = []
    for path in sorted(folder.glob("*/*.*")):
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        states.append((found.st_mtime_ns, found.st_size))
    return states


def killed(pictures: Path, folder: Path, chance: random.Random, *, in_index: bool) -> int:
    """Kill an ingest at some point, perhaps while the index is written: the files reported."""
    child = Child(lambda tell: run(pictures, folder, tell).added)
    after = chance.randrange(0, PICTURES - 3 * BATCH)
    told = 0
    for told in child.lines():
        if isinstance(told, dict) or told >= after:
            break
    if in_index:
        before, until = index_state(folder), time.monotonic() + 5
        while index_state(folder) == before and time.monotonic() < until:
            pass
        time.sleep(chance.random() * 0.003)
    else:
        time.sleep(chance.random() * 0.03)
    os.kill(child.pid, signal.SIGKILL)
    for line in child.lines():
        told = line
    child.pipe.close()
    _, status = os.waitpid(child.pid, 0)
    if not os.WIFSIGNALED(status) or isinstance(told, dict):
        return PICTURES
    return told


def kills(work: Path, trials: int) -> None:
    """Undisturbed once, then killed and repeated as often as asked for."""
    pictures, template = work / "pictures", work / "template"
    draw_pictures(pictures)
    in_child(lambda: create_collection(template))
    shutil.copytree(template, work / "undisturbed")
    in_child(lambda: run(pictures, work / "undisturbed", lambda _: None).added)
    undisturbed = open_contents(work / "undisturbed")
    order = [uri for uri, *_ in undisturbed["stored"].values()]
    say(stored=len(order), lost=undisturbed["lost"])
    for trial in range(trials):
        folder = work / f"trial-{trial}"
        shutil.copytree(template, folder)
        reported = killed(pictures, folder, random.Random(trial), in_index=trial % 2 == 0)

        def look(folder: Path = folder) -> Any:
            left = index_state(folder)
            store = ImageStore.on_disk(folder, ENCODER)
            put_back = index_state(folder) != left
            return contents(store), run(pictures, folder, lambda _: None).added, put_back

        found, added, put_back = in_child(look)
        names = {Path(uri).name for uri, *_ in found["stored"].values()}
        say(
            reported=reported,
            put_back=put_back,
            missing=[n for n in range(reported) if f"{n:04}.png" not in names],
            lost=found["lost"],
            found=len(names),
            added=added,
            completed=alike(open_contents(folder), undisturbed),
        )
        shutil.rmtree(folder)


def cuts(work: Path, trials: int) -> None:
    """Copies of the files at moments of an ingest: all of them, or without what is unsynced."""
    pictures, folder = work / "pictures", work / "store"
    draw_pictures(pictures)
    in_child(lambda: create_collection(folder))
    chance = random.Random(0)
    child = Child(lambda tell: run(pictures, folder, tell).added)
    moments: list[int] = []
    for told in child.lines():
        if isinstance(told, dict) or len(moments) == trials:
            break
        time.sleep(chance.random() * 0.03)
        os.kill(child.pid, signal.SIGSTOP)
        shutil.copytree(folder, work / f"cut-{len(moments)}")
        os.kill(child.pid, signal.SIGCONT)
        moments.append(told)
    child.end()
    whole = open_contents(folder)
    for number, reported in enumerate(moments):
        cut, torn = work / f"cut-{number}", work / f"torn-{number}"
        shutil.copytree(cut, torn)
        for path in sorted(torn.rglob("*.bin")) + sorted(torn.rglob("*.pickle")):
            content = path.read_bytes()
            path.write_bytes(content[: chance.randrange(len(content) + 1)])
        opened = [
            Child(lambda _, place=place: contents(ImageStore.on_disk(place, ENCODER))).end()
            for place in (cut, torn)
        ]
        found = [each.get("result", {"stored": {}, "lost": []}) for each in opened]
        names = {Path(uri).name for uri, *_ in found[0]["stored"].values()}
        say(
            reported=reported,
            missing=[n for n in range(reported) if f"{n:04}.png" not in names],
            lost=found[0]["lost"],
            errors=[each.get("error", "") for each in opened],
            wrong=[
                id_
                for id_, stored in found[1]["stored"].items()
                if stored[:3] != whole["stored"][id_][:3]
                or not np.allclose(stored[3], whole["stored"][id_][3], atol=1e-6)
            ],
        )


def writers(work: Path, processes: int) -> None:
    """Some processes fill one collection at the same time, and a reader searches meanwhile."""
    folder = work / "store"
    in_child(lambda: create_collection(folder))
    for number in range(processes):
        draw_pictures(work / f"pictures-{number}", PICTURES, seed=number)
    go, going = os.pipe()

    def fill(number: int) -> Callable[[Callable[[Any], None]], Any]:
        def filling(tell: Callable[[Any], None]) -> Any:
            os.close(going)
            store = ImageStore.on_disk(folder, ENCODER)
            tell("open")
            os.read(go, 1)
            added = ingest(work / f"pictures-{number}", store, ENCODER, batch_size=BATCH).added
            # Its own images by its own view, while the others may still be writing.
            ids, vectors = store.vectors()
            hits = {hit.id: hit.uri for hit in store.get(ids)}
            own = [
                (id_, vector)
                for id_, vector in zip(ids, vectors, strict=True)
                if f"pictures-{number}/" in hits[id_]
            ]
            lost = [id_ for id_, vector in own if store.search(vector, 1)[0].id != id_]
            return {"added": added, "own": len(own), "lost": lost}

        return filling

    children = [Child(fill(number)) for number in range(processes)]
    for child in children:
        next(child.lines())
    os.close(going)
    for child in children:
        say(**child.end())
    after = open_contents(folder)
    say(count=after["count"], lost=after["lost"])


def views(work: Path) -> None:
    """Two stores that stay open in two processes and take turns: each sees the other's images."""
    folder = work / "store"
    in_child(lambda: create_collection(folder))
    vectors = ENCODER.encode_images(
        [
            Image.fromarray(picture)
            for picture in np.random.default_rng(5).integers(0, 256, (90, 8, 8, 3), dtype=np.uint8)
        ]
    )

    def taking_turns(turn: int, mine: int, other: int) -> Callable[..., Any]:
        def work(tell: Callable[[Any], None]) -> Any:
            store = ImageStore.on_disk(folder, ENCODER)
            unseen = []
            for step in range(90 // 15):
                if step % 2 == turn:
                    rows = range(15 * step, 15 * step + 15)
                    store.add([StoredImage(f"id{n}", vectors[n], f"{n}.png") for n in rows])
                    os.write(other, b".")
                else:
                    os.read(mine, 1)
                    ahead = range(15 * step + 15)
                    unseen += [n for n in ahead if store.search(vectors[n], 1)[0].id != f"id{n}"]
            return unseen

        return work

    (one_reads, two_writes), (two_reads, one_writes) = os.pipe(), os.pipe()
    children = [
        Child(taking_turns(0, one_reads, one_writes)),
        Child(taking_turns(1, two_reads, two_writes)),
    ]
    for child in children:
        say(**child.end())
    after = open_contents(folder)
    say(count=after["count"], lost=after["lost"])


def served(pictures: Path, port: int) -> None:
    """Ingest into a collection of a server."""
    store = ImageStore.on_server(ENCODER, "localhost", port)
    say(added=ingest(pictures, store, ENCODER, batch_size=BATCH).added)


def full(disk: Path, pictures: Path, room: int) -> None:
    """Ingest on a disk with little room until it is full, make room, and ingest again."""
    folder, ballast = disk / "store", disk / "ballast"
    draw_pictures(pictures)
    in_child(lambda: create_collection(folder))
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - room))
    told = [0]

    def until_full(tell: Callable[[Any], None]) -> Any:
        return run(pictures, folder, tell).added

    child = Child(until_full)
    for line in child.lines():
        if isinstance(line, dict):
            ended = line
        else:
            told.append(line)
    os.waitpid(child.pid, 0)
    searched = Child(lambda _: contents(ImageStore.on_disk(folder, ENCODER))).end()
    ballast.unlink()

    def look() -> Any:
        found = contents(ImageStore.on_disk(folder, ENCODER))
        return found, run(pictures, folder, lambda _: None).added

    found, added = in_child(look)
    after = open_contents(folder)
    names = {Path(uri).name for uri, *_ in found["stored"].values()}
    say(
        **ended,
        reported=told[-1],
        missing=[n for n in range(told[-1]) if f"{n:04}.png" not in names],
        lost=found["lost"],
        searched=searched.get("message", "all"),
        found=len(names),
        added=added,
        count=after["count"],
        lost_after=after["lost"],
    )


def say(**values: Any) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    task, *given = sys.argv[1:]
    if task == "kills":
        kills(Path(given[0]), int(given[1]))
    elif task == "cuts":
        cuts(Path(given[0]), int(given[1]))
    elif task == "writers":
        writers(Path(given[0]), int(given[1]))
    elif task == "views":
        views(Path(given[0]))
    elif task == "served":
        served(Path(given[0]), int(given[1]))
    elif task == "full":
        full(Path(given[0]), Path(given[1]), int(given[2]))
