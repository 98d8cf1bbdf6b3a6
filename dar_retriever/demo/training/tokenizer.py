"""A byte-pair tokenizer in CLIP's format with a vocabulary of the demo's size."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

_END_OF_WORD: Final = "</w>"


def train_tokenizer(texts: Iterable[str], size: int, length: int, folder: Path) -> CLIPTokenizer:
    """Learn a vocabulary from texts and save the tokenizer in a folder.

    Args:
        texts: What it is to be good at.
        size: Number of tokens; 514 of them are single bytes and the two special tokens.
        length: The most tokens a text may have, the special ones included.
        folder: Where it is saved.

    Returns:
        The tokenizer. End-of-text has the highest id, as CLIP's pooling wants it.
    """
    template = CLIPTokenizer().backend_tokenizer
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD, continuing_subword_prefix=""))
    tokenizer.normalizer = template.normalizer
    tokenizer.pre_tokenizer = template.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size - 2 - len(alphabet),
        initial_alphabet=alphabet,
        end_of_word_suffix=_END_OF_WORD,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    merges = [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
    merged = ["".join(merge) for merge in merges]
    tokens = [*alphabet, *(byte + _END_OF_WORD for byte in alphabet), *merged]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    result = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)
    result.save_pretrained(folder)
    return result
