"""A talk as HTML: the chat, what was understood, the hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader

from dar_retriever import Hit, IngestReport, Part, SearchableStore, SearchResult, Turn
from dar_retriever.support.images import data_url
from gradio_dar.examples import Example
from gradio_dar.hit_facts import in_words, large, parts_of
from gradio_dar.meant import Meant, said_in
from gradio_dar.opening import Opening
from gradio_dar.playing import Scene
from gradio_dar.talk import Talk, drawing_id
from gradio_dar.tiles import SIDE, thumbnail_of, tile

_SMALL: Final = 96
_ORIGIN: Final = 120


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture and what a person who does not see it is told."""

    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class _Line:
    """One turn of the chat."""

    role: str
    text: str
    shown: list[_Picture]
    liked: list[_Picture]
    rejected: list[_Picture]


@dataclass(frozen=True, slots=True)
class _Chip:
    """One part of what was understood, where it was said, and whether it is locked."""

    part: Part
    origin: str
    locked: bool


@dataclass(frozen=True, slots=True)
class _Drawing:
    """A generated image and its weight in the query."""

    id: str
    picture: _Picture
    weight: float


def chat(turns: Sequence[Turn], examples: Sequence[Example]) -> str:
    """What was said, shown and judged; while nothing was, examples to begin with."""
    return _render("chat", lines=list(map(_line, turns)), examples=examples)


def understanding(talk: Talk, images: int) -> str:
    """What was found in words, what was understood in parts, and the generated images.

    Args:
        talk: What is shown.
        images: How many are being generated while better hits are still to come.
    """
    result = talk.result
    if result is None or talk.stage == "empty":
        return _render("understanding", result=None, stage=talk.stage, images=images)
    return _render(
        "understanding",
        result=result,
        trace=result.trace,
        chips=_chips(talk, result),
        far=talk.far,
        drawings=_drawings(result),
        stage=talk.stage,
        images=images,
        number=len(talk.hits),
    )


def hits(talk: Talk, opening: Opening) -> str:
    """The hits and their movement; before anything was said, some of what is in the store."""
    if talk.stage == "empty" and not talk.dialogue.turns:
        samples = [tile(talk, hit, place) for place, hit in enumerate(opening.samples, 1)]
        scenes = list(map(_scene, opening.scenes))
        return _render("opening", opening=opening, tiles=samples, scenes=scenes)
    tiles = [tile(talk, hit, rank) for rank, hit in enumerate(talk.hits, 1)]
    result = talk.result
    return _render(
        "hits",
        tiles=tiles,
        stage=talk.stage,
        turn=len(talk.dialogue.user_turns),
        close=result is None or result.close,
        nothing=result.nothing if result else "",
    )


def question(talk: Talk, examples: Sequence[Example] = ()) -> str:
    """The line above the hits: what is being done or asked next, and how it was searched.

    Args:
        talk: What is shown.
        examples: What may be said instead if nothing is close.
    """
    result = talk.result
    return _render(
        "question",
        stage=talk.stage,
        question=talk.question,
        far=talk.far,
        offers=_offers(_chips(talk, result)) if result and talk.far else (),
        examples=examples,
        trace=result.trace if result else None,
        drawings=_drawings(result) if result else (),
        seconds=sum(result.trace.timings.values()) if result else 0.0,
    )


def names(talk: Talk) -> str:
    """What the hits have in common, and what divides them as buttons.

    What the question offers already is not offered again.
    """
    asked = talk.question.choices if talk.question else ()
    divides = [name for name in talk.names.divides if name.word not in asked]
    if not (talk.names.common or divides):
        return ""
    return _render("names", common=talk.names.common, divides=divides, number=len(talk.hits))


def details(talk: Talk, hit: Hit, store: SearchableStore) -> str:
    """A hit as large as a screen, why it ranks where it does, and what is stored with it."""
    assert talk.result is not None
    ids, rank = [other.id for other in talk.hits], talk.rank(hit)
    return _render(
        "details",
        tile=tile(talk, hit, rank),
        large=large(hit),
        located=bool(talk.result.trace.caption or (hit.part and hit.part.box)),
        before=ids[rank - 2] if rank > 1 else "",
        after=ids[rank] if rank < len(ids) else "",
        parts=parts_of(talk.result, hit, store),
        metadata=in_words(hit),
    )


