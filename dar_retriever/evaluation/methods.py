"""What is compared: how the text is made of a dialogue, and how it is fused with images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dar_retriever.errors import InvalidInputError
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


@dataclass(frozen=True, slots=True)
class Method:
    """One way to search.

    Attributes:
        name: As it was asked for.
        joined: Whether all turns are joined as they are, instead of reformulated.
        fusion: Makes what combines text and generated images, for the pool that is searched.
        draws: Whether images are generated for it.
        preset: Whose models it runs on.
        spending: Makes what decides how many images a turn is worth, likewise; None for as many
            as the preset has.
    """

    name: str
    joined: bool
    fusion: Callable[[Calibration], Fusion]
    draws: bool
    preset: str
    spending: Callable[[Calibration], Spending] | None = None


METHODS: Final = MappingProxyType(
    {
        "joined": "all turns joined as text",
        "text": "reformulated text",
        "images": "generated images alone",
        "dar": "text and generated images by the paper's schedule",
        "adaptive": "text and generated images, weighed by how far they bear each other out",
        "sparing": "adaptive, with as many images as the text hesitates between",
    }
)


def method(spec: str, default_preset: str) -> Method:
    """A method by name.

    Args:
        spec: One of ``METHODS``, or "weights:TEXT/IMAGES" with one pair of weights for each round,
            separated by commas, of which the last holds from there on; "@PRESET" behind it takes
            that preset's models.
        default_preset: Where the spec names none.

    Raises:
        InvalidInputError: There is no such method or preset, or weights have no meaning.
    """
    name, _, chosen = spec.partition("@")
    chosen = chosen or default_preset
    preset(chosen)
    if name.startswith(_WEIGHTS):
        weighted = _weighted(name)
        return Method(spec, False, lambda _: weighted, True, chosen)
    if name not in METHODS:
        raise InvalidInputError(
            f"method {spec!r} is not one of {', '.join(METHODS)} or such as weights:0.7/0.3"
        )
    fusions: dict[str, Callable[[Calibration], Fusion]] = {
        "images": lambda _: image_only(),
        "dar": lambda _: paper_schedule(),
        "adaptive": AdaptiveFusion,
        "sparing": AdaptiveFusion,
    }
    fusion = fusions.get(name, lambda _: text_only())
    spending = UncertaintySpending if name == "sparing" else None
    return Method(spec, name == "joined", fusion, name in fusions, chosen, spending)


def _weighted(name: str) -> Fusion:
    pairs = name.removeprefix(_WEIGHTS).split(",")
    try:
        weights = [(float(text), float(image)) for text, image in (p.split("/") for p in pairs)]
    except ValueError as error:
        raise InvalidInputError(
            f"method {name!r}: weights are such as weights:0.8/0.2,0.5/0.5 ({error})"
        ) from error
    return ScheduledFusion(*weights)
