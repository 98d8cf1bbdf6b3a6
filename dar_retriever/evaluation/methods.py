"""What is compared: how the text is made of a dialogue, and how it is fused with images."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dar_retriever.errors import InvalidInputError
from dar_retriever.fusion import Fusion, ScheduledFusion, image_only, paper_schedule, text_only
from dar_retriever.presets import preset

_WEIGHTS: Final = "weights:"


@dataclass(frozen=True, slots=True)
class Method:
    """One way to search.

    Attributes:
        name: As it was asked for.
        joined: Whether all turns are joined as they are, instead of reformulated.
        fusion: Combines text and generated images.
        draws: Whether images are generated for it.
        preset: Whose models it runs on.
    """

    name: str
    joined: bool
    fusion: Fusion
    draws: bool
    preset: str


METHODS: Final = MappingProxyType(
    {
        "joined": "all turns joined as text",
        "text": "reformulated text",
        "images": "generated images alone",
        "dar": "text and generated images by the paper's schedule",
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
        return Method(spec, False, _weighted(name), True, chosen)
    fusions: dict[str, Fusion] = {
        "joined": text_only(),
        "text": text_only(),
        "images": image_only(),
        "dar": paper_schedule(),
    }
    if name not in fusions:
        raise InvalidInputError(
            f"method {spec!r} is not one of {', '.join(METHODS)} or such as weights:0.7/0.3"
        )
    return Method(spec, name == "joined", fusions[name], name in ("images", "dar"), chosen)


def _weighted(name: str) -> Fusion:
    pairs = name.removeprefix(_WEIGHTS).split(",")
    try:
        weights = [(float(text), float(image)) for text, image in (p.split("/") for p in pairs)]
    except ValueError as error:
        raise InvalidInputError(
            f"method {name!r}: weights are such as weights:0.8/0.2,0.5/0.5 ({error})"
        ) from error
    return ScheduledFusion(*weights)
