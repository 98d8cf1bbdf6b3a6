"""Tells of each word in a conversation whether the wanted picture shows it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.tagging.packed import unpack
from dar_retriever.reformulation.tagging.ruled import ruled
from dar_retriever.reformulation.tagging.words import Tag, Word, words_of

EMBEDDED: Final = Path(__file__).parent / "weights"
TAGS: Final = tuple(Tag)
TYPES: Final = 2 * len(TAGS)
"""Token types: who speaks, and what the rules made of the word."""
_OPENING: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tagged:
    """A word and what becomes of it.

    Attributes:
        word: The word.
        tag: What becomes of it.
        certainty: From 0 to 1.
        hint: What the rules would have made of it.
        kept: How likely the caption keeps it, from 0 to 1, if it either keeps or drops it.
    """

    word: Word
    tag: Tag
    certainty: float
    hint: Tag
    kept: float


@dataclass(frozen=True, slots=True)
class Pieces:
    """A conversation as tokens.

    Attributes:
        ids: Token ids; a separator ends each message.
        types: Token types: the tag that the rules gave the word, twice, plus 1 for the assistant.
        firsts: The place of each word's first token.
    """

    ids: list[int]
    types: list[int]
    firsts: list[int]


class WordTagger:
    """A token classifier over a whole conversation.

    The messages stand one after the other with a separator after each; the token type says who
    speaks and what the rules made of the word. The label of a word is that of its first token.

    Args:
        model: A token classifier of transformers with the labels of ``Tag``.
        tokenizer: Its tokenizer.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._labels = [Tag(model.config.id2label[n]) for n in range(model.config.num_labels)]
        self._longest = int(model.config.max_position_embeddings)
        self._lock = threading.Lock()

    @classmethod
    def open(cls, folder: Path) -> WordTagger:
        """Open a checkpoint of transformers that was trained as the embedded one is.

        Raises:
            OSError: There is no checkpoint in the folder.
        """
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        return cls(
            AutoModelForTokenClassification.from_pretrained(folder).float(),
            AutoTokenizer.from_pretrained(folder),
        )

    def tags(self, dialogue: Dialogue, reading: Reading) -> list[Tagged] | None:
        """What becomes of every word, in the order of the words.

        Args:
            dialogue: The conversation.
            reading: What the rules make of it.

        Returns:
            None where the conversation is longer than the model reads.
        """
        import torch

        words = [word for said in words_of(dialogue) for word in said]
        hints = ruled(words, reading)
        pieces = pieces_of(self._tokenizer, dialogue, words, hints)
        if len(pieces.ids) > self._longest:
            return None
        with self._lock, torch.inference_mode():
            logits = self._model(
                input_ids=torch.tensor([pieces.ids]), token_type_ids=torch.tensor([pieces.types])
            ).logits[0]
        logits = logits[pieces.firsts]
        shares, labels = logits.softmax(-1).max(-1)
        either = logits[:, [self._labels.index(Tag.KEEP), self._labels.index(Tag.DROP)]]
        kept = either.softmax(-1)[:, 0]
        return [
            Tagged(word, self._labels[label], *each)
            for word, label, *each in zip(
                words, labels.tolist(), shares.tolist(), hints, kept.tolist(), strict=True
            )
        ]


def pieces_of(
    tokenizer: Any, dialogue: Dialogue, words: Sequence[Word], hints: Sequence[Tag]
) -> Pieces:
    """A conversation as a tagger reads it."""
    ids, types, firsts = [tokenizer.cls_token_id], [0], []
    speakers = [int(turn.role == "assistant") for turn in dialogue.turns]
    turn = 0
    for word, hint in zip(words, hints, strict=True):
        while turn < word.turn:
            ids.append(tokenizer.sep_token_id)
            types.append(speakers[turn])
            turn += 1
        tokens = tokenizer(word.text, add_special_tokens=False)["input_ids"]
        tokens = tokens or [tokenizer.unk_token_id]
        firsts.append(len(ids))
        ids += tokens
        types += [2 * TAGS.index(hint) + speakers[turn]] * len(tokens)
    ids.append(tokenizer.sep_token_id)
    types.append(speakers[turn] if speakers else 0)
    return Pieces(ids, types, firsts)


def embedded() -> WordTagger:
    """The embedded tagger, opened once."""
    with _OPENING:
        return _embedded()


@cache
def _embedded() -> WordTagger:
    from transformers import AutoTokenizer

    return WordTagger(unpack(EMBEDDED), AutoTokenizer.from_pretrained(EMBEDDED))
