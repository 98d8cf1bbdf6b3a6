"""Methods to compare: how a dialogue becomes text, and how text and images are fused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.reranking import OWN, RERANKERS
from dar_retriever.fusion import (
    AdaptiveFusion,
    Calibration,
    Fusion,
    ScheduledFusion,
    Spending,
    UncertaintySpending,
    image_only,
    paper_schedule,
    text_only,
)
from dar_retriever.presets import preset

_WEIGHTS: Final = "weights:"
_RERANKED: Final = "reranked:"
_VIEW: Final = "view:"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to search.

    Attributes:
        name: The name that was given.
        joined: Whether the turns are joined as they are instead of reformulated.
        fusion: Creates the fusion of text and generated images for a pool.
        draws: Whether the method generates images.
        preset: The preset whose models it uses.
        spending: Creates the component that decides how many images to generate for a turn; None
            for the preset's number.
        excludes: Whether exclusions bend the query, as in the presets.
        reranker: What orders the best images anew, one of ``RERANKERS``, or ``OWN`` for
            the preset's; empty for nothing.
        samples: Whether a prior's image vectors take the place of generated images.
        view: The image-only model that compares the generated images with the best images once
            more; empty for none.
    """

    name: str
    joined: bool
    fusion: Callable[[Calibration], Fusion]
    draws: bool
    preset: str
    spending: Callable[[Calibration], Spending] | None = None
    excludes: bool = False
    reranker: str = ""
    samples: bool = False
    view: str = ""


METHODS: Final = MappingProxyType(
    {
        "joined": "all turns joined as text",
        "text": "reformulated text",
        "excluding": "reformulated text, bent away from what is denied",
        "images": "generated images alone",
        "dar": "text and generated images by the paper's schedule",
        "adaptive": "text and generated images, weighted by how well they agree",
        "prior": "adaptive, with image vectors of the preset's prior in place of images",
        "sparing": "adaptive, with only as many images as the text needs",
        "reranked": "adaptive, ordered anew as the preset does",
        "ceiling": "a perfect reader of what was told, over the demo's products",
    }
)


def method(spec: str, default_preset: str) -> Method:
    """A method by name.

    Args:
        spec: One of ``METHODS``, or "weights:TEXT/IMAGES" with a pair of weights for each round,
            separated by commas; the last pair is used for all further rounds; or "reranked:NAME"
            for "adaptive" with a re-ranker of ``RERANKERS`` after it; or "view:MODEL" for
            "adaptive" with the second view of an image-only model (hub id or folder). Add
            "@PRESET" to use that preset's models.
        default_preset: The preset to use if the spec does not name one.

    Raises:
        InvalidInputError: There is no such method or preset, or the weights are not valid.
    """
    name, _, chosen = spec.partition("@")
    chosen = chosen or default_preset
    preset(chosen)
    if name.startswith(_WEIGHTS):
        weighted = _weighted(name)
        return Method(spec, False, lambda _: weighted, True, chosen)
    reranker = name.removeprefix(_RERANKED) if name.startswith(_RERANKED) else ""
    if reranker in RERANKERS:
        name = "adaptive"
    view = name.removeprefix(_VIEW) if name.startswith(_VIEW) else ""
    if view:
        name = "adaptive"
    if name == "reranked":
        name, reranker = "adaptive", OWN
    if name not in METHODS:
        raise InvalidInputError(
            f"method {spec!r} is not one of {', '.join(METHODS)}, or such as weights:0.7/0.3, or "
            f"reranked: with one of {', '.join(RERANKERS)}, or view: with an image-only model"
        )
    fusions: dict[str, Callable[[Calibration], Fusion]] = {
        "images": lambda _: image_only(),
        "dar": lambda _: paper_schedule(),
        "adaptive": AdaptiveFusion,
        "prior": AdaptiveFusion,
        "sparing": AdaptiveFusion,
    }
    fusion = fusions.get(name, lambda _: text_only())
    spending = UncertaintySpending if name == "sparing" else None
    excludes = name in {"excluding", "adaptive", "prior", "sparing"}
    samples = name == "prior"
    if samples and preset(chosen).reranker != "beside":
        raise InvalidInputError(
            f"method {spec!r}: the preset {chosen!r} has no prior; write 'prior@demo', or leave "
            "the method out"
        )
    draws = name in fusions and not samples
    return Method(
        spec, name == "joined", fusion, draws, chosen, spending, excludes, reranker, samples, view
    )


def _weighted(name: str) -> Fusion:
    pairs = name.removeprefix(_WEIGHTS).split(",")
    try:
        weights = [(float(text), float(image)) for text, image in (p.split("/") for p in pairs)]
    except ValueError as error:
        raise InvalidInputError(
            f"method {name!r}: write weights such as weights:0.8/0.2,0.5/0.5 ({error})"
        ) from error
    return ScheduledFusion(*weights)
