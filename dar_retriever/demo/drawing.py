"""Draws the products of the demo catalogue as small flat illustrations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dar_retriever.demo.patterns import Floats, pattern_mask
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, Product
from dar_retriever.demo.shapes import Layer, Tone, layers_of

_EDGE_WIDTH: Final = 0.014
# How far, in RGB, an accent in a darker tone must be from the background and from black.
_VISIBLE: Final = 58
_BLACK: Final = np.zeros(3, np.float32)
_WHITE: Final = np.full(3, 255, np.float32)


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a product stands in a picture whose width is 1, how its pattern lies, and the light.

    Attributes:
        x: Its middle, from the left.
        y: Its middle, from the top.
        scale: 1 fills the picture.
        angle: In radians.
        phase_x: Shift of the pattern.
        phase_y: The same, downwards.
        brightness: Of the picture; 1 leaves it as it is.
    """

    x: float
    y: float
    scale: float
    angle: float
    phase_x: float
    phase_y: float
    brightness: float

    @classmethod
    def sample(cls, random: Random) -> Pose:
        """Draw a pose; always the same number of draws."""
        return cls(
            x=0.5 + random.uniform(-0.05, 0.05),
            y=0.495 + random.uniform(-0.05, 0.05),
            scale=random.uniform(0.88, 1.05),
            angle=math.radians(random.uniform(-8, 8)),
            phase_x=random.random(),
            phase_y=random.random(),
            brightness=random.uniform(0.97, 1.03),
        )

    @property
    def matrix(self) -> Floats:
        """Turns and scales product coordinates, as row vectors."""
        cos, sin = self.scale * math.cos(self.angle), self.scale * math.sin(self.angle)
        return np.array([[cos, sin], [-sin, cos]], np.float32)

    def place(self, points: Floats) -> Floats:
        """Product coordinates to picture coordinates."""
        return points @ self.matrix + np.array([self.x, self.y], np.float32)

    def product_grid(self, side: int) -> tuple[Floats, Floats]:
        """The product coordinates of every pixel, shifted by the pattern's phase."""
        inverse = np.linalg.inv(self.matrix)
        centres = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
        across, down = centres[None, :] - np.float32(self.x), centres[:, None] - np.float32(self.y)
        x = across * inverse[0, 0] + (down * inverse[1, 0] + np.float32(self.phase_x))
        y = across * inverse[0, 1] + (down * inverse[1, 1] + np.float32(self.phase_y))
        return x, y


def draw(product: Product, size: int, random: Random) -> Image.Image:
    """Draw one picture of a product.

    Args:
        product: What to draw.
        size: Width and height of the picture in pixels.
        random: Decides pose, pattern phase and brightness; same state, same picture.

    Returns:
        An RGB picture.
    """
    pose = Pose.sample(random)
    return paint([(product, pose)], product.background, size, pose.brightness)


def paint(
    placed: Sequence[tuple[Product, Pose]], background: str, size: int, brightness: float
) -> Image.Image:
    """Paint products, each in its pose, on one background.

    Args:
        placed: The products and their poses; later ones cover earlier ones.
        background: A key of ``products.BACKGROUNDS``; that of the products is not looked at.
        size: Width and height of the picture in pixels.
        brightness: Of the whole picture; 1 leaves it as it is.
    """
    outlines = [
        [pose.place(layer.points) for layer in layers_of(product.kind, product.detail)]
        for product, pose in placed
    ]
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    light = np.float32(1) - np.float32(0.05) * (ramp[None, :] + ramp[:, None])
    picture = _backdrop(background, [np.concatenate(points) for points in outlines], size)
    for (product, pose), points in zip(placed, outlines, strict=True):
        figure = _figure(product, pose, points, size)
        shown = np.float32(1) - figure[..., 3:] * np.float32(1 / 255)
        picture = figure[..., :3] * light[..., None] + shown * picture
    picture *= np.float32(brightness)
    np.clip(picture, 0, 255, out=picture)
    return Image.fromarray((picture + np.float32(0.5)).astype(np.uint8))


def _figure(product: Product, pose: Pose, placed: list[Floats], size: int) -> Floats:
    """The product alone: red, green and blue premultiplied by the fourth channel, alpha."""
    layers = layers_of(product.kind, product.detail)
    side = size * (4 if size <= 96 else 3)
    tones = _paint_tones(layers, placed, pose.scale, side)
    if product.pattern != "plain":
        mask = pattern_mask(product.pattern, *pose.product_grid(side))
        if mask is not None:
            # The upper half of the palette holds every tone in the second colour.
            tones = tones + mask.view(np.uint8) * np.uint8(len(Tone))
    pixels = _palette(product)[tones]
    large = Image.frombuffer("RGBa", (side, side), pixels.tobytes(), "raw", "RGBa", 0, 1)
    small = large.resize((size, size), Image.Resampling.HAMMING)
    return np.asarray(small, np.float32)


