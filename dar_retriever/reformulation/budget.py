"""Shortens captions to fit the text encoder."""

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
    """Join phrases to a caption of at most ``max_tokens`` tokens.

    If it is too long, phrases are left out: first those that a picture shows least, and among equal
    ones the oldest. The first phrase, which names the thing, and the latest one are kept longest.

    Args:
        phrases: The phrases in the order in which they were said.
        count_tokens: Counts the tokens of a text for the encoder, start and end included.
        max_tokens: Maximum number of tokens.
        visibility: How well a picture can show a phrase.
    """
    texts = list(phrases)
    seen = [visibility(text) for text in texts]
    if count_tokens(", ".join(texts)) <= max_tokens:
        return ", ".join(texts)
    # Drop most phrases by their own lengths, without counting the whole caption each time.
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
    """The index of the lowest value, except for the first and the last one."""
    return min(range(1, len(values) - 1), key=lambda place: values[place])


def _cut(text: str, share: float) -> str:
    """The first part of a text, cut at the end of a word if it has several words."""
    words = text.split()
    kept = int(len(words) * share)
    return " ".join(words[:kept]) if kept else text[: int(len(text) * share)].strip()


@cache
def _clip_tokenizer() -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()
