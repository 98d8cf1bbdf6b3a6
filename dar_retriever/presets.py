"""Presets: named sets of components, and the function that opens them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from dar_retriever.encoders import JointEncoder, OpenClipEncoder, TransformersEncoder
from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion import (
    AdaptiveFusion,
    BoundedExclusion,
    Calibration,
    UncertaintySpending,
    paper_schedule,
)
from dar_retriever.generation import (
    Acceleration,
    BatchingGenerator,
    CachedGenerator,
    DiffusersGenerator,
    ImageGenerator,
)
from dar_retriever.language_models.base import LanguageModel
from dar_retriever.language_models.local import LocalLanguageModel
from dar_retriever.query_encoder import DARQueryEncoder
from dar_retriever.ranking.blip_matcher import BlipMatcher
from dar_retriever.ranking.closeness import StoreCloseness
from dar_retriever.ranking.cross_encoder import CrossEncoderReranker
from dar_retriever.ranking.ending import StoreEnding
from dar_retriever.ranking.proposition_reranker import PropositionReranker
from dar_retriever.ranking.reading import PropositionReader
from dar_retriever.ranking.second_stage import SecondStage
from dar_retriever.reformulation import LLMReformulator, Reformulator
from dar_retriever.reformulation.checked import CheckedReformulator
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.base import StoreOpener
from dar_retriever.stores.opening import open_store

_WEIGHTS: Final = Path(__file__).parent / "demo" / "weights"


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of components.

    Attributes:
        why: What it is for, and why these models.
        encoder_library: The library that opens the encoder.
        encoder: Name, hub id or folder of the encoder.
        generator: Hub id or folder of a text-to-image pipeline.
        images_per_turn: Number of images generated at each turn.
        pretrained: open_clip's tag of the encoder's weights, if it needs one.
        negative_prompts: Whether the generator works well with negative prompts.
        adaptive: Whether generated images are weighted by how well they agree with the text; if
            not, by the paper's schedule.
        sparing: Whether fewer images are generated if the text leaves few candidates.
        reranker: What orders the best hits anew: "blip", the encoder's own matching head; None for
            the order of the search.
        sampling: Arguments of ``DiffusersGenerator`` such as steps, guidance and size.
    """

    why: str
    encoder_library: Literal["open_clip", "transformers"]
    encoder: str
    generator: str
    images_per_turn: int
    pretrained: str | None = None
    negative_prompts: bool = False
    adaptive: bool = True
    sparing: bool = True
    reranker: Literal["blip"] | None = None
    sampling: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))


