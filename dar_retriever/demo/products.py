"""The products of the drawn catalogue: what can be told apart, and how it is called."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product.

    Attributes:
        names: What people call it, the catalogue's own name first.
        part: The part in which products of this kind differ.
        details: The three ways in which that part comes, as noun phrases.
    """

    names: tuple[str, ...]
    part: str
    details: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A two-colour pattern, or none.

    Attributes:
        names: Adjectives for it, the catalogue's own name first.
        noun: What the second colour colours ("blue stripes"); empty for a plain product.
    """

    names: tuple[str, ...]
    noun: str


KINDS: Final[dict[str, Kind]] = {
    kind.names[0]: kind
    for kind in (
        Kind(("dress", "frock"), "sleeves", ("long sleeves", "short sleeves", "thin straps")),
        Kind(("jumper", "sweater"), "neckline", ("v-neck", "round neck", "turtleneck")),
        Kind(("trousers", "pants"), "legs", ("wide legs", "narrow legs", "cropped legs")),
        Kind(("skirt",), "hem", ("pleated hem", "ruffled hem", "straight hem")),
        Kind(("boot",), "heel", ("flat heel", "block heel", "stiletto heel")),
        Kind(("hat",), "brim", ("wide brim", "front peak", "pompom")),
        Kind(("handbag", "purse"), "handle", ("long strap", "short handle", "two handles")),
        Kind(("umbrella", "brolly"), "handle", ("hooked handle", "straight handle", "ring handle")),
        Kind(("mug", "cup"), "handle", ("round handle", "square handle", "two handles")),
        Kind(("bottle", "flask"), "neck", ("long neck", "wide neck", "side handle")),
        Kind(("lamp", "table lamp"), "base", ("straight base", "round base", "tripod base")),
        Kind(("chair", "seat"), "back", ("high back", "low back", "round back")),
        Kind(("sofa", "couch"), "back", ("arched back", "square back", "scalloped back")),
        Kind(("vase",), "body", ("round body", "slim body", "flared body")),
        Kind(("backpack", "rucksack"), "pocket", ("one pocket", "two pockets", "top flap")),
        Kind(("cushion", "pillow"), "trim", ("tassels", "fringe", "round shape")),
    )
}

COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "red": (208, 36, 40),
    "orange": (242, 136, 24),
    "yellow": (246, 208, 32),
    "green": (34, 139, 62),
    "teal": (18, 148, 152),
    "blue": (36, 82, 206),
    "purple": (128, 52, 168),
    "pink": (244, 120, 182),
    "brown": (122, 76, 42),
    "grey": (136, 140, 146),
    "black": (28, 28, 32),
    "white": (250, 250, 250),
}

COLOUR_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "grey": ("grey", "gray"),
    "purple": ("purple", "violet"),
    "teal": ("teal", "turquoise"),
}

PATTERNS: Final[dict[str, Pattern]] = {
    pattern.names[0]: pattern
    for pattern in (
        Pattern(("plain", "solid"), ""),
        Pattern(("striped",), "stripes"),
        Pattern(("pinstriped",), "pinstripes"),
        Pattern(("dotted", "spotted"), "dots"),
        Pattern(("checked", "checkered", "chequered"), "checks"),
        Pattern(("zigzag",), "zigzags"),
    )
}

BACKGROUNDS: Final[dict[str, tuple[int, int, int]]] = {
    "ivory": (252, 250, 244),
    "sky": (200, 224, 248),
    "mint": (208, 238, 212),
    "sand": (240, 224, 188),
    "rose": (250, 216, 224),
    "charcoal": (70, 72, 80),
}


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the catalogue, every field a key of the tables above.

    Attributes:
        second_colour: The pattern's colour; empty when the pattern is "plain".
        detail: One of the details of its kind.
    """

    kind: str
    colour: str
    pattern: str
    second_colour: str
    detail: str
    background: str

    @property
    def combination(self) -> tuple[str, str, str]:
        """Kind, colour and pattern: what the training and the gallery are split by."""
        return (self.kind, self.colour, self.pattern)

    @property
    def unseen(self) -> bool:
        """Whether its combination is kept out of all training: one fifth, chosen by hash."""
        digest = hashlib.sha256("/".join(self.combination).encode()).digest()
        return digest[0] % 5 == 0

    def attributes(self) -> dict[str, str]:
        """The fields by name, as they stand in an image's metadata."""
        return asdict(self)


def all_products() -> Iterator[Product]:
    """Every product there is, in a fixed order."""
    for kind, colour, pattern in itertools.product(KINDS, COLOURS, PATTERNS):
        seconds = [""] if pattern == "plain" else [c for c in COLOURS if c != colour]
        for second, detail, background in itertools.product(
            seconds, KINDS[kind].details, BACKGROUNDS
        ):
            yield Product(kind, colour, pattern, second, detail, background)


def sample_products(count: int, *, unseen: bool, seed: int) -> list[Product]:
    """Draw distinct products, each kind x colour x pattern combination equally often.

    Args:
        count: How many; the first ones are the same for every count.
        unseen: From the combinations kept out of training, or from the others.
        seed: Same seed, same products.

    Raises:
        ValueError: Fewer than ``count`` products of that sort exist.
    """
    random = Random(seed)
    by_combination: dict[tuple[str, str, str], list[Product]] = {}
    for product in all_products():
        if product.unseen == unseen:
            by_combination.setdefault(product.combination, []).append(product)
    if count > sum(map(len, by_combination.values())):
        raise ValueError(f"count={count} is more than the products there are")
    for products in by_combination.values():
        random.shuffle(products)
    combinations = random.sample(list(by_combination.values()), len(by_combination))
    rounds = itertools.zip_longest(*combinations)
    return list(itertools.islice((p for row in rounds for p in row if p is not None), count))
