"""The checks of ``dar doctor``: each looks at one thing and says what to do if it is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeAlias

from dar_retriever.errors import DARError
from dar_retriever.evaluation.payoff import payoff
from dar_retriever.evaluation.trust import trust
from dar_retriever.generation import Acceleration
from dar_retriever.generation.base import GeneratedImage, ImageGenerator, ImageRequest
from dar_retriever.presets import (
    DRAWING_KEY,
    PRESETS,
    choose_drawing,
    choose_preset,
    from_preset,
    open_encoder,
    open_generator,
    preset,
)
from dar_retriever.stores.opening import open_store
from dar_retriever.support.hub import is_reachable
from dar_retriever.support.images import is_blank
from dar_retriever.support.machine import this_machine

_GB: Final = 1e9
_LITTLE_MEMORY: Final = 4.0
_LITTLE_DISK: Final = 25.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined.

    Attributes:
        preset: The preset whose models are tried.
        device: The device of the models; the best one available by default.
        store: A store with captions, on which the drawings are tried.
        acceleration: How the generator runs.
    """

    preset: str
    device: str | None = None
    store: str = ""
    acceleration: Acceleration | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: What was looked at.
        state: "good"; "note" if something could be better; "wrong" if something does not work.
        found: What was found.
        advice: What to do; empty where nothing has to be done.
    """

    name: str
    state: Literal["good", "note", "wrong"]
    found: str
    advice: str = ""


Check: TypeAlias = Callable[[Subject], Finding]


def python(_: Subject) -> Finding:
    """Python's version and the machine's system."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", "good", found)


def torch(_: Subject) -> Finding:
    """Whether PyTorch can use the machine's GPU."""
    import torch

    build = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for CPUs"
    found = f"{torch.__version__}, {build}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available() or not shutil.which("nvidia-smi"):
        return Finding("PyTorch", "good", found)
    advice = (
        "this machine has an NVIDIA driver, but PyTorch does not reach the GPU; check that "
        "nvidia-smi shows it, and install PyTorch as https://pytorch.org/get-started says"
    )
    return Finding("PyTorch", "wrong", found, advice)


def device(subject: Subject) -> Finding:
    """The device that the models run on."""
    machine = this_machine(subject.device)
    found = f"{machine.device} ({machine.name}), {machine.memory:.1f} GB"
    if machine.device != "cpu":
        return Finding("Device", "good", found)
    advice = f"drawing is slow without a GPU: 'laptop' is made for that, faster with {DRAWING_KEY}"
    return Finding("Device", "note", found, advice)


def runtime(subject: Subject) -> Finding:
    """Whether drawing can run faster on this machine."""
    if this_machine(subject.device).device != "cpu":
        return Finding("Runtime", "good", "PyTorch")
    if find_spec("openvino") is None:
        advice = (
            "pip install 'dar-retriever[openvino]' draws faster on a CPU, by --runtime openvino"
        )
        return Finding("Runtime", "note", "PyTorch", advice)
    if subject.acceleration is not None and subject.acceleration.runtime == "openvino":
        return Finding("Runtime", "good", f"OpenVINO {version('openvino')}")
    found = f"PyTorch; OpenVINO {version('openvino')} is installed"
    return Finding("Runtime", "note", found, "--runtime openvino draws faster on a CPU")


def memory(subject: Subject) -> Finding:
    """Free memory of the machine."""
    machine = this_machine(subject.device)
    found = f"{machine.free:.1f} GB free"
    if machine.free >= _LITTLE_MEMORY:
        return Finding("Memory", "good", found)
    return Finding("Memory", "note", found, "close other programs before you open models")


def hub(_: Subject) -> Finding:
    """Whether models can be downloaded."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        advice = "unset HF_HUB_OFFLINE to download models; what was downloaded before still opens"
        return Finding("Model hub", "note", "offline, because HF_HUB_OFFLINE is set", advice)
    if is_reachable():
        return Finding("Model hub", "good", f"{constants.ENDPOINT} answers")
    advice = (
        "connect to the network once to download models, or set HTTPS_PROXY or HF_ENDPOINT for "
        "your network; the 'demo' preset needs no download"
    )
    return Finding("Model hub", "note", f"{constants.ENDPOINT} cannot be reached", advice)


def cache(_: Subject) -> Finding:
    """Where downloaded models go, and whether there is room."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / _GB
    models = sum(1 for _ in folder.glob("models--*")) if folder.is_dir() else 0
    found = f"{folder}: {models} models, {free:.0f} GB of disk free"
    if not os.access(there, os.W_OK):
        return Finding("Cache", "wrong", found, "it cannot be written; set HF_HOME to a folder")
    if free >= _LITTLE_DISK:
        return Finding("Cache", "good", found)
    advice = "the larger presets download up to 21 GB; set HF_HOME to a disk with more room"
    return Finding("Cache", "note", found, advice)


def key(_: Subject) -> Finding:
    """Whether a hosted model draws."""
    if os.environ.get(DRAWING_KEY):
        return Finding("Key", "good", f"{DRAWING_KEY} is set, so a hosted model draws for 'laptop'")
    return Finding("Key", "good", f"no {DRAWING_KEY} is set, so nothing is sent to a service")


