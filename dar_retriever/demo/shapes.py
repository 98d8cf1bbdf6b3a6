"""The outlines of the drawn products: every kind as a stack of layers.

Paths are written in hundredths of the picture's width, x to the right and y down from the middle
of the product, in the letters of SVG: L (lines), Q and C (Bezier curves), after a first point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from typing import Final

import numpy as np

from dar_retriever.demo.patterns import Floats

_CURVE_STEPS: Final = 12
_SHARP_TURN: Final = math.radians(20)
_MAX_TURN: Final = math.radians(8)
_MAX_REACH: Final = 0.415
_MAX_GROWTH: Final = 1.15
_MIRROR: Final = np.array([-1, 1], np.float32)
_FLIP: Final = np.array([1, -1], np.float32)
_SPOKE: Final = np.array([[0.3], [1]], np.float32)


class Tone(IntEnum):
    """What a layer is painted with.

    BODY and SHADE (darker) carry the pattern; the others are tones of the first colour alone.
    """

    NONE = 0
    BODY = 1
    SHADE = 2
    ACCENT = 3
    PALE = 4
    DEEP = 5
    EDGE = 6


@dataclass(frozen=True, slots=True)
class Layer:
    """A filled area or a line.

    Attributes:
        points: Its outline or course, the picture's width being 1, (0, 0) the middle.
        tone: What it is painted with.
        width: Of the line; 0 for a filled area.
        edged: Whether it has a thin edge.
        joints: Which points to round off: line ends and sharp turns.
    """

    points: Floats
    tone: Tone
    width: float
    edged: bool
    joints: tuple[int, ...]


Layers = list[Layer]


# --- Outlines ---------------------------------------------------------------------------------


def _path(text: str) -> Floats:
    """Sample a path such as ``"0 0 L 10 0 Q 20 0 20 10"``."""
    letter, pending, points = "L", [], list[tuple[float, float]]()
    needed = {"L": 2, "Q": 4, "C": 6}
    for token in text.split():
        if token in needed:
            letter = token
            continue
        pending.append(float(token))
        if len(pending) == needed[letter]:
            controls = list(zip(pending[::2], pending[1::2], strict=True))
            points += controls if letter == "L" else _bezier([points[-1], *controls])
            pending = []
    return np.asarray(np.array(points) / 100, np.float32)


def _bezier(controls: list[tuple[float, float]]) -> list[tuple[float, float]]:
    degree = len(controls) - 1
    curve = []
    for step in range(1, _CURVE_STEPS + 1):
        t = step / _CURVE_STEPS
        weights = [math.comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(degree + 1)]
        curve.append(
            (
                sum(w * x for w, (x, _) in zip(weights, controls, strict=True)),
                sum(w * y for w, (_, y) in zip(weights, controls, strict=True)),
            )
        )
    return curve


def _symmetric(text: str) -> Floats:
    """A path and its mirror image on the left: an outline, given by its right half."""
    half = _path(text)
    return np.concatenate([half, half[::-1] * _MIRROR])


def _ellipse(
    x: float, y: float, rx: float, ry: float, start: float = 0, end: float = 360
) -> Floats:
    """An ellipse or, between two angles in degrees (clockwise from the right), its arc."""
    angles = np.radians(np.linspace(start, end, max(8, int(abs(end - start) / 8))))
    points = np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1)
    return np.asarray(points / 100, np.float32)


def _box(left: float, top: float, right: float, bottom: float, radius: float = 2) -> Floats:
    """A rectangle with round corners."""
    corners = [(right, bottom, 0), (left, bottom, 90), (left, top, 180), (right, top, 270)]
    arcs = []
    for x, y, start in corners:
        inward_x = math.copysign(radius, left + right - 2 * x)
        inward_y = math.copysign(radius, top + bottom - 2 * y)
        arcs.append(_ellipse(x + inward_x, y + inward_y, radius, radius, start, start + 90))
    return np.concatenate(arcs)


# --- Layers -----------------------------------------------------------------------------------


def _joints(points: Floats, *, closed: bool) -> tuple[int, ...]:
    steps = np.diff(points, axis=0)
    courses = np.arctan2(steps[:, 1], steps[:, 0])
    turns = np.abs((np.diff(courses) + np.pi) % (2 * np.pi) - np.pi)
    sharp = [int(i) + 1 for i in np.flatnonzero(turns > _SHARP_TURN)]
    return (0, *sharp) if closed else (0, *sharp, len(points) - 1)


def _distinct(points: Floats) -> Floats:
    """Without repeated points, which have no direction."""
    moved = np.abs(np.diff(points, axis=0)).max(axis=1) > 1e-5
    distinct: Floats = points[np.concatenate([[True], moved])]
    return distinct


def _fill(points: Floats | str, tone: Tone = Tone.BODY, *, edged: bool = True) -> Layer:
    outline = _path(points) if isinstance(points, str) else points
    outline = _distinct(np.concatenate([outline, outline[:1]]))
    return Layer(outline, tone, 0, edged, _joints(outline, closed=True))


def _line(
    points: Floats | str, width: float, tone: Tone = Tone.ACCENT, *, edged: bool = True
) -> Layer:
    course = _distinct(_path(points) if isinstance(points, str) else points)
    return Layer(course, tone, width / 100, edged, _joints(course, closed=False))


def _seam(points: Floats | str) -> Layer:
    return _line(points, 1.3, Tone.EDGE, edged=False)


def _both(*layers: Layer) -> Layers:
    """Each layer and its mirror image."""
    return [
        side for layer in layers for side in (layer, replace(layer, points=layer.points * _MIRROR))
    ]


# --- Kinds ------------------------------------------------------------------------------------


def _dress(detail: str) -> Layers:
    skirt = "Q 13 -10 10 -4 Q 17 14 30 33 Q 16 38 0 38"
    if detail == "thin straps":
        bodice = f"0 -17 Q 7 -18 12 -23 L 14 -22 Q 14 -16 14 -15 {skirt}"
        top = [*_both(_line("12 -21 Q 11 -30 7 -37", 2)), _fill(_symmetric(bodice))]
    else:
        sleeve, cuff = {
            "long sleeves": (
                "9 -36 Q 19 -35 22 -27 L 36 8 L 28 12 L 13 -14",
                "36.5 7 L 38 12 L 30 16 L 27.5 11",
            ),
            "short sleeves": (
                "9 -36 Q 19 -36 23 -30 L 31 -19 L 23 -12 L 13 -18",
                "30 -21 L 33.5 -18 L 24 -9.5 L 21.5 -13",
            ),
        }[detail]
        bodice = f"0 -26 Q 7 -27 8 -36 L 14 -34 Q 13 -24 14 -16 {skirt}"
        top = [
            *_both(_fill(sleeve), _fill(cuff, Tone.ACCENT)),
            _fill(_symmetric("0 -34 L 8 -36 Q 7 -26 0 -24"), Tone.DEEP),
            _fill(_symmetric(bodice)),
        ]
    return [
        *top,
        *_both(_seam("5 2 Q 7 14 11 27")),
        _fill(_symmetric("0 -7 L 11.5 -7 L 11 -2 L 0 -2"), Tone.ACCENT),
    ]


def _jumper(detail: str) -> Layers:
    layers = [
        *_both(
            _fill("14 -30 Q 27 -28 29 -16 L 37 20 L 27 23 L 18 -4"),
            _fill("36 18 L 38 26 L 28 29 L 26 21", Tone.ACCENT),
        ),
        _fill(_symmetric("0 -30 L 10 -32 Q 20 -30 22 -26 L 22 30 L 0 30")),
        _fill(_box(-22, 27, 22, 35), Tone.ACCENT),
        *(_seam(f"{x} 29 L {x} 33.5") for x in (-16, -8, 0, 8, 16)),
    ]
    if detail == "v-neck":
        return [
            *layers,
            _fill("-12 -33 L 12 -33 L 0 -2", Tone.DEEP, edged=False),
            _line("-12 -33 L 0 -2 L 12 -33", 4),
        ]
    if detail == "round neck":
        return [
            *layers,
            _fill(_ellipse(0, -28, 12, 10), Tone.DEEP, edged=False),
            _line(_ellipse(0, -30, 13, 13, -10, 190), 4),
            _line(_ellipse(0, -32, 13, 3, 185, 355), 1.5),
        ]
    return [
        *layers,
        _fill(_symmetric("0 -44 L 9 -44 Q 11 -44 11 -42 L 12 -27 Q 6 -25 0 -25"), Tone.ACCENT),
        _seam("-11 -35 Q 0 -33 11 -35"),
    ]


def _trousers(detail: str) -> Layers:
    top, bottom, hip, outer, inner = {
        "wide legs": (-36, 36, 18, 36, 5),
        "narrow legs": (-37, 37, 17, 15, 4),
        "cropped legs": (-33, 22, 20, 23, 4),
    }[detail]
    waist, crotch = hip - 3, top + 28
    leg = f"0 {top} L {waist} {top} Q {hip} {top + 8} {hip + 1} {top + 18} "
    leg += f"L {outer} {bottom} L {inner} {bottom} L 0 {crotch}"
    layers = [
        _fill(_symmetric(leg)),
        _seam(f"0 {top} L 0 {crotch}"),
        *_both(_seam(f"{waist - 6} {top + 6} Q {waist - 5} {top + 13} {hip} {top + 13}")),
        _fill(_box(-waist - 1, top - 1, waist + 1, top + 6, 1.5), Tone.ACCENT),
        _fill(_ellipse(0, top + 2.5, 1.8, 1.8), Tone.PALE, edged=False),
    ]
    if detail == "cropped legs":
        layers += _both(_fill(_box(inner - 1, bottom - 4, outer + 1, bottom + 4, 1), Tone.ACCENT))
    return layers


def _skirt(detail: str) -> Layers:
    belt = _fill(_box(-17, -33, 17, -25), Tone.ACCENT)
    if detail == "straight hem":
        return [
            _fill(_symmetric("0 -28 L 16 -28 Q 24 -12 24 4 L 24 31 L 0 31")),
            _fill(_box(-24.5, 27, 24.5, 33, 1), Tone.ACCENT),
            _seam("0 -25 L 0 -6"),
            belt,
        ]
    if detail == "ruffled hem":
        frill = [_ellipse(x, 24, 7.2, 8, 150, 30) for x in (-28, -14, 0, 14, 28)]
        return [
            _fill(np.concatenate([_path("31 12 L -31 12"), *frill]), Tone.ACCENT),
            *(_seam(f"{x * 0.9} 16 L {x} 26") for x in (-21, -7, 7, 21)),
            _fill(_symmetric("0 -28 L 16 -28 Q 22 -10 31 12 Q 16 17 0 17")),
            belt,
        ]
    layers = []
    for pleat in range(6):
        upper, lower = -15 + 5 * pleat, -36 + 12 * pleat
        layers += [
            _fill(f"{upper} -27 L {upper + 3} -27 L {lower + 6} 34 L {lower} 25"),
            _fill(
                f"{upper + 2.5} -27 L {upper + 5} -27 L {lower + 12} 25 L {lower + 6} 34",
                Tone.SHADE,
            ),
        ]
    return [*layers, belt]


def _boot(detail: str) -> Layers:
    seat = {"flat heel": 30, "block heel": 19, "stiletto heel": 9}[detail]
    heel = {
        "flat heel": "-18 29 L 4 29 L 4 35 L -18 35",
        "block heel": "-18 17 L -3 18 L -4 35 L -18 35",
        "stiletto heel": "-18 8 L -8 9 Q -12.5 16 -13 35 L -17 35 Q -16.5 18 -18 8",
    }[detail]
    ankle = seat - 22
    arch = f"C 6 {seat} 8 31 18 31"
    return [
        _fill(heel, Tone.ACCENT),
        _fill(
            f"-18 {seat} L -4 {seat} {arch} L 35 30 L 35 35 L 16 35 C 6 35 4 {seat + 4} -6 "
            f"{seat + 4} L -18 {seat + 4}",
            Tone.ACCENT,
        ),
        _fill(
            f"-18 -34 L 7 -34 L 5 {ankle} C 7 {ankle + 7} 17 {12 + ankle / 4} 26 17 "
            f"Q 36 20 36 31 L 18 31 C 8 31 6 {seat} -4 {seat} L -18 {seat} Q -15 -4 -18 -34"
        ),
        _fill("-19 -38 L 8 -38 L 8 -31 L -19 -31", Tone.ACCENT),
    ]


def _hat(detail: str) -> Layers:
    if detail == "wide brim":
        return [
            _fill(_ellipse(0, 14, 39, 12)),
            _fill(_path("-20 12 C -20 -36 20 -36 20 12 Q 0 19 -20 12")),
            _fill("-19.5 3 Q 0 10 19.5 3 L 20.5 11 Q 0 20 -20.5 11", Tone.ACCENT),
        ]
    if detail == "front peak":
        return [
            _fill("-4 12 Q 22 4 37 15 Q 43 24 34 25 Q 16 19 -2 22", Tone.ACCENT),
            _fill("-34 20 C -37 -41 20 -41 22 13 Q 4 14 -8 22 Q -22 23 -34 20"),
            _seam("-7 -25 Q -17 -6 -15 21"),
            _seam("-7 -25 Q 6 -12 7 14"),
            _fill(_ellipse(-7, -26, 3.5, 2.5), Tone.ACCENT),
        ]
    return [
        _fill(_symmetric("0 -20 C 20 -20 28 -4 28 20 L 0 20")),
        _fill(_box(-31, 17, 31, 33, 4), Tone.ACCENT),
        *(_seam(f"{x} 20 L {x} 30") for x in range(-21, 22, 7)),
        _fill(_ellipse(0, -26, 12, 12), Tone.PALE),
    ]


def _handbag(detail: str) -> Layers:
    top = {"long strap": -2, "short handle": -14, "two handles": -8}[detail]
    body = [
        _fill(
            _symmetric(f"0 {top} L 26 {top} Q 28 {top} 29 {top + 3} L 34 30 Q 34 34 30 34 L 0 34")
        ),
    ]
    if detail == "two handles":
        return [
            _line(_symmetric(f"0 -37 C 17 -37 21 -28 21 {top}"), 3.5),
            *body,
            _fill(_box(-28, top - 1, 28, top + 6), Tone.ACCENT),
            _line(_symmetric(f"0 -22 C 9 -22 12 -16 12 {top} L 12 {top + 14}"), 3.5),
        ]
    flap = [
        _fill(
            _symmetric(f"0 {top - 1} L 29 {top - 1} Q 30 {top + 11} 12 {top + 12} L 0 {top + 12}"),
            Tone.ACCENT,
        ),
        _fill(_box(-4, top + 8, 4, top + 16), Tone.PALE),
    ]
    if detail == "long strap":
        return [_line(_symmetric(f"0 -38 C 12 -38 26 -16 27 {top + 3}"), 2.5), *body, *flap]
    return [_line(_symmetric(f"0 -32 C 12 -32 14 -28 14 {top}"), 5.5), *body, *flap]


def _umbrella(detail: str) -> Layers:
    handle = {
        "hooked handle": [_line("0 18 L 0 28 C 0 41 16 41 16 27", 4.5)],
        "straight handle": [_fill(_box(-4.5, 14, 4.5, 38, 3), Tone.ACCENT)],
        "ring handle": [_line(_ellipse(0, 28, 9, 9), 3.5)],
    }[detail]
    scallops = "Q 30 -10 24.5 -3 Q 16 -10 8.5 -2 Q 4 -8 0 -8"
    return [
        _line("0 -36 L 0 20", 1.8, Tone.DEEP, edged=False),
        *handle,
        _line("0 -38 L 0 -33", 2.5),
        _fill(_symmetric(f"0 -34 C 22 -34 37 -21 38 -3 {scallops}")),
        *_both(_seam("0 -34 Q 8 -20 8.5 -3"), _seam("0 -34 Q 22 -24 24.5 -4")),
    ]


def _mug(detail: str) -> Layers:
    middle = 0 if detail == "two handles" else -9
    half = 20 if detail == "two handles" else 24
    left, right = middle - half, middle + half
    loop = f"{right - 2} -16 C {right + 24} -22 {right + 24} 22 {right - 3} 16"
    handles = {
        "round handle": [_line(loop, 6)],
        "square handle": [
            _line(f"{right - 2} -17 L {right + 16} -17 L {right + 16} 15 L {right - 2} 15", 6)
        ],
        "two handles": _both(_line(loop, 5)),
    }[detail]
    return [
        *handles,
        _fill(
            f"{left} -27 L {right} -27 L {right - 2} 24 Q {right - 3} 31 {right - 9} 31 "
            f"L {left + 9} 31 Q {left + 3} 31 {left + 2} 24"
        ),
        _fill(_ellipse(middle, -27, half, 6), Tone.ACCENT),
        _fill(_ellipse(middle, -26.5, half - 4, 3.8), Tone.DEEP, edged=False),
    ]


def _bottle(detail: str) -> Layers:
    neck, shoulder, body_top, body = {
        "long neck": (5, -4, 8, 20),
        "wide neck": (14, -26, -16, 21),
        "side handle": (7, -18, -2, 22),
    }[detail]
    middle = -5 if detail == "side handle" else 0
    outline = _symmetric(
        f"0 -33 L {neck} -33 L {neck} {shoulder} C {neck} {body_top - 4} {body} {body_top - 6} "
        f"{body} {body_top + 6} L {body} 31 Q {body} 36 {body - 5} 36 L 0 36"
    )
    lid = _box(-neck - 2, -39, neck + 2, -30)
    ring = _box(-neck - 1, -27, neck + 1, -24, 1)
    offset = np.array([middle / 100, 0], np.float32)
    layers = [
        _fill(outline + offset),
        _fill(lid + offset, Tone.ACCENT),
        _fill(ring + offset, Tone.ACCENT, edged=False),
    ]
    if detail == "side handle":
        layers.insert(0, _line("1 -24 C 34 -30 36 2 14 12", 5.5))
    return layers


def _lamp(detail: str) -> Layers:
    foot = _fill(_symmetric("0 30 L 14 30 Q 18 31 18 36 L 0 36"), Tone.ACCENT)
    base = {
        "straight base": [_fill(_box(-4, 0, 4, 33, 1), Tone.ACCENT), foot],
        "round base": [
            _fill(_box(-3, -2, 3, 10, 1), Tone.ACCENT),
            _fill(_box(-10, 31, 10, 37, 1), Tone.ACCENT),
            _fill(_ellipse(0, 20, 15, 14), Tone.ACCENT),
            _line(_ellipse(0, 20, 10, 9, 190, 250), 2, Tone.PALE, edged=False),
        ],
        "tripod base": [
            _line("0 4 L 0 35", 3),
            *_both(_line("1 4 L 22 35", 3)),
            _fill(_ellipse(0, 8, 4.5, 4), Tone.ACCENT),
        ],
    }[detail]
    return [
        *base,
        _fill(_symmetric("0 -37 L 17 -37 L 31 2 Q 16 6 0 6")),
        _line("-31 2 Q -16 6 0 6 Q 16 6 31 2", 2.5, edged=False),
        _line("-17 -37 L 17 -37", 2.5, edged=False),
    ]


def _chair(detail: str) -> Layers:
    back = {
        "high back": [_fill(_box(-19, -40, 19, 4, 5))],
        "low back": [
            *_both(_line("14 4 L 14 -8", 3.5)),
            _fill(_box(-22, -22, 22, -6, 5)),
        ],
        "round back": [
            *_both(_line("11 4 L 10 -2", 3.5)),
            _fill(_ellipse(0, -19, 22, 20)),
        ],
    }[detail]
    return [
        *_both(_line("16 8 L 17 30", 3.5, Tone.DEEP), _line("22 12 L 24 37", 4)),
        *back,
        _fill("-19 1 L 19 1 Q 21 1 22 3 L 27 14 L -27 14 L -22 3 Q -21 1 -19 1"),
        _fill(_box(-27, 12, 27, 18, 3), Tone.ACCENT),
    ]


def _sofa(detail: str) -> Layers:
    back = {
        "arched back": _symmetric("0 -31 C 18 -31 31 -19 31 -2 L 31 16 L 0 16"),
        "square back": _box(-31, -23, 31, 16, 2),
        "scalloped back": np.concatenate(
            [
                _path("31 16 L -31 16"),
                *(_ellipse(x, -13, 10.4, 15, 180, 360) for x in (-20.7, 0, 20.7)),
            ]
        ),
    }[detail]
    return [
        *_both(_line("30 26 L 31 33", 4, Tone.DEEP)),
        _fill(back),
        _fill(_box(-29, 3, 0, 16, 3)),
        _fill(_box(0, 3, 29, 16, 3)),
        _fill(_box(-34, 15, 34, 28, 2), Tone.ACCENT),
        *_both(_fill(_box(26, -7, 38, 28, 6))),
    ]


def _vase(detail: str) -> Layers:
    outline, mouth, rim = {
        "round body": ("0 -15 L 9 -15 Q 6 -8 9 -5 C 34 0 32 36 11 37 L 0 37", -15, 9),
        "slim body": ("0 -18 L 11 -18 Q 15 8 13 33 Q 12 37 8 37 L 0 37", -18, 11),
        "flared body": ("0 -15 L 28 -15 C 14 -8 10 8 10 22 Q 10 32 17 37 L 0 37", -15, 28),
    }[detail]
    return [
        _line(f"0 {mouth} Q 1 -26 0 -34", 1.6, edged=False),
        *_both(_line(f"3 {mouth} Q 5 -24 13 -29", 1.6, edged=False)),
        _fill("0 -40 Q 7 -33 0 -26 Q -7 -33 0 -40", Tone.ACCENT),
        *_both(_fill("20 -35 Q 20 -26 9 -25 Q 10 -34 20 -35", Tone.ACCENT)),
        _fill(_symmetric(outline)),
        _fill(_ellipse(0, mouth, rim, 3.5), Tone.DEEP),
    ]


def _backpack(detail: str) -> Layers:
    layers = [
        _line(_symmetric("0 -38 C 9 -38 10 -34 10 -27"), 4),
        *_both(_fill(_box(22, -10, 34, 28, 5), Tone.ACCENT)),
        _fill(_symmetric("0 -32 C 20 -32 27 -24 27 -10 L 27 29 Q 27 36 20 36 L 0 36")),
    ]
    if detail == "top flap":
        return [
            *layers,
            _fill(
                _symmetric("0 -33 C 21 -33 29 -24 29 -12 L 29 -8 Q 29 -3 24 -3 L 0 -3"), Tone.ACCENT
            ),
            *_both(_fill(_box(9, -16, 15, 13, 1), Tone.PALE), _fill(_box(8, 4, 16, 11), Tone.DEEP)),
        ]
    pockets = (
        [_box(-19, 4, 19, 31, 4)]
        if detail == "one pocket"
        else [_box(-23, 8, -2, 31, 4), _box(2, 8, 23, 31, 4)]
    )
    for pocket in pockets:
        left, top = pocket.min(axis=0) * 100
        right = pocket[:, 0].max() * 100
        layers += [
            _fill(pocket, Tone.ACCENT),
            _fill(_box(left - 1, top - 1, right + 1, top + 7), Tone.PALE),
        ]
    return layers


def _cushion(detail: str) -> Layers:
    if detail == "round shape":
        return [
            _fill(_ellipse(0, 0, 35, 35), Tone.ACCENT),
            _fill(_ellipse(0, 0, 31, 31)),
            *(_seam(_ellipse(0, 0, 20, 20, a, a)[:1] * _SPOKE) for a in range(0, 360, 45)),
            _fill(_ellipse(0, 0, 5, 5), Tone.ACCENT),
        ]
    pillow = _fill(_symmetric("0 -26 Q 16 -26 29 -30 Q 26 -14 26 0 Q 26 14 29 30 Q 16 26 0 26"))
    if detail == "tassels":
        tassel = "0 0 L 4 -1 L 13 6 L 10.5 7.5 L 12 11 L 7.5 10.5 L 6 13 L -1 4"
        corner = _fill(_path(tassel) + np.array([0.26, 0.26], np.float32), Tone.ACCENT)
        knot = _fill(_ellipse(27.5, 27.5, 3.4, 3.4), Tone.PALE)
        lower = _both(corner, knot)
        return [
            pillow,
            *lower,
            *(replace(layer, points=layer.points * _FLIP) for layer in lower),
        ]
    threads = [
        _line(points, 2.8, edged=False)
        for at in range(-25, 26, 5)
        for points in (f"{at} -37 L {at} 37", f"-37 {at} L 37 {at}")
    ]
    return [*threads, pillow, *_both(_seam("22 -22 Q 17 -18 14 -17"), _seam("22 22 Q 17 18 14 17"))]


_KINDS: Final[dict[str, Callable[[str], Layers]]] = {
    "dress": _dress,
    "jumper": _jumper,
    "trousers": _trousers,
    "skirt": _skirt,
    "boot": _boot,
    "hat": _hat,
    "handbag": _handbag,
    "umbrella": _umbrella,
    "mug": _mug,
    "bottle": _bottle,
    "lamp": _lamp,
    "chair": _chair,
    "sofa": _sofa,
    "vase": _vase,
    "backpack": _backpack,
    "cushion": _cushion,
}


def _fitted(layers: Layers) -> tuple[Layer, ...]:
    """The layers centred, and as large as a turned product may be without leaving the picture."""
    reaches = np.concatenate(
        [layer.points + np.float32(sign * layer.width / 2) for layer in layers for sign in (-1, 1)]
    )
    middle = (reaches.max(axis=0) + reaches.min(axis=0)) / 2
    turned = [
        (reaches - middle) @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
        for a in (-_MAX_TURN, 0, _MAX_TURN)
    ]
    factor = min(_MAX_GROWTH, _MAX_REACH / float(np.abs(turned).max()))
    return tuple(
        replace(
            layer,
            points=np.asarray((layer.points - middle) * factor, np.float32),
            width=layer.width * factor,
        )
        for layer in layers
    )


@cache
def layers_of(kind: str, detail: str) -> tuple[Layer, ...]:
    """The layers of a product, to be painted in this order.

    Args:
        kind: A key of ``products.KINDS``.
        detail: One of that kind's details.
    """
    return _fitted(_KINDS[kind](detail))
