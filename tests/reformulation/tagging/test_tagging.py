"""Conversations read word by word: words, hints of the rules, slips, phrases, the reader."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForTokenClassification, BertModel, BertTokenizerFast

from dar_retriever import (
    Dialogue,
    DiffusionAugmentedRetriever,
    RuleReformulator,
    TaggingReformulator,
)
from dar_retriever.demo.training.marked_chats import MarkedChat, marked_chats
from dar_retriever.demo.training.tagger import CHATS
from dar_retriever.demo.training.tagger import main as train_tagger
from dar_retriever.reformulation.base import Reading
from dar_retriever.reformulation.tagging import Tag, Tagged, WordTagger, tagger, words_of
from dar_retriever.reformulation.tagging.packed import pack, unpack
from dar_retriever.reformulation.tagging.phrases import conditions, phrases
from dar_retriever.reformulation.tagging.ruled import ruled
from dar_retriever.reformulation.tagging.spelling import spelt
from dar_retriever.reformulation.tagging.verdicts import settled

READS, RULES = TaggingReformulator(), RuleReformulator()


def said(*turns: str) -> Dialogue:
    """A dialogue; a turn that begins with "A: " is the assistant's."""
    dialogue = Dialogue()
    for turn in turns:
        dialogue = dialogue.ask(turn[3:]) if turn.startswith("A: ") else dialogue.say(turn)
    return dialogue


def tagged(dialogue: Dialogue, *tags: tuple[Tag, float, Tag], kept: float = 0.0) -> list[Tagged]:
    words = [word for each in words_of(dialogue) for word in each]
    return [Tagged(word, *tag, kept) for word, tag in zip(words, tags, strict=True)]


@pytest.mark.parametrize(
    ("turns", "wanted", "unwanted"),
    [
        (("a red mug",), {"red", "mug"}, set()),
        (("a guitar", "no wait, a violin"), {"violin"}, set()),
        (
            ("a dress", "no belt, long sleeves, blue"),
            {"dress", "long", "sleeves", "blue"},
            {"belt"},
        ),
        (("a beach", "A: With people?", "no, just a dog"), {"beach", "dog"}, {"people"}),
        (("\N{DOG FACE} on a sofa",), {"dog", "sofa"}, set()),
        (("a velvte sofa",), {"velvet", "sofa"}, set()),
        (
            ("a man at a sink", "A: Does he wear a watch?", "no", "A: Any tattoos?", "no"),
            {"man", "sink"},
            {"watch", "tattoos"},
        ),
        (("sunset -people",), {"sunset"}, {"people"}),
        (("no way you have a picture of a capybara",), {"capybara"}, set()),
        (("a sofa that is not leather, grey or beige",), {"sofa"}, {"leather", "grey", "beige"}),
        (
            (
                "a mug",
                "A: Which background?",
                "something green",
                "A: Which background?",
                "make it orange",
            ),
            {"mug", "orange"},
            set(),
        ),
        (("some lamp with dots", "no sorry, i meant a mug"), {"mug", "dots"}, set()),
        (("my aunt wants a lamp, i'd say brass, she's so picky",), {"lamp", "brass"}, set()),
    ],
)
def test_what_is_wanted_and_what_is_not(
    turns: tuple[str, ...], wanted: set[str], unwanted: set[str]
):
    made = READS.reformulate(said(*turns))

    assert wanted <= set(re.findall(r"\w+", made.caption))
    assert unwanted == {word for word in re.findall(r"\w+", made.negative_prompt) if len(word) > 2}
    assert not wanted & unwanted


def test_a_new_subject_begins_where_it_is_named():
    assert READS.reformulate(said("a blue mug", "forget it, show me lamps")).since == 1
    assert READS.reformulate(said("hello", "a blue mug")).since == 0
    assert READS.reformulate(said("a mug", "in blue")).since == 0


def test_prices_stay_conditions_and_out_of_the_caption():
    made = READS.reformulate(said("a mug under 20 euros"))

    assert "20" not in made.caption
    assert [each.about for each in made.conditions] == ["price"]


def test_a_very_long_conversation_is_read_by_the_rules():
    made = READS.reformulate(said(*["a red mug with a blue handle and a lid on a table"] * 60))

    assert any("the rules alone read it" in note for note in made.notes)
    assert "mug" in made.caption


def test_another_language_is_read_by_its_rules():
    assert "ohne" not in READS.reformulate(said("eine rote Tasse ohne Punkte, bitte")).caption