def pad() -> str:
    """A button that opens a sheet to draw on."""
    return _render("pad")


def full_size(hit: Hit) -> str:
    """A sample or a drawing as large as a screen."""
    return _render("full", hit=hit, large=large(hit))


def picked(*, paths: bool, collections: bool) -> str:
    """What can be done with the ticked hits."""
    return _render("picked", paths=paths, collections=collections)


def paths(places: Sequence[str]) -> str:
    """A list of paths to copy."""
    return _render("paths", places=places)


def title(text: str, store: str) -> str:
    """The page's heading; of one of several stores with the way to the others."""
    return _render("title", text=text, store=store)


def stores(names: Sequence[str]) -> str:
    """A list of stores to open."""
    return _render("stores", names=names)


def trouble(problem: str) -> str:
    """Why there is nothing to look at."""
    return _render("trouble", problem=problem)


def indexed(report: IngestReport) -> str:
    """What an ingest did."""
    return _render("indexed", report=report)


def status(text: str, *, problem: bool = False) -> str:
    """One line that is read out."""
    return _render("status", text=text, problem=problem)


def exported(talk: Talk) -> str:
    """A conversation as a page of its own that loads nothing: what was said, meant and found."""
    tiles = [tile(talk, hit, rank) for rank, hit in enumerate(talk.hits, 1)]
    lines = list(map(_line, talk.dialogue.turns))
    understood = talk.result.trace.understood if talk.result else ""
    return _render("exported", lines=lines, understood=understood, tiles=tiles)


def _line(turn: Turn) -> _Line:
    groups = {
        "shown": (turn.images, "a picture that you showed"),
        "liked": (turn.like, "a hit that you liked"),
        "rejected": (turn.unlike, "a hit that you turned down"),
    }
    pictures = {
        name: [_Picture(data_url(image, _SMALL), alt) for image in images]
        for name, (images, alt) in groups.items()
    }
    return _Line(turn.role, turn.text, **pictures)


def _drawings(result: SearchResult) -> list[_Drawing]:
    """The generated images, those that count most first."""
    trace = result.trace
    shares = trace.shares or (1 / max(1, len(trace.generated)),) * len(trace.generated)
    drawings = [
        _Drawing(
            drawing_id(place),
            _Picture(data_url(image.image, SIDE), f"generated: {image.prompt}"),
            trace.image_weight * share,
        )
        for place, (image, share) in enumerate(zip(trace.generated, shares, strict=True))
    ]
    return sorted(drawings, key=lambda each: -each.weight)


def _chips(talk: Talk, result: SearchResult) -> list[_Chip]:
    """The parts of what was understood, each with the words that it comes from."""
    spoken = [
        (number, turn.text) for number, turn in enumerate(talk.dialogue.user_turns, 1) if turn.text
    ]
    chips = []
    for part in Meant.of(result).shown(talk.dialogue.locked):
        place = said_in(part.phrase, [text for _, text in spoken])
        origin = ""
        if place is not None:
            number, text = spoken[place]
            origin = f"Turn {number}: “{text[:_ORIGIN]}”"
        chips.append(_Chip(part, origin, part in talk.dialogue.locked))
    return chips


def _offers(chips: Sequence[_Chip]) -> list[tuple[int, str]]:
    """The parts that could be left out where nothing is close, by place; never the only one."""
    asked = [(place, chip) for place, chip in enumerate(chips) if chip.part.kind != "unwanted"]
    if len(asked) < 2:
        return []
    return [(place, chip.part.phrase) for place, chip in asked if not chip.locked]


def _scene(scene: Scene) -> dict[str, Any]:
    found = [thumbnail_of(hit.id, hit.uri, hit.part)[0] for hit in scene.hits]
    drawing = data_url(scene.drawing, SIDE) if scene.drawing else ""
    return {"said": scene.said, "understood": scene.understood, "drawing": drawing, "found": found}


def _render(name: str, **values: Any) -> str:
    return _templates().get_template(f"{name}.html.jinja").render(values)


@cache
def _templates() -> Environment:
    loader = PackageLoader("gradio_dar")
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
