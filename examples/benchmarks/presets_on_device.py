"""How long does a turn of each preset take on the available device, and how much memory?

    python examples/benchmarks/presets_on_device.py [--presets fast,best] [--variants plain,compile]
    python examples/benchmarks/presets_on_device.py --toy

Nothing is downloaded: every model has its published shape and random weights, which take the same
time and memory as trained ones, and is opened from files as the preset opens it. The images are
noise. On a GPU the memory is then made too small for a drawing, and a search has to answer all the
same. ``--toy`` plays the same turns with tiny models. By default those presets are played that fit
the device. Each preset and variant runs in its own process; what was measured is kept in --out, and
a run that was stopped continues there. The models of one generator need up to 26 GB of disk.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import groupby, product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final
from unittest import mock

import numpy as np
import published_shapes as shapes
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from turn_on_device import most_memory, serves

from dar_retriever import (
    Acceleration,
    DiffusionAugmentedRetriever,
    ImageStore,
    JointEncoder,
    StoredImage,
)
from dar_retriever.presets import DRAWING_KEY, PRESETS, Preset, data, from_preset
from dar_retriever.support.devices import choose_device
from dar_retriever.support.machine import this_machine
from dar_retriever.support.progress import quiet_libraries

STORED: Final = 1000
PICTURES: Final = 40
# Each turn asks for another one, so that nothing comes from the cache.
THINGS: Final = ("chair", "mug", "lamp", "coat", "bag", "vase", "sofa", "hat", "shoe", "clock")
VARIANTS: Final = MappingProxyType(
    {
        "plain": Acceleration(),
        "compile": Acceleration(compile=True),
        "model offload": Acceleration(offload="model"),
        "openvino": Acceleration(runtime="openvino"),
    }
)
# The demo's models are in the package.
PUBLISHED: Final = tuple(name for name in PRESETS if name != "demo")


@dataclass(frozen=True)
class Measured:
    """What one preset took in one variant.

    Attributes:
        steps: Median seconds of each step of a turn.
        turn: Median seconds of a turn.
        first: Seconds of the first turn, which compiles and warms up.
        opening: Seconds until the models were open.
        memory: GiB at most: allocated on the GPU, else resident.
        images: Images that went into each turn's query.
        hits: Hits of each turn.
        fallbacks: What the traces say went wrong.
        without_room: Hits, images and what the trace says where no drawing fits in memory; then
            the images of the next turn, with room again. Empty where that was not tried.
    """

    steps: dict[str, float]
    turn: float
    first: float
    opening: float
    memory: float
    images: int
    hits: int
    fallbacks: list[str]
    without_room: dict[str, Any] = field(default_factory=dict)


def save_encoder(preset: Preset, folder: Path, sizes: Mapping[str, shapes.Shape]) -> None:
    """Save a preset's encoder."""
    folder.mkdir(parents=True)
    if preset.encoder_library == "open_clip":
        shapes.siglip2(folder, sizes["siglip2"], preset.encoder)
    elif preset.encoder_library == "transformers":
        shapes.blip(folder, sizes["blip"])
    else:
        shapes.qwen3_vl_embedding(folder, sizes["qwen3_vl"])


def save_generator(preset: Preset, folder: Path, sizes: Mapping[str, shapes.Shape]) -> None:
    """Save a preset's pipeline."""
    folder.mkdir(parents=True)
    for part, builder in (
        ("sd-turbo", shapes.sd_turbo),
        ("stable-diffusion-3", shapes.stable_diffusion_3),
        ("FLUX.2-klein", shapes.flux2_klein),
    ):
        if part in preset.generator:
            builder(folder, sizes[builder.__name__])
            return
    raise SystemExit(f"the shapes of {preset.generator} are not known to published_shapes.py")


