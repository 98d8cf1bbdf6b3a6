"""What the rules made of each word, as a hint for the tagger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.tagging.words import Tag, Word, words_in


def ruled(words: Sequence[Word], reading: Reading) -> list[Tag]:
    """The tag that the rules would give each word: the latest words first, each used once."""
    kept = _counted(reading.phrases)
    excluded = _counted(reading.excluded)
    said = _counted(condition.said for condition in reading.conditions)
    tags = []
    for word in reversed(words):
        text = word.text.lower()
        tag = Tag.DROP
        for counts, meant in ((kept, Tag.KEEP), (excluded, Tag.EXCLUDE), (said, Tag.FILTER)):
            if counts[text] > 0:
                counts[text] -= 1
                tag = meant
                break
        tags.append(tag)
    return tags[::-1]


def _counted(phrases: Iterable[str]) -> Counter[str]:
    return Counter(
        word.text.lower() for phrase in phrases for word in words_in(phrase) if word.text.isalnum()
    )
