"""Indexing photographs: compares this ingest with the encoder alone and with LangChain.

python examples/benchmarks/ingest_speed.py --images 512 --sizes 640x480 2048x1536

All of them get the same JPEG files and the same ViT-B-32 with random weights, each in its own
process: ``ingest`` into a store on disk, and LangChain's ``OpenCLIPEmbeddings`` with
``Chroma.add_images`` into another. The encoder alone gets ready tensors in the same batch size,
before and after the ingest in the same process. The time to open the model is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from goals import Goal, report
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

MODEL: Final = "ViT-B-32"
BATCH: Final = 64
_MIB: Final = 2**20


def main() -> None:
    """Run the contestants and print what they took."""
    options = _options()
    if options.contestant:
        _print_json(_CONTESTANTS[options.contestant](options.folder, Path(options.scratch)))
        return
    goals = []
    for size in options.sizes:
        width, height = map(int, size.split("x"))
        folder = options.folder / f"{size}-{options.images}"
        _draw(folder / "pictures", options.images, (width, height))
        _save_weights(options.folder / "weights.safetensors")
        ours, theirs = (_alone(name, folder) for name in _CONTESTANTS)
        _show(size, options.images, ours, theirs)
        goals += [
            Goal(f"{size}: rate beside LangChain's", ours["rate"] / theirs["rate"], 2, "times"),
            Goal(
                f"{size}: peak memory beside LangChain's",
                ours["peak"] / theirs["peak"],
                1 / 3,
                "times",
                at_most=True,
            ),
            Goal(f"{size}: rate beside the encoder alone", ours["rate"] / ours["encoder"], 0.9),
        ]
    report("Indexing", goals, options.folder / "goals.json")


def ours(folder: Path, scratch: Path) -> dict[str, float]:
    """This project's ingest, with the encoder alone before and after."""
    import torch

    from dar_retriever import ImageStore, OpenClipEncoder, ingest

    encoder = OpenClipEncoder(MODEL, str(folder.parent / "weights.safetensors"))
    ready = [torch.rand(3, 224, 224) for _ in range(BATCH)]
    encoder.encode_preprocessed(ready)
    opened = _peak()
    store = ImageStore.on_disk(scratch, encoder)
    rounds = max(2, len(list((folder / "pictures").iterdir())) // BATCH // 2)
    alone = [_rate(lambda: encoder.encode_preprocessed(ready), BATCH, rounds)]
    done = ingest(folder / "pictures", store, encoder, batch_size=BATCH)
    peak = _peak()
    alone.append(_rate(lambda: encoder.encode_preprocessed(ready), BATCH, rounds))
    return {
        "rate": done.rate,
        "encoder": float(np.mean(alone)),
        "encoding": done.encoding / done.seconds,
        "opened": opened,
        "peak": peak,
    }


def langchain(folder: Path, scratch: Path) -> dict[str, float]:
    """LangChain's embeddings and its Chroma store."""
    from langchain_chroma import Chroma
    from langchain_experimental.open_clip import OpenCLIPEmbeddings

    embeddings = OpenCLIPEmbeddings(
        model_name=MODEL, checkpoint=str(folder.parent / "weights.safetensors")
    )
    opened = _peak()
    store = Chroma("images", embeddings, persist_directory=str(scratch))
    uris = sorted(map(str, (folder / "pictures").iterdir()))
    seconds = _seconds(lambda: store.add_images(uris))
    return {"rate": len(uris) / seconds, "opened": opened, "peak": _peak()}


_CONTESTANTS: Final = {"ours": ours, "langchain": langchain}


def _alone(contestant: str, folder: Path) -> dict[str, float]:
    with TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, __file__, "--contestant", contestant, "--folder", str(folder)]
        done = subprocess.run(  # noqa: S603 (this very script)
            [*command, "--scratch", scratch], check=True, stdout=subprocess.PIPE, text=True
        )
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _draw(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEG files with areas, edges and grain, as photographs have them; no two alike."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(count) if not (folder / f"{number:05}.jpg").exists()]
    if not missing:
        return
    grain = np.random.default_rng(0).integers(-9, 10, (size[1], size[0], 3), dtype=np.int16)
    for number in track(missing, f"Drawing {size[0]} x {size[1]}"):
        random = np.random.default_rng(number)
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        areas = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.int16)
        shifted = np.roll(grain, random.integers(0, size[1]), axis=0)
        picture = Image.fromarray((areas + shifted).clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number:05}.jpg", quality=90)


def _save_weights(path: Path) -> None:
    if path.exists():
        return
    import open_clip
    from safetensors.torch import save_file

    model = open_clip.create_model(MODEL)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


def _rate(call: Any, images: int, rounds: int) -> float:
    return images * rounds / _seconds(lambda: [call() for _ in range(rounds)])


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _peak() -> float:
    """The most memory this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _show(size: str, images: int, ours: dict[str, float], theirs: dict[str, float]) -> None:
    title = f"{images} JPEGs of {size}, {MODEL} with random weights"
    table = Table("", "images/s", "peak memory", "of it once the model is open", title=title)
    for name, of in (("dar-retriever", ours), ("LangChain", theirs)):
        table.add_row(
            name,
            f"{of['rate']:.1f}",
            f"{of['peak'] / _MIB:,.0f} MiB",
            f"{of['opened'] / _MIB:,.0f}",
        )
    table.add_row("the encoder alone", f"{ours['encoder']:.1f}", "", "")
    Console(width=120).print(table)


def _print_json(values: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("bench-output/ingest"))
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--sizes", nargs="+", default=["640x480", "2048x1536"])
    parser.add_argument("--contestant", choices=list(_CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
