"""Whether a list goes on: "no belt or hood", but not "no belt, long sleeves"."""

from __future__ import annotations

from typing import Final

from dar_retriever.reformulation.english.lexicon import COLOURS

_ARTICLES: Final = frozenset({"the", "a", "an", "any", "his", "her", "their", "its"})


def continues(joint: str, first: str, item: str, *, listed: bool, both: bool) -> bool:
    """Whether an item of a list is not wanted either."""
    if joint in ("or", "nor") or (listed and not joint):
        return True
    if not item or not (joint or both):
        return False
    coloured = first.strip(" ,").rpartition(" ")[2], item.partition(" ")[0]
    if joint == "and" and COLOURS.issuperset(coloured):
        # "No black and white".
        return True
    articles = {words.split(maxsplit=1)[0] for words in (first, item)} & _ARTICLES
    if articles:
        alike = first.partition(" ")[0] == item.partition(" ")[0]
        return articles <= {"the"} or (len(articles) == 1 and alike)
    return len(item.split()) == 1 and item not in COLOURS and not item.endswith("ing")
