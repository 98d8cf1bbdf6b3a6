"""Opens what a preset names: its encoder, its generator, and a retriever of both."""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import Any, Final

from dar_retriever.encoders import (
    JointEncoder,
    OpenClipEncoder,
    SentenceTransformersEncoder,
    TransformersEncoder,
)
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
    DialogueLimit,
    DiffusersGenerator,
    HostedGenerator,
    ImageGenerator,
    SelectingGenerator,
)
from dar_retriever.language_models.base import LanguageModel
from dar_retriever.language_models.local import LocalLanguageModel
from dar_retriever.presets.beside import Beside
from dar_retriever.presets.choice import (
    AUTO,
    DRAWING_KEY,
    choose_drawing,
    choose_preset,
)
from dar_retriever.presets.data import Preset, preset
from dar_retriever.query_encoder import DARQueryEncoder
from dar_retriever.ranking import (
    BlipMatcher,
    Closeness,
    CrossEncoderReranker,
    EncodedFaithfulness,
    Ending,
    HitStarts,
    MatchingCloseness,
    MatchingEnding,
    PropositionReader,
    PropositionReranker,
    Reranker,
    SecondStage,
    SentenceTransformersMatcher,
    StoreCloseness,
    StoreEnding,
)
from dar_retriever.ranking.subjects import SubjectLevel
from dar_retriever.reformulation import LLMReformulator, Reformulator
from dar_retriever.reformulation.checked import CheckedReformulator
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.base import StoreOpener
from dar_retriever.stores.opening import open_store
from dar_retriever.support.machine import this_machine

_LOGGER: Final = logging.getLogger(__name__)


def preset_name(name: str, device: str | None = None) -> str:
    """The name itself; for "auto", that of the preset that suits this machine, with a message.

    Raises:
        InvalidInputError: There is no preset of that name.
    """
    if name != AUTO:
        preset(name)
        return name
    choice = choose_preset(this_machine(device))
    _LOGGER.warning("preset 'auto' took %r: %s", choice.name, choice.why)
    return choice.name


def open_encoder(name: str, *, device: str | None = None) -> JointEncoder:
    """Open a preset's encoder.

    Raises:
        InvalidInputError: There is no preset of that name.
        ModelLoadError: The encoder cannot be opened.
        MissingExtraError: Its library is not installed.
    """
    chosen = preset(preset_name(name, device))
    if chosen.encoder_library == "open_clip":
        return OpenClipEncoder(chosen.encoder, chosen.pretrained, device=device)
    if chosen.encoder_library == "sentence_transformers":
        return SentenceTransformersEncoder(chosen.encoder, device=device)
    return TransformersEncoder(chosen.encoder, device=device)