PRESETS: Final[MappingProxyType[str, Preset]] = MappingProxyType(
    {
        "demo": Preset(
            why="Runs anywhere without a download; knows the drawn catalogue and nothing else.",
            encoder_library="open_clip",
            encoder=f"local-dir:{_WEIGHTS / 'encoder'}",
            generator=str(_WEIGHTS / "generator"),
            images_per_turn=4,
            # All images are drawn, because the demo is there to show them.
            sparing=False,
            sampling=MappingProxyType({"steps": 10, "guidance": 2.0}),
        ),
        "fast": Preset(
            why="SigLIP 2 base, the best small open encoder; SD-Turbo draws in a single step.",
            encoder_library="open_clip",
            encoder="ViT-B-16-SigLIP2-256",
            pretrained="webli",
            generator="stabilityai/sd-turbo",
            images_per_turn=2,
            sampling=MappingProxyType({"steps": 1, "guidance": 0.0}),
        ),
        "quality": Preset(
            why="SigLIP 2 so400m leads open zero-shot retrieval; FLUX.2 klein follows long "
            "prompts in four steps under an Apache licence.",
            encoder_library="open_clip",
            encoder="ViT-SO400M-16-SigLIP2-384",
            pretrained="webli",
            generator="black-forest-labs/FLUX.2-klein-4B",
            images_per_turn=4,
            sampling=MappingProxyType({"steps": 4, "guidance": 1.0, "size": (768, 768)}),
        ),
        "paper": Preset(
            why="Zero-shot BLIP and Stable Diffusion 3: the kinds of model in the DAR paper.",
            encoder_library="transformers",
            encoder="Salesforce/blip-itm-large-coco",
            generator="stabilityai/stable-diffusion-3-medium-diffusers",
            images_per_turn=3,
            negative_prompts=True,
            adaptive=False,
            sparing=False,
            # Reading twenty pictures takes less than a hundredth of the time of drawing three.
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


def open_encoder(name: str, *, device: str | None = None) -> JointEncoder:
    """Open a preset's encoder.

    Raises:
        InvalidInputError: There is no preset of that name.
        ModelLoadError: The encoder cannot be opened.
    """
    chosen = preset(name)
    if chosen.encoder_library == "open_clip":
        return OpenClipEncoder(chosen.encoder, chosen.pretrained, device=device)
    return TransformersEncoder(chosen.encoder, device=device)


def open_generator(
    name: str,
    *,
    device: str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
    acceleration: Acceleration | None = None,
) -> ImageGenerator:
    """Open a preset's generator, with batches for concurrent users and a cache.

    Raises:
        InvalidInputError: There is no preset of that name, or the device or the pipeline does not
            support the acceleration.
        ModelLoadError: The generator cannot be opened.
    """
    chosen = preset(name)
    pipeline = DiffusersGenerator(
        chosen.generator, device=device, acceleration=acceleration, **chosen.sampling
    )
    return CachedGenerator(BatchingGenerator(pipeline), cache_folder)


def from_preset(
    name: str,
    store: str | os.PathLike[str] | StoreOpener | None = None,
    *,
    device: str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
    language_model: LanguageModel | None = None,
    acceleration: Acceleration | None = None,
    word_filters: bool = True,
) -> DiffusionAugmentedRetriever:
    """Open a preset's models and a store.

    Args:
        name: One of ``PRESETS``.
        store: Folder of the image store; address of a Chroma server, such as
            "http://localhost:8000" or "http://localhost:8000/COLLECTION"; or a function that opens
            a store for the preset's encoder. By default the store is in memory.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        cache_folder: Folder for generated images; by default they are not kept between runs.
        language_model: Reformulates the dialogue; rules do by default.
        acceleration: Makes the generator faster, or lets it run on a small GPU.
        word_filters: Whether "under 50 euros" and the like filter by the store's metadata.

    Raises:
        InvalidInputError: There is no preset of that name, or the device or the pipeline does not
            support the acceleration.
        ModelLoadError: A model cannot be opened.
        EncoderMismatchError: Another encoder filled the store.
    """
    chosen = preset(name)
    options: dict[str, Any] = {"device": device, "cache_folder": cache_folder}
    options |= {"language_model": language_model, "acceleration": acceleration}
    options |= {"word_filters": word_filters}
    reopen = None if store is None else partial(from_preset, name, store, **options)
    encoder = open_encoder(name, device=device)
    generator = open_generator(
        name, device=device, cache_folder=cache_folder, acceleration=acceleration
    )
    opened = open_store(store, encoder)
    reformulator: Reformulator | None = None
    if isinstance(language_model, LocalLanguageModel):
        reformulator = CheckedReformulator(
            language_model, count_tokens=encoder.count_tokens, max_tokens=encoder.max_tokens
        )
    elif language_model is not None:
        reformulator = LLMReformulator(
            language_model,
            count_tokens=encoder.count_tokens,
            max_tokens=encoder.max_tokens,
            prompts=chosen.images_per_turn,
        )
    calibration = Calibration(opened)
    query_encoder = DARQueryEncoder(
        encoder,
        generator,
        reformulator=reformulator,
        fusion=AdaptiveFusion(calibration) if chosen.adaptive else paper_schedule(),
        spending=UncertaintySpending(calibration) if chosen.sparing else None,
        exclusion=BoundedExclusion(calibration),
        images_per_turn=chosen.images_per_turn,
        negative_prompts=chosen.negative_prompts,
    )
    reader = PropositionReader(encoder, calibration)
    return DiffusionAugmentedRetriever(
        query_encoder,
        opened,
        closeness=StoreCloseness(opened, encoder, calibration),
        ending=StoreEnding(opened, reader),
        explainer=PropositionReranker(reader),
        second_stage=_second_stage(encoder, chosen),
        word_filters=word_filters,
        reopen=reopen,
    )


def _second_stage(encoder: JointEncoder, chosen: Preset) -> SecondStage | None:
    if chosen.reranker == "blip":
        assert isinstance(encoder, TransformersEncoder)
        return SecondStage(CrossEncoderReranker(BlipMatcher(encoder)))
    return None
