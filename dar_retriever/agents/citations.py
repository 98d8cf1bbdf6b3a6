"""Which pictures a text cites, and whether they are there."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from dar_retriever.stores.hits import Hit

# "[2]", "[1, 3]", "[picture 2]", "[id=3fa9...]", with the space before it.
_CITATION: Final = re.compile(r"[ \t]*\[([^\[\]\n]{1,400})\]")
_APART: Final = re.compile(r"[\s,;]+|\band\b|&")
_LABEL: Final = re.compile(
    r"^(?:(?:pictures?|images?|number|no\.?)\s*|id\s*[=:]\s*|#)+", re.IGNORECASE
)
# What the ids of ``ingest`` look like, and numbers; other words in brackets are no citations.
_REFERENCE: Final = re.compile(r"\d{1,4}|[0-9a-f]{32}", re.IGNORECASE)


def cited_in(text: str, shown: Sequence[Hit]) -> tuple[str, tuple[Hit, ...], tuple[str, ...]]:
    """Check the citations of a text.

    Args:
        text: A text with the numbers or ids of pictures in square brackets.
        shown: The pictures, number 1 first.

    Returns:
        The text with ids in all its citations and without those of other pictures, the hits cited,
        in the text's order, and the numbers and ids that were removed.
    """
    known = {hit.id: hit for hit in shown} | {str(n): hit for n, hit in enumerate(shown, 1)}
    cited: dict[str, Hit] = {}
    unknown: dict[str, None] = {}

    def checked(found: re.Match[str]) -> str:
        names = _names(found[1], known)
        if not names:
            return found[0]
        hits = {known[name].id: known[name] for name in names if name in known}
        for hit in hits.values():
            cited.setdefault(hit.id, hit)
        unknown.update((name, None) for name in names if name not in known)
        space = found[0][: found[0].index("[")]
        return f"{space}[{', '.join(hits)}]" if hits else ""

    checked_text = _CITATION.sub(checked, text).strip()
    return checked_text, tuple(cited.values()), tuple(unknown)


def numbered(text: str, cited: Sequence[Hit]) -> str:
    """A checked text with the numbers of the hits it cites in place of their ids."""
    numbers = {hit.id: str(number) for number, hit in enumerate(cited, 1)}

    def shown(found: re.Match[str]) -> str:
        names = _names(found[1], numbers)
        return (
            found[0].replace(found[1], ", ".join(numbers[each] for each in names))
            if names
            else found[0]
        )

    return _CITATION.sub(shown, text)


def _names(inside: str, known: Collection[str]) -> list[str]:
    """The numbers and ids within brackets; empty if they hold something else."""
    whole = _LABEL.sub("", inside.strip())
    # An id of another program may have spaces.
    if whole in known:
        return [whole]
    names = [_LABEL.sub("", name) for name in _APART.split(whole)]
    names = [name for name in names if name]
    is_citation = all(name in known or _REFERENCE.fullmatch(name) for name in names)
    return names if is_citation else []