def _paint_tones(
    layers: tuple[Layer, ...], placed: list[Floats], scale: float, side: int
) -> NDArray[np.uint8]:
    """Paint the layers over one another, each pixel being a ``Tone``."""
    canvas = Image.new("L", (side, side), Tone.NONE)
    pen = ImageDraw.Draw(canvas)
    edge = _EDGE_WIDTH * scale * side
    for layer, points in zip(layers, placed, strict=True):
        corners = points * np.float32(side)
        if layer.width:
            width = layer.width * scale * side
            if layer.edged:
                _stroke(pen, corners, layer.joints, width + 2 * edge, Tone.EDGE)
            _stroke(pen, corners, layer.joints, width, layer.tone)
        else:
            pen.polygon(corners.ravel().tolist(), fill=layer.tone)
            if layer.edged:
                _stroke(pen, corners, layer.joints, edge, Tone.EDGE, smooth=False)
    return np.asarray(canvas)


def _stroke(
    pen: ImageDraw.ImageDraw,
    points: Floats,
    joints: tuple[int, ...],
    width: float,
    tone: Tone,
    *,
    smooth: bool = True,
) -> None:
    # Pillow draws wide curved lines with notches; for thin ones it is good enough.
    if smooth and len(points) > 2:
        pen.polygon(_ribbon(points, width).ravel().tolist(), fill=tone)
    else:
        pen.line(points.ravel().tolist(), fill=tone, width=max(1, round(width)))
    # Pillow's lines end square and leave notches at sharp turns: round them.
    radius = (max(1, round(width)) - 1) / 2
    for x, y in points[list(joints)].tolist():
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tone)


def _ribbon(points: Floats, width: float) -> Floats:
    """The outline of an open line, its turns mitred."""
    steps = np.diff(points, axis=0)
    steps /= np.hypot(steps[:, :1], steps[:, 1:])
    normals = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    mitres = np.concatenate([normals[:1], normals[:-1] + normals[1:], normals[-1:]])
    mitres *= 2 / np.square(mitres).sum(axis=1, keepdims=True)
    mitres[[0, -1]] /= 2
    mitres *= width / 2
    return np.concatenate([points + mitres, (points - mitres)[::-1]])


def _backdrop(background: str, figures: list[Floats], size: int) -> Floats:
    """The background, gently graded, with a soft shadow under each figure."""
    ramp = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    shade = np.broadcast_to((np.float32(1.01) - np.float32(0.03) * ramp)[:, None], (size, size))
    for points in figures:
        shade = shade * (1 - np.float32(0.3) * _shadow(points, ramp))
    colour = np.array(BACKGROUNDS[background], np.float32)
    return np.asarray(shade[..., None] * colour, np.float32)


def _shadow(points: Floats, ramp: Floats) -> Floats:
    """How dark the ground is under a figure, 0 to 1."""
    ground = float(points[:, 1].max())
    feet = points[points[:, 1] > ground - 0.1, 0]
    middle, reach = float(feet.max() + feet.min()) / 2, float(np.ptp(feet)) / 2 + 0.07
    across, down = (ramp - middle) / reach, (ramp - (ground - 0.005)) / 0.045
    shadow: Floats = np.exp(-(across**4))[None, :] * np.exp(-(down**2))[:, None]
    return shadow


def _mix(colour: Floats, other: Floats, share: float) -> Floats:
    return colour + (other - colour) * np.float32(share)


def _palette(product: Product) -> NDArray[np.uint32]:
    """RGBA, packed, of every tone in the first colour and then in the second."""
    first = np.array(COLOURS[product.colour], np.float32)
    second = np.array(COLOURS[product.second_colour or product.colour], np.float32)
    ground = np.array(BACKGROUNDS[product.background], np.float32)
    darker = _mix(first, _BLACK, 0.27)
    lost = min(float(np.linalg.norm(darker - other)) for other in (ground, _BLACK)) < _VISIBLE
    # Nothing is darker than black, and little on charcoal: there the tones go up instead.
    toward, more = (_WHITE, 0.12) if lost else (_BLACK, 0)
    own = {
        Tone.ACCENT: _mix(first, toward, 0.27 + more),
        Tone.PALE: _mix(first, _WHITE, 0.45 + 2 * more),
        Tone.DEEP: _mix(first, toward, 0.45 + more),
        Tone.EDGE: _mix(first, toward, 0.4 + more),
    }
    rows = np.zeros((2, len(Tone), 4), np.uint8)
    for row, colour in zip(rows, (first, second), strict=True):
        row[1:, 3] = 255
        row[Tone.BODY, :3] = colour
        row[Tone.SHADE, :3] = _mix(colour, _BLACK, 0.25)
        for tone, value in own.items():
            row[tone, :3] = value
    return rows.reshape(-1, 4).view(np.uint32).ravel()
