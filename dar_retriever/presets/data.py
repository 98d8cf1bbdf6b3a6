"""The presets, as data: their models, and what these need."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from dar_retriever.errors import InvalidInputError

_WEIGHTS: Final = Path(__file__).parent.parent / "demo" / "weights"
_STABILITY: Final = "Stability AI Community"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a preset needs, and how that is known.

    Attributes:
        device: "cpu" if it runs on any machine, "gpu" if drawing takes minutes on a CPU.
        memory: GB of memory on the device, with the models in the precision they run in.
        download: GB to download once.
        licences: Licences of the encoder and of the generator.
        seconds: How long a turn takes; empty if that was not measured.
        source: How memory and download are known.
    """

    device: Literal["cpu", "gpu"]
    memory: float
    download: float
    licences: tuple[str, str]
    seconds: str = ""
    source: str = "estimated from the number of parameters"


@dataclass(frozen=True, slots=True)
class HostedModel:
    """A hosted model that draws in place of the preset's own, where a key is set.

    Attributes:
        model: Its name on the hub.
        images_per_dialogue: Maximum number of images of one conversation, because each costs money.
        settings: Arguments of ``HostedGenerator``.
    """

    model: str
    images_per_dialogue: int
    settings: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of components.

    Attributes:
        why: What it is for, and why these models.
        encoder_library: The library that opens the encoder.
        encoder: Name, hub id or folder of the encoder.
        generator: Hub id or folder of a text-to-image pipeline.
        images_per_turn: Number of images generated at each turn.
        needs: Memory, download, time and licences.
        pretrained: open_clip's tag of the encoder's weights, if it needs one.
        negative_prompts: Whether the generator works well with negative prompts.
        adaptive: Whether generated images are weighted by how well they agree with the text; if
            not, by the paper's schedule.
        sparing: Whether fewer images are generated if the text leaves few candidates.
        reranker: What orders the best hits anew: "blip", the encoder's own matching head;
            "beside", the matching head and the prior in the folders beside the encoder's; or the
            name of a cross-encoder of sentence-transformers. None for the order of the search.
        sampling: Arguments of ``DiffusersGenerator`` such as steps, guidance and size.
        hosted: Draws instead where the variable ``DAR_DRAWING_KEY`` is set. Such a preset draws
            nothing at all where neither is possible.
    """

    why: str
    encoder_library: Literal["open_clip", "transformers", "sentence_transformers"]
    encoder: str
    generator: str
    images_per_turn: int
    needs: Needs
    pretrained: str | None = None
    negative_prompts: bool = False
    adaptive: bool = True
    sparing: bool = True
    reranker: str | None = None
    sampling: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    hosted: HostedModel | None = None


_KLEIN: Final = MappingProxyType({"steps": 4, "guidance": 1.0, "size": (768, 768)})

PRESETS: Final[MappingProxyType[str, Preset]] = MappingProxyType(
    {
        "demo": Preset(
            why="Runs anywhere without a download; knows the drawn catalogue and nothing else.",
            encoder_library="open_clip",
            encoder=f"local-dir:{_WEIGHTS / 'encoder'}",
            generator=str(_WEIGHTS / "generator"),
            images_per_turn=4,
            needs=Needs("cpu", 1, 0, ("MIT", "MIT"), "0.5 s with 4 drawings on 2 CPU cores"),
            # All images are drawn, because the demo is there to show them.
            sparing=False,
            reranker="beside",
            sampling=MappingProxyType({"steps": 10, "guidance": 2.0}),
        ),
        "laptop": Preset(
            why="SigLIP 2 with the fewest patches indexes quickly on a CPU; a hosted model draws "
            "where a key is set, else SD-Turbo at the encoder's own size with a tiny decoder.",
            encoder_library="open_clip",
            encoder="ViT-B-32-SigLIP2-256",
            pretrained="webli",
            generator="stabilityai/sd-turbo",
            images_per_turn=1,
            needs=Needs(
                "cpu",
                8,
                4.1,
                ("Apache 2.0", _STABILITY),
                "4.9 s of CPU time with 1 drawing, 3.8 s with OpenVINO",
            ),
            sampling=MappingProxyType(
                {
                    "steps": 1,
                    "guidance": 0.0,
                    "size": (256, 256),
                    "variant": "fp16",
                    "decoder": "madebyollin/taesd",
                }
            ),
            hosted=HostedModel(
                "black-forest-labs/FLUX.1-schnell",
                images_per_dialogue=20,
                settings=MappingProxyType({"size": (512, 512), "steps": 4}),
            ),
        ),
        "fast": Preset(
            why="SigLIP 2 base with 256 patches; SD-Turbo draws in a single step.",
            encoder_library="open_clip",
            encoder="ViT-B-16-SigLIP2-256",
            pretrained="webli",
            generator="stabilityai/sd-turbo",
            images_per_turn=2,
            needs=Needs("gpu", 5, 4.1, ("Apache 2.0", _STABILITY)),
            sampling=MappingProxyType({"steps": 1, "guidance": 0.0, "variant": "fp16"}),
        ),
        "quality": Preset(
            why="SigLIP 2 so400m finds more than base (COCO, text to image, R@1 56.0 at 512 pixels "
            "for 53.2 at 256, arXiv 2502.14786); FLUX.2 klein draws long prompts in four steps.",
            encoder_library="open_clip",
            encoder="ViT-SO400M-16-SigLIP2-384",
            pretrained="webli",
            generator="black-forest-labs/FLUX.2-klein-4B",
            images_per_turn=4,
            needs=Needs("gpu", 20, 20.5, ("Apache 2.0", "Apache 2.0")),
            sampling=_KLEIN,
        ),
        "best": Preset(
            why="Qwen3-VL-Embedding reads pictures and words in one input, in over 30 languages, "
            "and its re-ranker orders the best hits (arXiv 2601.04720); FLUX.2 klein draws long "
            "prompts in four steps.",
            encoder_library="sentence_transformers",
            encoder="Qwen/Qwen3-VL-Embedding-2B",
            generator="black-forest-labs/FLUX.2-klein-4B",
            images_per_turn=4,
            needs=Needs("gpu", 28, 24.3, ("Apache 2.0", "Apache 2.0")),
            reranker="Qwen/Qwen3-VL-Reranker-2B",
            sampling=_KLEIN,
        ),
        "multilingual": Preset(
            why="SigLIP 2 large learned from captions in 109 languages; FLUX.2 klein reads prompts "
            "with Qwen3, a multilingual language model.",
            encoder_library="open_clip",
            encoder="ViT-L-16-SigLIP2-256",
            pretrained="webli",
            generator="black-forest-labs/FLUX.2-klein-4B",
            images_per_turn=2,
            needs=Needs("gpu", 19, 19.5, ("Apache 2.0", "Apache 2.0")),
            sampling=_KLEIN,
        ),
        "paper": Preset(
            why="Zero-shot BLIP and Stable Diffusion 3: the kinds of model in the DAR paper.",
            encoder_library="transformers",
            encoder="Salesforce/blip-itm-large-coco",
            generator="stabilityai/stable-diffusion-3-medium-diffusers",
            images_per_turn=3,
            needs=Needs("gpu", 18, 17, ("BSD 3-clause", f"{_STABILITY}, on request")),
            negative_prompts=True,
            adaptive=False,
            sparing=False,
            # Reading twenty pictures takes less than a hundredth of the work of drawing three.
            reranker="blip",
            sampling=MappingProxyType({"steps": 28, "guidance": 7.0, "size": (1024, 1024)}),
        ),
    }
)


def preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        InvalidInputError: There is none of that name.
    """
    if name not in PRESETS:
        raise InvalidInputError(f"preset={name!r} is not one of {', '.join(PRESETS)}")
    return PRESETS[name]
