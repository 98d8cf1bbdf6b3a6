"""Captions that fit into the text encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

CLIP_TOKENS: Final = 77


def count_clip_tokens(text: str) -> int:
    """Number of tokens of OpenAI's CLIP, start and end of text included."""
    return len(_clip_tokenizer().encode(text)) + 2


def within_budget(
    phrases: Sequence[str],
    count_tokens: Callable[[str], int],
    max_tokens: int,
    visibility: Callable[[str], float],
) -> str:
    """Phrases as one caption of at most so many tokens.

    The first phrase, which names the thing, and the last, which was said last, stay the longest.
    Of those in between goes first what a picture shows least, and of equals the oldest.

    Args:
        phrases: In the order they were said.
        count_tokens: Length of a text for the encoder in use, start and end included.
        max_tokens: The most that the caption may have.
        visibility: How much of a phrase a picture shows.
    """
    texts = list(phrases)
    seen = [visibility(text) for text in texts]
    if count_tokens(", ".join(texts)) <= max_tokens:
        return ", ".join(texts)
    # The phrases' own lengths, without the commas, tell at once how many are too many.
    empty = count_tokens("")
    lengths = [count_tokens(text) - empty for text in texts]
    while len(texts) > 2 and sum(lengths) + empty > max_tokens:
        least = _least(seen)
        del texts[least], lengths[least], seen[least]
    while any(texts) and (tokens := count_tokens(", ".join(texts))) > max_tokens:
        if len(texts) > 2:
            least = _least(seen)
            del texts[least], seen[least]
        else:
            longest = max(range(len(texts)), key=lambda number: len(texts[number]))
            texts[longest] = _cut(texts[longest], min(0.75, max_tokens / tokens))
    return ", ".join(text for text in texts if text)


def _least(values: list[float]) -> int:
    """The place of the least value, the first and the last aside."""
    return min(range(1, len(values) - 1), key=lambda place: values[place])


def _cut(text: str, share: float) -> str:
    """The first share of a text, at a word's end where it has several."""
    words = text.split()
    kept = int(len(words) * share)
    return " ".join(words[:kept]) if kept else text[: int(len(text) * share)].strip()


@cache
def _clip_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()