@given(
    st.lists(st.text(max_size=60).filter(str.strip), min_size=1, max_size=4),
)
def test_any_text_is_read_where_the_rules_read_it(turns: list[str]):
    made, ruled_ = READS.reformulate(said(*turns)), RULES.reformulate(said(*turns))

    assert bool(made.caption) == bool(ruled_.caption)
    assert {each.about for each in ruled_.conditions} <= {each.about for each in made.conditions}


def test_slips_are_put_right_only_where_it_is_sure():
    dialogue, notes = spelt(said("a velvte sofa", "A: In blakc?", "monstera, a Velvte poster"))

    assert [turn.text for turn in dialogue.turns] == [
        *("a velvet sofa", "In blakc?", "monstera, a Velvte poster"),
    ]
    assert notes == ("'velvte' was read as 'velvet'",)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *[("purpel", "purple"), ("galss", "glass"), ("runing", "running"), ("weding", "wedding")],
        *[("moniters", "monitors"), ("flor", "floor"), ("hegdehog", "hedgehog")],
        # Words that there are, and words that could be anything.
        *[("chai", "chai"), ("monstera", "monstera"), ("centrepiece", "centrepiece")],
        *[("glade", "glade"), ("brie", "brie"), ("roo", "roo"), ("boho", "boho")],
    ],
)
def test_rare_words_are_put_right_only_to_what_is_often_looked_for(typed: str, meant: str):
    dialogue, _ = spelt(said(f"a photo, {typed}"))

    assert dialogue.turns[0].text == f"a photo, {meant}"


def test_names_that_the_tagger_takes_for_conditions_stay_in_the_caption():
    dialogue = said("milo in nairobi 1998")
    name, shown = (Tag.FILTER, 0.9, Tag.KEEP), (Tag.KEEP, 0.9, Tag.KEEP)

    likely = settled(tagged(dialogue, name, shown, name, name, kept=0.4))
    unlikely = settled(tagged(dialogue, name, shown, name, name, kept=0.1))

    for told, words in ((likely, ["milo", "in", "nairobi"]), (unlikely, ["in"])):
        assert [each.word.text for each in told if each.tag == Tag.KEEP] == words


def test_what_is_added_to_a_thing_does_not_stand_alone():
    offered = "I found several red mugs. Do any of these match what you're looking for, or would "
    dialogue = said("a mug", f"A: {offered}you like to refine the search?", "yes but with a lid")

    assert READS.reformulate(dialogue).caption == "a mug, a lid"


def test_the_rules_read_interviews():
    dialogue = said(
        *("a man on a bench", "A: is he old ?", "yes", "A: is there a dog ?", "no"),
        *("A: what is he wearing ?", "a dark coat", "A: is it sunny ?", "yes it is"),
    )

    assert READS.reformulate(dialogue) == RULES.reformulate(dialogue)
    assert "old" in READS.reformulate(dialogue).caption


def test_hints_use_each_word_of_the_rules_once_from_the_end():
    dialogue = said("a red mug", "red or not, no dots")
    words = [word for each in words_of(dialogue) for word in each]

    hints = ruled(words, Reading(("a red mug",), ("dots",)))

    assert [word.text for word, hint in zip(words, hints, strict=True) if hint == Tag.KEEP] == [
        *("a", "mug", "red"),
    ]
    assert [w.text for w, hint in zip(words, hints, strict=True) if hint == Tag.EXCLUDE] == ["dots"]


def test_the_rules_decide_where_the_tagger_is_not_sure():
    keep, drop, out = Tag.KEEP, Tag.DROP, Tag.EXCLUDE
    told = settled(
        tagged(said("blue dots big"), (drop, 0.6, keep), (keep, 0.6, out), (drop, 0.9, keep))
    )

    assert [each.tag for each in told] == [keep, out, drop]


def test_what_was_said_last_counts():
    keep, out = Tag.KEEP, Tag.EXCLUDE
    told = settled(
        tagged(
            said("a horse", "no horses"),
            *[(keep, 1.0, keep)] * 2,
            (Tag.DROP, 1.0, keep),
            (out, 1.0, out),
        )
    )

    assert [each.tag for each in told][1] == Tag.DROP
    assert told[-1].tag == out