def saved(name: str, folder: Path, device: str, *, toy: bool) -> Preset:
    """The preset with models in a folder, which are made if they are not there yet."""
    preset, sizes = PRESETS[name], shapes.TOY if toy else shapes.FULL
    encoder = folder / "encoders" / name
    generator = folder / "generators" / preset.generator.replace("/", "--")
    sampling = dict(preset.sampling)
    torch.manual_seed(0)
    # A GPU fills the weights in seconds.
    with torch.device(device):
        if not encoder.exists():
            save_encoder(preset, encoder, sizes)
        if not generator.exists():
            save_generator(preset, generator, sizes)
        if "decoder" in sampling:
            sampling["decoder"] = str(folder / "decoder")
            if not (folder / "decoder").exists():
                shapes.tiny_decoder(folder / "decoder")
        reranker = preset.reranker
        if preset.reranker and "/" in preset.reranker:
            reranker = str(folder / "rerankers" / name)
            if not Path(reranker).exists():
                shapes.qwen3_vl_reranker(Path(reranker), sizes["qwen3_vl"])
    if toy:
        sampling |= {"size": (64, 64), "steps": min(2, preset.sampling["steps"])}
    local = preset.encoder_library == "open_clip"
    return dataclasses.replace(
        preset,
        encoder=f"local-dir:{encoder}" if local else str(encoder),
        pretrained=None,
        generator=str(generator),
        reranker=reranker,
        sampling=MappingProxyType(sampling),
        needs=dataclasses.replace(preset.needs, memory=0),
        sparing=False,
    )


def make(name: str, folder: Path, device: str, toy: bool) -> None:  # noqa: FBT001
    """Make a preset's models in a process of its own, whose memory is then free again."""
    with quiet_libraries():
        saved(name, folder, device, toy=toy)


def filled(encoder: JointEncoder, folder: Path) -> ImageStore:
    """A store of random vectors over some pictures, for re-rankers to read."""
    chance = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.jpg" for number in range(PICTURES)]
    for file in files:
        noise = chance.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((1024, 768)).save(file)
    vectors = chance.normal(size=(STORED, encoder.dimension)).astype(np.float32)
    store = ImageStore.in_memory(encoder)
    store.add(
        [
            StoredImage(f"{number:05}", vector, files[number % PICTURES].as_uri())
            for number, vector in enumerate(vectors)
        ]
    )
    return store


def measure(
    name: str,
    folder: Path,
    device: str,
    toy: bool,  # noqa: FBT001
    variant: str,
    repeats: int,
) -> dict[str, Any]:
    """Play turns with one preset in one variant; returns a ``Measured`` as a dictionary."""
    # No service draws here.
    os.environ.pop(DRAWING_KEY, None)
    preset = saved(name, folder, device, toy=toy)
    began = time.perf_counter()
    with quiet_libraries(), mock.patch.object(data, "PRESETS", {"measured": preset}):
        retriever = from_preset(
            "measured",
            lambda encoder: filled(encoder, folder / "pictures"),
            device=device,
            acceleration=VARIANTS[variant],
        )
        opening = time.perf_counter() - began
        turns, timings, fallbacks = [], [], []
        for number in range(repeats + 1):
            began = time.perf_counter()
            result = retriever.search(saying(number))
            turns.append(time.perf_counter() - began)
            timings.append(result.trace.timings)
            fallbacks += result.trace.fallbacks
            if result.trace.cached_count:
                fallbacks.append("images came from the cache, so that nothing was drawn")
        memory = most_memory(torch.device(device))
        without = {}
        if device.startswith("cuda") and variant == "plain":
            without = without_room(retriever)
    measured = Measured(
        steps={
            step: statistics.median(timing.get(step, 0.0) for timing in timings[1:])
            for step in timings[-1]
        },
        turn=statistics.median(turns[1:]),
        first=turns[0],
        opening=opening,
        memory=memory,
        images=len(result.trace.generated),
        hits=len(result.hits),
        fallbacks=list(dict.fromkeys(fallbacks)),
        without_room=without,
    )
    return asdict(measured)


def saying(number: int) -> str:
    """What the user says at a turn."""
    return f"a photo of a red {THINGS[number]} with white dots, on a wooden table"