def presets(subject: Subject) -> Finding:
    """Which presets fit, and which one "auto" takes."""
    machine = this_machine(subject.device)
    fit = [
        name
        for name, each in PRESETS.items()
        if each.needs.memory <= machine.memory
        and (each.needs.device == "cpu" or machine.device != "cpu")
    ]
    choice = choose_preset(machine)
    return Finding("Presets", "good", f"{', '.join(fit)} fit; 'auto' is {choice.name!r}")


def encoding(subject: Subject) -> Finding:
    """Opens the encoder and encodes a text and an image, twice: a first call prepares much."""
    from PIL import Image

    began = time.perf_counter()
    encoder = open_encoder(subject.preset, device=subject.device)
    image, moments = Image.effect_noise((256, 256), 50).convert("RGB"), [time.perf_counter()]
    for _ in range(2):
        encoder.encode_texts(["a red dress"])
        encoder.encode_images([image])
        moments.append(time.perf_counter())
    opened, first, second = moments
    what = f"opened in {opened - began:.1f} s, a text and an image in {second - first:.2f} s"
    found = f"{subject.preset}: {what} (the first in {first - opened:.2f} s)"
    return Finding("Encoding", "good", found)


def drawing(subject: Subject) -> Finding:
    """Opens the generator and draws one image; here a second one, as a first prepares much."""
    began = time.perf_counter()
    generator = _generator_of(subject)
    opened = time.perf_counter()
    if generator is None:
        advice = f"set {DRAWING_KEY}, or free {preset(subject.preset).needs.memory:.0f} GB"
        return Finding("Drawing", "note", "nothing is drawn on this machine", advice)
    [made] = generator.generate([ImageRequest("a red dress")])
    took = time.perf_counter() - opened
    if not isinstance(made, GeneratedImage):
        return Finding("Drawing", "wrong", made.reason, "searches go on with the words alone")
    drawn = f"an image in {took:.1f} s"
    who, _ = choose_drawing(preset(subject.preset), this_machine(subject.device))
    if who == "local":
        again = time.perf_counter()
        generator.generate([ImageRequest("a red dress", seed=1)])
        drawn = f"an image in {time.perf_counter() - again:.1f} s (the first in {took:.1f} s)"
    found = f"{subject.preset}: opened in {opened - began:.1f} s, {drawn}"
    if is_blank(made.image):
        advice = "try another device or precision; a blank drawing is left out of a search"
        return Finding("Drawing", "wrong", f"{found}, but it is blank", advice)
    if made.instead:
        return Finding("Drawing", "note", found, made.instead)
    return Finding("Drawing", "good", found)


def trusted(subject: Subject) -> Finding:
    """Draws some of the store's captions, and looks whether the drawings find their images."""
    encoder = open_encoder(subject.preset, device=subject.device)
    generator = _generator_of(subject)
    store = open_store(subject.store, encoder)
    if generator is None:
        return Finding("Drawings here", "note", "nothing is drawn on this machine")
    found = trust(generator, encoder, store)
    worth = f"a drawing of a caption is closer to its image than to {found.drawn:.0%} of the store"
    drawn = f"{found.captions} captions drawn: {worth} (the caption itself: {found.text:.0%})"
    if found.worthless:
        advice = (
            "they find no more than chance does; set images_per_turn of the retriever's query "
            "encoder to 0, or try another generator"
        )
        return Finding("Drawings here", "wrong", drawn, advice)
    return Finding("Drawings here", "good", drawn)


def sampled(subject: Subject) -> Finding:
    """Searches with halves of the store's captions, with samples of what is meant and without."""
    retriever = from_preset(subject.preset, subject.store, device=subject.device)
    stage = retriever.second_stage
    if retriever.query_encoder.prior is None or stage is None:
        return Finding("Samples here", "good", f"{subject.preset} samples nothing")
    found = payoff(retriever.query_encoder, stage.reranker, retriever.store)
    shares = f"{found.without:.0%} without samples, {found.with_samples:.0%} with them"
    said = f"halves of {found.captions} captions find their image among ten: {shares}"
    if found.costs:
        advice = "they cost more than they find; set prior of the retriever's query encoder to None"
        return Finding("Samples here", "wrong", said, advice)
    what = "they pay" if found.pays else "no difference beyond chance"
    return Finding("Samples here", "good", f"{said}; {what}")


def _generator_of(subject: Subject) -> ImageGenerator | None:
    return open_generator(subject.preset, device=subject.device, acceleration=subject.acceleration)


CHECKS: Final[tuple[Check, ...]] = (
    python,
    torch,
    device,
    runtime,
    memory,
    hub,
    cache,
    key,
    presets,
    encoding,
    drawing,
)


def examine(check: Check, subject: Subject) -> Finding:
    """Run a check; one that fails is a finding too."""
    name = check.__name__.capitalize()
    try:
        return check(subject)
    except DARError as error:
        return Finding(name, "wrong", f"{subject.preset}: does not work", str(error))
    # Whatever a library raises on a machine that is not as it should be.
    except Exception as error:
        found = f"{subject.preset}: {type(error).__name__}: {error}"
        return Finding(name, "wrong", found, "see whether another --preset or --device works")