def test_words_side_by_side_make_a_phrase():
    dialogue = said("a mug, please, with blue dots")
    keep, drop = (Tag.KEEP, 1.0, Tag.KEEP), (Tag.DROP, 1.0, Tag.DROP)
    told = tagged(dialogue, keep, keep, drop, drop, drop, keep, keep, keep)

    assert phrases(dialogue.turns, told, Tag.KEEP) == [(0, "a mug"), (0, "with blue dots")]


def test_a_condition_has_its_bounds_and_of_a_question_needs_a_yes():
    of_picture, bound, price = (
        (Tag.KEEP, 1.0, Tag.KEEP),
        (Tag.DROP, 1.0, Tag.DROP),
        (Tag.FILTER, 1.0, Tag.DROP),
    )
    dialogue = said("a bag less than 20 bucks", "A: Made in Italy?", "no")
    tags = (of_picture, of_picture, bound, bound, price, price, bound, bound, price, bound, bound)
    assert conditions(dialogue.turns, tagged(dialogue, *tags)) == {0: ["less than 20 bucks"]}
    agreed = said("a bag less than 20 bucks", "A: Made in Italy?", "yes")
    assert conditions(agreed.turns, tagged(agreed, *tags))[1] == ["Italy"]


def test_marks_hold_until_a_message_takes_them_back():
    chat = MarkedChat.of([("user", "[a blue>2] [mug] -{dots}"), ("user", "i meant [green]")])

    first, words, tags = chat.after(1).read()
    assert first.turns[0].text == "a blue mug no dots"
    assert [w.text for w, t in zip(words, tags, strict=True) if t == Tag.KEEP] == [
        "a",
        "blue",
        "mug",
    ]
    _, words, tags = chat.after(2).read()
    assert [w.text for w, t in zip(words, tags, strict=True) if t == Tag.KEEP] == ["mug", "green"]


def test_threads_that_need_the_tagger_first_open_it_once():
    tagger._embedded.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: tagger.embedded(), range(8)))

    assert all(each is opened[0] for each in opened)
    assert {each.dtype for each in opened[0]._model.parameters()} == {torch.float32}
    assert torch.get_default_dtype() == torch.float32


def test_all_marked_chats_can_be_read_at_every_message():
    chats = marked_chats(CHATS)
    assert len(chats) > 15_000

    random = Random(0)
    for chat in chats[::40]:
        for count in chat.ends():
            dialogue, words, tags = chat.after(count).varied(random).read()
            assert len(words) == len(tags)
            assert dialogue.turns[-1].role == "user"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random encoder in the published format."""
    folder = tmp_path_factory.mktemp("tiny")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [mark + letter for mark in ("", "##") for letter in "abcdefghijklmnopqrstuvwxyz,.?"]
    (folder / "vocab.txt").write_text("\n".join(tokens))
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokens),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_training_ends_in_weights_that_open(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    chats = tmp_path / "chats"
    chats.mkdir()
    lines = [json.dumps({"turns": [["user", f"[a mug], no {{dots}} {n}"]]}) for n in range(20)]
    (chats / "some.jsonl").write_text("\n".join(lines))
    common = ["tagger", "--chats", str(chats), "--passes", "1", "--folder"]
    first, more = tmp_path / "first", tmp_path / "more"

    monkeypatch.setattr("sys.argv", [*common, str(first), "--base", str(tiny), "--layers", "1"])
    train_tagger()
    monkeypatch.setattr("sys.argv", [*common, str(more), "--further", str(first / "tagger")])
    train_tagger()

    tagger = WordTagger.open(more / "tagger")
    told = tagger.tags(said("a mug"), Reading(("a mug",)))
    assert told is not None
    assert [each.word.text for each in told] == ["a", "mug"]
    assert (more / "weights" / "words.txt").read_text().split() == ["dots"]


def test_packed_weights_are_nearly_the_same(tiny: Path, tmp_path: Path):
    model = BertForTokenClassification.from_pretrained(tiny)
    pack(model, tmp_path)
    opened = unpack(tmp_path)

    for name, weights in model.state_dict().items():
        if weights.is_floating_point():
            assert opened.state_dict()[name] == pytest.approx(weights, abs=0.02), name


def test_a_search_reads_by_it(demo: DiffusionAugmentedRetriever, monkeypatch: pytest.MonkeyPatch):
    encoder = demo.query_encoder.encoder
    reads = TaggingReformulator(encoder.count_tokens, encoder.max_tokens)
    monkeypatch.setattr(demo.query_encoder, "reformulator", reads)

    result = demo.search(said("a velvte purse", "make it purple"))

    assert "'velvte' was read as 'velvet'" in result.trace.reasons
