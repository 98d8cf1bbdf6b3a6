"""The catalogue's second kind of picture: two or three plain products and where they stand."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass
from random import Random
from typing import Final

from PIL import Image

from dar_retriever.demo.captions import article, colour_name
from dar_retriever.demo.drawing import Pose, paint
from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS, Product

SCENE_FIELDS: Final = ("count", "colour", "relation", "other_colour", "background")

COUNTS: Final = ("one", "two")
# The direction from the second thing to the first, x to the right and y down.
RELATIONS: Final[dict[str, tuple[int, int]]] = {
    "left of": (-1, 0),
    "right of": (1, 0),
    "above": (0, -1),
    "below": (0, 1),
}
_RELATION_NAMES: Final = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
_APART: Final = 0.235
_SCALE: Final = 0.47


@dataclass(frozen=True, slots=True)
class Scene:
    """One or two things of a kind beside another thing, all of them plain.

    Attributes:
        kind: Of the first thing, a key of ``products.KINDS``.
        colour: Of the first thing.
        count: How many of the first thing there are, one of ``COUNTS``.
        relation: Where the first thing is, a key of ``RELATIONS``.
        other_kind: Of the second thing; another kind.
        other_colour: Of the second thing; another colour.
        background: A key of ``products.BACKGROUNDS``.
    """

    kind: str
    colour: str
    count: str
    relation: str
    other_kind: str
    other_colour: str
    background: str

    @property
    def unseen(self) -> bool:
        """Whether it is kept out of all training: one fifth of the combinations, by hash."""
        combination = (self.colour, self.kind, self.relation, self.other_kind)
        return hashlib.sha256("/".join(combination).encode()).digest()[0] % 5 == 0

    def attributes(self) -> dict[str, str]:
        """The fields by name, as they stand in an image's metadata."""
        return asdict(self)


def sample_scenes(count: int, *, unseen: bool, seed: int) -> list[Scene]:
    """Draw distinct scenes; the first ones are the same for every count.

    Args:
        count: How many.
        unseen: From the combinations kept out of training, or from the others.
        seed: Same seed, same scenes.
    """
    random = Random(seed)
    found: dict[Scene, None] = {}
    while len(found) < count:
        kind, other_kind = random.sample(sorted(KINDS), 2)
        colour, other_colour = random.sample(sorted(COLOURS), 2)
        scene = Scene(
            kind,
            colour,
            random.choice(COUNTS),
            random.choice(sorted(RELATIONS)),
            other_kind,
            other_colour,
            random.choice(sorted(BACKGROUNDS)),
        )
        if scene.unseen == unseen:
            found[scene] = None
    return list(found)


def draw_scene(scene: Scene, size: int, random: Random) -> Image.Image:
    """Draw one picture of a scene.

    Args:
        scene: What to draw.
        size: Width and height of the picture in pixels.
        random: Decides places, turns, details and brightness; same state, same picture.

    Returns:
        An RGB picture.
    """
    across, down = RELATIONS[scene.relation]
    # Two things of a kind stand side by side, at right angles to the way to the other thing.
    shares = (0,) if scene.count == "one" else (-1, 1)
    first = [
        (0.5 + _APART * (across + share * abs(down)), 0.5 + _APART * (down + share * abs(across)))
        for share in shares
    ]
    other = (0.5 - _APART * across, 0.5 - _APART * down)
    things = [(scene.kind, scene.colour, place) for place in first]
    things.append((scene.other_kind, scene.other_colour, other))
    placed = [
        (_plain(kind, colour, scene.background, random), _standing(place, random))
        for kind, colour, place in things
    ]
    return paint(placed, scene.background, size, random.uniform(0.97, 1.03))


def scene_caption(scene: Scene, fields: Collection[str], random: Random) -> str:
    """Put a scene into words, telling no more than the given fields.

    Args:
        scene: What is described; the kinds of both things are always named.
        fields: Which of ``SCENE_FIELDS`` to tell. Without the relation the things are only
            listed.
        random: Chooses names and style.

    Returns:
        One caption in lower case.
    """
    noun = random.choice(KINDS[scene.kind].names)
    if "colour" in fields:
        noun = f"{colour_name(scene.colour, random)} {noun}"
    other = random.choice(KINDS[scene.other_kind].names)
    if "other_colour" in fields:
        other = f"{colour_name(scene.other_colour, random)} {other}"
    if scene.count == "one" or "count" not in fields:
        first = noun if random.random() < 0.2 else f"{article(noun)} {noun}"
    else:
        first = f"two {plural(noun)}"
    between = "and"
    if "relation" in fields:
        between = random.choice(_RELATION_NAMES[scene.relation])
    text = f"{first} {between} {article(other)} {other}"
    if "background" in fields:
        ground = f"{scene.background} {random.choice(('background', 'background', 'backdrop'))}"
        text += random.choice((f" on {article(ground)} {ground}", f", {ground}"))
    return text


def scene_description(scene: Scene) -> str:
    """All attributes in one fixed form, for people who read a picture's listing."""
    noun = f"{scene.colour} {scene.kind}"
    first = f"one {noun}" if scene.count == "one" else f"two {plural(noun)}"
    other = f"{scene.other_colour} {scene.other_kind}"
    ground = f"{scene.background} background"
    return f"{first} {scene.relation} {article(other)} {other}, {ground}"


def plural(noun: str) -> str:
    """The plural of a noun phrase that ends in one of the catalogue's kinds."""
    start, _, last = noun.rpartition(" ")
    if last in ("trousers", "pants"):
        return f"pairs of {noun}"
    if last.endswith("y"):
        return f"{start} {last[:-1]}ies".strip()
    ending = "es" if last.endswith(("s", "ch")) else "s"
    return f"{start} {last}{ending}".strip()


def _plain(kind: str, colour: str, background: str, random: Random) -> Product:
    return Product(kind, colour, "plain", "", random.choice(KINDS[kind].details), background)


def _standing(place: tuple[float, float], random: Random) -> Pose:
    x, y = place
    return Pose(
        x=x + random.uniform(-0.025, 0.025),
        y=y + random.uniform(-0.025, 0.025),
        scale=_SCALE * random.uniform(0.9, 1.04),
        angle=math.radians(random.uniform(-6, 6)),
        phase_x=0,
        phase_y=0,
        brightness=1,
    )