def open_generator(
    name: str,
    *,
    device: str | None = None,
    cache_folder: str | os.PathLike[str] | None = None,
    acceleration: Acceleration | None = None,
) -> ImageGenerator | None:
    """Open a preset's generator, with batches for concurrent users and a cache.

    Args:
        name: One of ``PRESETS``, or "auto" for the one that suits this machine.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        cache_folder: Folder for generated images; by default they are not kept between runs.
        acceleration: Makes the generator faster, or lets it run on a small GPU.

    Returns:
        The generator; None if the preset draws where it can, and it can neither draw on this
        machine nor with a hosted model.

    Raises:
        InvalidInputError: There is no preset of that name, or the device or the pipeline does not
            support the acceleration.
        ModelLoadError: The generator cannot be opened.
    """
    chosen = preset(preset_name(name, device))
    who, why = choose_drawing(chosen, this_machine(device))
    if chosen.hosted is not None:
        _LOGGER.warning("preset %r: %s", name, why)
    if who == "none":
        return None
    if who == "hosted" and chosen.hosted is not None:
        hosted = HostedGenerator(
            chosen.hosted.model, key_from=DRAWING_KEY, **chosen.hosted.settings
        )
        limited = DialogueLimit(hosted, chosen.hosted.images_per_dialogue, chosen.images_per_turn)
        return CachedGenerator(limited, cache_folder)
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
    generator: ImageGenerator | None = None,
    tries: int = 1,
    hide_near_duplicates: bool = False,
    word_filters: bool = True,
    refine: bool = False,
    draw_from_hits: bool = False,
    models_of: DiffusionAugmentedRetriever | None = None,
) -> DiffusionAugmentedRetriever:
    """Open a preset's models and a store.

    Args:
        name: One of ``PRESETS``, or "auto" for the one that suits this machine.
        store: Folder of the image store; address of a Chroma server, such as
            "http://localhost:8000" or "http://localhost:8000/COLLECTION"; or a function that opens
            a store for the preset's encoder. By default the store is in memory.
        device: "cuda", "mps" or "cpu"; the best one available by default.
        cache_folder: Folder for generated images; by default they are not kept between runs.
        language_model: Reformulates the dialogue; rules do by default.
        acceleration: Makes the generator faster, or lets it run on a small GPU.
        generator: Draws in place of the preset's own, such as a hosted one.
        tries: How many images are drawn for each that is kept; the most faithful one is.
        hide_near_duplicates: Whether of nearly the same images only the best hit is shown.
        word_filters: Whether "under 50 euros" and the like filter by the store's metadata.
        refine: Whether what none of the first hits shows is drawn and searched once more.
        draw_from_hits: Whether drawings start from hits that were liked or fit; see ``HitStarts``.
        models_of: A retriever of the same preset, whose encoder and generator are used for this
            store as well. Such a retriever cannot be pickled.

    Raises:
        InvalidInputError: There is no preset of that name, or the device or the pipeline does not
            support the acceleration.
        ModelLoadError: A model cannot be opened.
        EncoderMismatchError: Another encoder filled the store.
    """
    name = preset_name(name, device)
    chosen = preset(name)
    options: dict[str, Any] = {"device": device, "cache_folder": cache_folder}
    options |= {"language_model": language_model, "acceleration": acceleration}
    options |= {
        "tries": tries,
        "hide_near_duplicates": hide_near_duplicates,
        "word_filters": word_filters,
        "refine": refine,
        "draw_from_hits": draw_from_hits,
    }
    # A generator of one's own may not be one that can be opened again.
    alone = store is None or generator is not None or models_of is not None
    reopen = None if alone else partial(from_preset, name, store, **options)
    encoder = models_of.query_encoder.encoder if models_of else open_encoder(name, device=device)
    beside = Beside(chosen.encoder) if chosen.reranker == "beside" else None
    if models_of is not None:
        generator = models_of.query_encoder.generator
    elif generator is not None:
        generator = CachedGenerator(generator, cache_folder)
    else:
        generator = open_generator(
            name,
            device=device,
            cache_folder=cache_folder,
            acceleration=acceleration,
        )
    if tries > 1 and generator is not None and models_of is None:
        chooser = beside.faithfulness(encoder) if beside else EncodedFaithfulness(encoder)
        generator = SelectingGenerator(generator, chooser, tries)
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
        prior=beside.prior if beside else None,
        images_per_turn=chosen.images_per_turn,
        negative_prompts=chosen.negative_prompts,
    )
    if beside is not None:
        reranker: Reranker | None = beside.reranker(opened)
    elif models_of is not None:
        reranker = models_of.second_stage.reranker if models_of.second_stage else None
    else:
        reranker = reader_of_pictures(chosen, encoder, device)
    reader = PropositionReader(encoder, calibration)
    ending: Ending = StoreEnding(opened, reader)
    closeness: Closeness = StoreCloseness(opened, encoder, calibration)
    subjects = SubjectLevel(opened, encoder) if beside else None
    if beside is not None:
        head = beside.matching
        ending = MatchingEnding(head, opened, encoder, ending, subjects=subjects)
        closeness = MatchingCloseness(head, opened, encoder, closeness, subjects=subjects)
    return DiffusionAugmentedRetriever(
        query_encoder,
        opened,
        closeness=closeness,
        second_stage=SecondStage(reranker, subjects=subjects) if reranker else None,
        ending=ending,
        explainer=beside.matching if beside else PropositionReranker(reader),
        hide_near_duplicates=hide_near_duplicates,
        word_filters=word_filters,
        starts=HitStarts(ending) if draw_from_hits else None,
        refine=refine,
        reopen=reopen,
    )


def reader_of_pictures(
    chosen: Preset, encoder: JointEncoder, device: str | None = None
) -> Reranker | None:
    """The re-ranker that reads the best hits' pictures, if the preset has one."""
    if chosen.reranker is None:
        return None
    if chosen.reranker == "blip" and isinstance(encoder, TransformersEncoder):
        return CrossEncoderReranker(BlipMatcher(encoder))
    return CrossEncoderReranker(SentenceTransformersMatcher(chosen.reranker, device=device))
