"""How long does a turn take with a generator of SD-Turbo's size, on the available device?

    python examples/benchmarks/turn_on_device.py [--small] [--images 2] [--only plain,compile]
    python examples/benchmarks/turn_on_device.py --laptop

On a CPU an image takes about a minute, so there a run is short by default.

Nothing is downloaded: the pipeline (Stable Diffusion 2.1's parts, one step, 512 x 512) and the
encoder (ViT-B-32) have random weights, which take the same time and memory as trained ones. The
images are noise. ``--laptop`` has the shapes of that preset: 256 x 256, with the tiny decoder
(TAESD); its encoder is ViT-B-32 too, because SigLIP 2's tokenizer would have to be downloaded. On a
busy machine, look at the processor time. Each variant runs in its own process, so that they do not
influence each other.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import published_shapes as shapes
import torch
from rich.console import Console
from rich.table import Table

from dar_retriever import (
    Acceleration,
    DARQueryEncoder,
    DiffusersGenerator,
    DiffusionAugmentedRetriever,
    ImageStore,
    OpenClipEncoder,
    StoredImage,
)
from dar_retriever.support.devices import choose_device

STORED = 1000
ENCODER = "ViT-B-32"
VARIANTS = {
    "plain": Acceleration(channels_last=False),
    "channels_last": Acceleration(channels_last=True),
    "vae_slicing": Acceleration(channels_last=False, vae_slicing=True),
    "compile": Acceleration(channels_last=False, compile=True),
    "channels_last + compile": Acceleration(channels_last=True, compile=True),
    "model offload": Acceleration(channels_last=False, offload="model"),
    "sequential offload": Acceleration(channels_last=False, offload="sequential"),
    "openvino": Acceleration(channels_last=False, runtime="openvino"),
}
FULL = shapes.FULL["sd_turbo"]
LAPTOP = FULL | {"side": 256, "decoder": True}
SMALL = shapes.TOY["sd_turbo"]


@dataclass(frozen=True)
class Measured:
    """What one variant took.

    Attributes:
        steps: Median seconds of each step of a turn.
        turn: Median seconds of a turn.
        processor: Median seconds of processor time of a turn, summed over all cores.
        first: Seconds of the first turn, which compiles and warms up.
        opening: Seconds until the models were open.
        memory: GiB at most: allocated on the GPU, else resident.
        images: Images that went into each turn's query.
    """

    steps: dict[str, float]
    turn: float
    processor: float
    first: float
    opening: float
    memory: float
    images: int


def save_models(folder: Path, shape: shapes.Shape) -> None:
    """Save a pipeline and an encoder with random weights, in half precision as published."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    shapes.sd_turbo(folder / "pipeline", shape)
    if shape.get("decoder"):
        shapes.tiny_decoder(folder / "decoder")
    encoder = open_clip.create_model(ENCODER)
    save_file(encoder.state_dict(), folder / "encoder.safetensors")


def measure(folder: Path, variant: str, images: int, repeats: int) -> Measured:
    """Play turns with one variant."""
    device = choose_device()
    began = time.perf_counter()
    decoder = folder / "decoder"
    generator = DiffusersGenerator(
        str(folder / "pipeline"),
        steps=1,
        guidance=0.0,
        acceleration=VARIANTS[variant],
        decoder=str(decoder) if decoder.exists() else None,
    )
    encoder = OpenClipEncoder(ENCODER, str(folder / "encoder.safetensors"))
    opening = time.perf_counter() - began
    store = ImageStore.in_memory(encoder)
    vectors = np.random.default_rng(0).normal(size=(STORED, encoder.dimension))
    store.add(
        [
            StoredImage(f"{number:05}", vector.astype(np.float32), f"{number}.jpg")
            for number, vector in enumerate(vectors)
        ]
    )
    queries = DARQueryEncoder(encoder, generator, images_per_turn=images)
    retriever = DiffusionAugmentedRetriever(queries, store)
    turns, busy, timings, used = [], [], [], 0
    for number in range(repeats + 1):
        began, worked = time.perf_counter(), time.process_time()
        trace = retriever.search(f"a photo of dress number {number}, red, with white dots").trace
        turns.append(time.perf_counter() - began)
        busy.append(time.process_time() - worked)
        timings.append(trace.timings)
        used = len(trace.generated)
        for fallback in trace.fallbacks:
            print(f"{variant}: {fallback}")
    return Measured(
        steps={
            step: statistics.median(timing[step] for timing in timings[1:]) for step in timings[0]
        },
        turn=statistics.median(turns[1:]),
        processor=statistics.median(busy[1:]),
        first=turns[0],
        opening=opening,
        memory=most_memory(device),
        images=used,
    )


