"""Trains the tagger that reads conversations word by word, on marked chats.

    python -m dar_retriever.demo.training.tagger --folder training
    python -m dar_retriever.demo.training.tagger --folder more --further training/tagger

Starts from a small published encoder of English (MiniLM, arXiv 2002.10957, fine-tuned for
sentences: all-MiniLM-L6-v2, Apache 2.0). Stop it at any time; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import torch
from spellchecker import SpellChecker
from torch import Tensor, nn
from transformers import AutoModelForTokenClassification, AutoTokenizer

from dar_retriever.demo.training.loop import Schedule, console, device, train
from dar_retriever.demo.training.marked_chats import MarkedChat, marked_chats
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.english import English
from dar_retriever.reformulation.tagging import Tag
from dar_retriever.reformulation.tagging.packed import pack
from dar_retriever.reformulation.tagging.ruled import ruled
from dar_retriever.reformulation.tagging.spelling import RARE, WORDS
from dar_retriever.reformulation.tagging.tagger import TAGS, TYPES, Pieces, pieces_of

CHATS: Final = Path(__file__).parent / "chats"
BASE: Final = "sentence-transformers/all-MiniLM-L6-v2"
BATCH: Final = 16
_PASSES: Final = 6
_RATE: Final = 2e-4
_WITHOUT_HINTS: Final = 0.1
# Slips of typing are rarer.
_NO_SLIP: Final = 12
_UNKNOWN: Final = 5
_FREQUENT: Final = 14_000
# A wish that is excluded, and the other way round, costs more than a word too many.
_WEIGHTS: Final = {"drop": 1.0, "keep": 1.0, "not": 2.0, "filter": 1.0}
_NONE: Final = -100


class Tagging(nn.Module):
    """A token classifier and the loss of a batch of chats."""

    def __init__(self, classifier: Any, tokenizer: Any) -> None:
        super().__init__()
        self.classifier = classifier
        self.tokenizer = tokenizer
        self.rules = English()
        weights = torch.tensor([_WEIGHTS[tag] for tag in TAGS])
        self.error = nn.CrossEntropyLoss(weights, ignore_index=_NONE, label_smoothing=0.02)

    def forward(self, chats: Sequence[MarkedChat], random: Random) -> Tensor:
        """The loss of some chats, each at one of its messages and varied."""
        things = [word for chat in chats for word in chat.things()]
        read = [self._read(chat, things, random) for chat in chats]
        longest = max(len(pieces.ids) for pieces, _ in read)
        ids, types, mask, tags = (
            torch.tensor([[*row, *[empty] * (longest - len(row))] for row in rows], device=device())
            for rows, empty in (
                ([pieces.ids for pieces, _ in read], 0),
                ([pieces.types for pieces, _ in read], 0),
                ([[1] * len(pieces.ids) for pieces, _ in read], 0),
                ([wanted for _, wanted in read], _NONE),
            )
        )
        made = self.classifier(input_ids=ids, token_type_ids=types, attention_mask=mask)
        loss: Tensor = self.error(made.logits.flatten(0, 1).float(), tags.flatten())
        return loss

    def _read(
        self, chat: MarkedChat, things: Sequence[str], random: Random
    ) -> tuple[Pieces, list[int]]:
        ends = chat.ends()
        count = ends[-1] if random.random() < 0.5 else random.choice(ends)
        dialogue, words, tags = chat.after(count).varied(random, things).read()
        hidden = random.random() < _WITHOUT_HINTS
        reading = Reading() if hidden else self.rules.read(dialogue)
        pieces = pieces_of(self.tokenizer, dialogue, words, ruled(words, reading))
        wanted = [_NONE] * len(pieces.ids)
        for place, tag in zip(pieces.firsts, tags, strict=True):
            wanted[place] = TAGS.index(tag)
        return pieces, wanted


def opened(base: str, layers: int) -> Tagging:
    """The published encoder with the first of its layers, as a tagger that knows nothing yet."""
    labels: dict[str, Any] = {
        "id2label": {number: str(tag) for number, tag in enumerate(TAGS)},
        "label2id": {str(tag): number for number, tag in enumerate(TAGS)},
    }
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(
        base, num_labels=len(TAGS), num_hidden_layers=layers, **labels
    )
    embeddings = model.bert.embeddings
    known = embeddings.token_type_embeddings.weight.data
    types = nn.Embedding(TYPES, known.shape[1])
    types.weight.data.mul_(0.02).add_(known.repeat(TYPES // len(known), 1))
    embeddings.token_type_embeddings = types
    model.config.type_vocab_size = TYPES
    return Tagging(model, AutoTokenizer.from_pretrained(base)).to(device())


def further(folder: Path, chats: Sequence[MarkedChat], words: Path) -> Tagging:
    """A tagger that is trained further, with the tokens that English and the chats need.

    Args:
        folder: A checkpoint that ``save_tagger`` wrote.
        chats: What it will be trained on.
        words: Where to write the smaller tokenizer.
    """
    model = AutoModelForTokenClassification.from_pretrained(folder).float()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    kept = _needed(tokenizer, chats)
    rows = model.bert.embeddings.word_embeddings.weight.data[[row for _, row in kept]]
    model.bert.embeddings.word_embeddings = nn.Embedding.from_pretrained(rows, freeze=False)
    model.config.vocab_size = len(kept)
    return Tagging(model, _smaller(tokenizer, kept, words)).to(device())


def _needed(tokenizer: Any, chats: Sequence[MarkedChat]) -> list[tuple[str, int]]:
    """Tokens with their numbers: special ones, frequent ones of English, and those of the chats.

    A published vocabulary is in the order of frequency.
    """
    used = set(tokenizer.all_special_ids)
    for chat in chats:
        _, words, _ = chat.read()
        ids = tokenizer([w.text for w in words], add_special_tokens=False)["input_ids"]
        used.update(number for row in ids for number in row)
    tokens = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [
        (token, number)
        for token, number in tokens
        if number in used or (number < _FREQUENT and token.isascii() and token[0] != "[")
    ]


def _smaller(tokenizer: Any, kept: Sequence[tuple[str, int]], folder: Path) -> Any:
    numbers = {token: number for number, (token, _) in enumerate(kept)}
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["model"]["vocab"] = numbers
    for special in settings["added_tokens"]:
        special["id"] = numbers[special["content"]]
    settings["post_processor"] = None
    file.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")
    return AutoTokenizer.from_pretrained(folder)


def main() -> None:
    """Train on the chats of a folder, and write a checkpoint of transformers and the packed one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("training"), help="state and results")
    parser.add_argument("--chats", type=Path, default=CHATS, help="folder of marked chats")
    parser.add_argument("--base", default=BASE, help="folder or hub id of the published encoder")
    parser.add_argument("--further", type=Path, help="folder of a tagger that is trained further")
    parser.add_argument("--layers", type=int, default=6, help="layers of it that are kept")
    parser.add_argument("--passes", type=int, default=_PASSES, help="times each chat is read")
    parser.add_argument("--seed", type=int, default=0, help="another one for each further training")
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    chats = marked_chats(options.chats)
    steps = math.ceil(options.passes * 2 * len(chats) / BATCH)
    console.print(f"{len(chats)} chats, {steps} steps")
    if options.further:
        model, rate = further(options.further, chats, folder / "tokenizer"), _RATE / 2
    else:
        model, rate = opened(options.base, options.layers), _RATE
    schedule = Schedule(steps, BATCH, rate, average=0.99, seed=options.seed)
    train(
        model,
        lambda each, random: each(_batch(chats, random), random),
        schedule,
        folder / "tagger.pt",
    )
    save_tagger(model, chats, folder)