def without_room(retriever: DiffusionAugmentedRetriever) -> dict[str, Any]:
    """Search while the GPU's memory is too small for a drawing, and once more with room again."""
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    # Enough for a caption, and not for a picture.
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_allocated() + 5e7) / whole)
    try:
        result = retriever.search(saying(-1))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    again = retriever.search(saying(-2))
    return {
        "hits": len(result.hits),
        "images": len(result.trace.generated),
        "said": list(result.trace.fallbacks),
        "images with room again": len(again.trace.generated),
    }


def chosen_presets(device: str, *, toy: bool) -> list[str]:
    """Those that fit the device."""
    machine = this_machine(device)
    return [
        name
        for name in PUBLISHED
        if toy
        or (
            PRESETS[name].needs.memory <= machine.memory
            and (PRESETS[name].needs.device == "cpu" or machine.device != "cpu")
        )
    ]


def table_of(measured: dict[str, dict[str, Any]], title: str) -> Table:
    """A row for each preset and variant."""
    steps = list(dict.fromkeys(step for one in measured.values() for step in one["steps"]))
    table = Table("", "turn, s", *steps, "images", "first, s", "opening, s", "GiB", title=title)
    for name, one in measured.items():
        table.add_row(
            name,
            f"{one['turn']:.3f}",
            *(f"{one['steps'][step]:.3f}" if step in one["steps"] else "" for step in steps),
            str(one["images"]),
            f"{one['first']:.1f}",
            f"{one['opening']:.1f}",
            f"{one['memory']:.2f}",
        )
    return table


def play(
    names: list[str], variants: list[str], repeats: int, device: str, *, toy: bool, out: Path | None
) -> dict[str, dict[str, Any]]:
    """Measure presets, one after the other, and keep what was measured."""
    measured: dict[str, dict[str, Any]] = {}
    if out is not None and out.exists():
        measured = json.loads(out.read_text())
    # Presets with one generator follow each other, so that its models are only made once.
    by_generator = groupby(
        sorted(names, key=lambda name: PRESETS[name].generator),
        key=lambda name: PRESETS[name].generator,
    )
    for _, alike in by_generator:
        with TemporaryDirectory() as temporary:
            models = Path(temporary)
            for name, variant in product(alike, variants):
                key = f"{name}, {variant}"
                if key in measured:
                    continue
                print(key, flush=True)
                _alone(make, name, models, device, toy)
                done = _alone(measure, name, models, device, toy, variant, repeats)
                for said in (*done["fallbacks"], done["without_room"]):
                    if said:
                        print(" ", said)
                measured[key] = done
                if out is not None:
                    out.write_text(json.dumps(measured, indent=1))
    return measured


def main() -> None:
    """Measure presets and variants that the device can have and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Help)
    parser.add_argument("--presets", help=f"some of {', '.join(PUBLISHED)}")
    parser.add_argument("--variants", default="plain", help=f"some of {', '.join(VARIANTS)}")
    parser.add_argument(
        "--repeats", type=int, default=3, choices=range(1, 8), help="turns after the first"
    )
    parser.add_argument("--device", help="the best one available by default")
    parser.add_argument("--toy", action="store_true", help="tiny models, for a quick run")
    parser.add_argument("--out", type=Path, help="keeps what was measured, as JSON")
    options = parser.parse_args()
    device = str(choose_device(options.device))
    fit = chosen_presets(device, toy=options.toy)
    names = options.presets.split(",") if options.presets else fit
    variants = options.variants.split(",")
    can = [name for name, each in VARIANTS.items() if serves(each, device)]
    for given, known in ((names, PUBLISHED), (variants, can)):
        if set(given) - set(known):
            parser.error(f"{', '.join(given)}: on {device} choose from {', '.join(known)}")
    measured = play(names, variants, options.repeats, device, toy=options.toy, out=options.out)
    size = "toy models" if options.toy else "published shapes"
    where = this_machine(device).name
    title = f"{size} with random weights on {where}, p50 of {options.repeats}"
    Console(width=160).print(table_of(measured, title))


def _alone(work: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the description's lines."""


if __name__ == "__main__":
    main()