def most_memory(device: torch.device) -> float:
    """GiB at most in this process: allocated on the GPU, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def serves(acceleration: Acceleration, device: str) -> bool:
    """Whether a device can have an acceleration: OpenVINO on CPUs, offloading elsewhere."""
    if device == "cpu":
        return acceleration.offload == "none"
    return acceleration.runtime == "torch"


def table_of(measured: dict[str, Measured], title: str) -> Table:
    """Steps by row, variants by column."""
    table = Table(title=title)
    table.add_column("")
    for variant in measured:
        table.add_column(variant, justify="right")
    columns = list(measured.values())
    for step in columns[0].steps:
        table.add_row(f"{step}, s", *(f"{one.steps[step]:.4f}" for one in columns))
    table.add_row("turn, s", *(f"{one.turn:.3f}" for one in columns), style="bold")
    table.add_row("processor, s", *(f"{one.processor:.3f}" for one in columns))
    table.add_row("images/s", *(f"{one.images / one.steps['generate']:.3f}" for one in columns))
    plain = measured.get("plain")
    if plain:
        ratios = (one.steps["generate"] / plain.steps["generate"] for one in columns)
        table.add_row("generate to plain", *(f"{ratio:.2f}" for ratio in ratios))
    table.add_row("first turn, s", *(f"{one.first:.2f}" for one in columns))
    table.add_row("opening, s", *(f"{one.opening:.1f}" for one in columns))
    table.add_row("peak memory, GiB", *(f"{one.memory:.2f}" for one in columns))
    return table


def main() -> None:
    """Measure the variants that the device can have and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("--repeats", type=int, help="turns after the first: 5, on a CPU 1")
    parser.add_argument("--images", type=int, help="generated at each turn: 2, on a CPU 1")
    shapes = parser.add_mutually_exclusive_group()
    shapes.add_argument("--small", action="store_true", help="a small shape, for a quick run")
    shapes.add_argument("--laptop", action="store_true", help="the shapes of the preset laptop")
    parser.add_argument("--only", help=f"some of: {', '.join(VARIANTS)}; on a CPU plain")
    parser.add_argument("--folder", type=Path, help="keeps the models for the next run")
    options = parser.parse_args()
    device = choose_device()
    short = device.type == "cpu" and not options.small
    can = [v for v, a in VARIANTS.items() if serves(a, device.type)]
    chosen = options.only.split(",") if options.only else can[:1] if short else can
    images = options.images or (1 if short else 2)
    repeats = options.repeats or (1 if short else 5)
    unknown = set(chosen) - set(can)
    if unknown:
        parser.error(f"--only {', '.join(unknown)}: on {device} there are {', '.join(can)}")
    name, shape = "full", FULL
    if options.small or options.laptop:
        name, shape = ("small", SMALL) if options.small else ("laptop", LAPTOP)
    with TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / name
        if not (folder / "encoder.safetensors").exists():
            save_models(folder, shape)
        measured = {}
        for variant in chosen:
            # A process of its own: its peak of memory, its compiled code.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                work = process.submit(measure, folder, variant, images, repeats)
                measured[variant] = work.result()
    size = shape["side"]
    where = torch.cuda.get_device_name() if device.type == "cuda" else str(device)
    title = f"{images} images of {size} x {size}, 1 step, {where}, p50 of {repeats}"
    Console(width=160).print(table_of(measured, title))


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the description's lines."""


if __name__ == "__main__":
    main()