def _batch(chats: Sequence[MarkedChat], random: Random) -> list[MarkedChat]:
    """Some chats of nearly one length, so that little is padded."""
    some = sorted(random.sample(chats, min(len(chats), 4 * BATCH)), key=MarkedChat.length)
    at = random.randrange(max(1, len(some) - BATCH + 1))
    return some[at : at + BATCH]


def save_tagger(model: Tagging, chats: Sequence[MarkedChat], folder: Path) -> None:
    """Write a checkpoint to ``tagger``, and to ``weights`` what the package holds."""
    packed = folder / "weights"
    pack(model.classifier, packed)
    model.tokenizer.save_pretrained(packed)
    (packed / WORDS.name).write_text("\n".join(_looked_for(chats)) + "\n", encoding="utf-8")
    model.classifier.half().save_pretrained(folder / "tagger")
    model.tokenizer.save_pretrained(folder / "tagger")


def _looked_for(chats: Sequence[MarkedChat]) -> list[str]:
    """Words that pictures show or must not show, the most frequent first, without slips."""
    counts: Counter[str] = Counter()
    for chat in chats:
        _, words, tags = chat.read()
        for word, tag in zip(words, tags, strict=True):
            if tag in (Tag.KEEP, Tag.EXCLUDE) and word.text.isalpha() and len(word.text) > 3:
                counts[word.text.lower()] += 1
    known = SpellChecker()
    return [
        word
        for word, count in counts.most_common()
        if known[word] >= RARE
        or ((word in known or count > _NO_SLIP) and not _is_slip(word, counts, known))
    ]


def _is_slip(word: str, counts: Counter[str], known: SpellChecker) -> bool:
    """Whether a rare word is a far more frequent one with letters swapped or one lost."""
    times = _NO_SLIP if word in known else _UNKNOWN
    return any(
        counts[near] > times * counts[word]
        for near in known.edit_distance_1(word)
        if near in known
        and (sorted(near) == sorted(word) or len(near) > len(word))
        and (near != f"{word}s" or word.endswith("s"))
    )


if __name__ == "__main__":
    main()
