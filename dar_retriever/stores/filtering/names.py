"""Guesses from the name of a metadata field what it is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from dar_retriever.reformulation.english.conditions.mentions import Kind
from dar_retriever.stores.fields import Field

_WORD: Final = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+")
# Best first: if several fields fit, the one that comes first here is used.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "price": ("price", "preis", "prix", "precio", "prezzo", "cost", "amount", "msrp", "rrp"),
    "size": ("size", "sizes", "groesse", "größe", "taille", "talla", "taglia", "maat"),
    "date": (
        *("taken", "shot", "captured", "date", "datum", "fecha", "datetime", "timestamp", "time"),
        *("published", "released", "created", "uploaded", "added", "year", "jahr", "annee", "año"),
    ),
}
ABOUT: Final = tuple(_NAMES)
_NOT: Final[Mapping[str, frozenset[str]]] = {
    "price": frozenset({"shipping", "delivery", "discount", "tax", "old", "count", "level"}),
    "size": frozenset({"file", "image", "picture", "photo", "byte", "bytes", "pixel", "page"}),
    "date": frozenset({"modified", "updated", "indexed", "birth", "exposure", "expiry", "zone"}),
}
# Things that a picture does not show, or only by chance.
_KINDS: Final[Mapping[Kind, frozenset[str]]] = {
    "maker": frozenset(
        {
            *("brand", "marke", "marque", "marca", "make", "maker", "manufacturer", "vendor"),
            *("seller", "supplier", "designer", "author", "artist", "photographer", "painter"),
            *("creator", "studio", "publisher", "shop", "store", "merchant", "owner", "licence"),
            *("license", "camera", "lens", "album", "agency"),
        }
    ),
    "place": frozenset(
        {
            *("country", "city", "town", "place", "location", "region", "state", "venue"),
            *("origin", "continent", "land", "ort", "pays", "ville", "ciudad", "event"),
        }
    ),
    "person": frozenset({"person", "persons", "people", "who"}),
}
# Things that a picture shows; they are left to the search by picture.
_SEEN: Final = frozenset(
    {
        *("colour", "color", "colours", "colors", "pattern", "kind", "type", "category", "class"),
        *("background", "object", "objects", "subject", "style", "shape", "scene", "setting"),
        *("tag", "tags", "label", "labels", "caption", "title", "description", "text", "material"),
        *("part", "detail", "details", "name", "keywords", "orientation"),
    }
)


def words_of(name: str) -> list[str]:
    """The words of a field's name in lower case: "listPrice" gives "list", "price"."""
    return [word.lower() for word in _WORD.findall(name)]


def kind_of(name: str) -> Kind:
    """Whether a field names makers, places or people."""
    words = {*words_of(name)}
    return next((kind for kind, names in _KINDS.items() if words & names), "other")


def is_seen(name: str) -> bool:
    """Whether a field describes what pictures show."""
    return bool({*words_of(name)} & _SEEN)


def fields_about(about: str, fields: Mapping[str, Field]) -> list[Field]:
    """The fields that a price, a size or a date may be in, best first."""
    names = _NAMES[about]
    ranked = []
    for field in fields.values():
        words = words_of(field.name)
        places = [names.index(word) for word in words if word in names]
        if places and not _NOT[about] & {*words}:
            ranked.append((min(places), len(words), field.name, field))
    return [field for *_, field in sorted(ranked, key=lambda each: each[:3])]
