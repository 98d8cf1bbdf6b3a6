"""The embedded default: its weights, its simulated user, and the show that it gives."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from dar_retriever import (
    PRESETS,
    Dialogue,
    DiffusionAugmentedRetriever,
    RuleReformulator,
)
from dar_retriever.cli.common import APP
from dar_retriever.demo.captions import FIELDS, caption
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.gallery import draw_gallery, gallery_products, picture_name
from dar_retriever.demo.products import COLOUR_SYNONYMS, sample_products
from dar_retriever.demo.showcase import play
from dar_retriever.demo.simulated_user import ROUNDS, simulate

WEIGHTS = Path(PRESETS["demo"].generator).parent


def names_of(colour: str) -> tuple[str, ...]:
    return COLOUR_SYNONYMS.get(colour, (colour,))


def test_weights_are_small_safe_and_documented() -> None:
    files = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 30_000_000
    assert not [path for path in files if path.suffix in {".bin", ".pt", ".pkl", ".ckpt"}]
    configs = [path.read_text() for path in files if path.name == "config.json"]
    assert not [text for text in configs if "_name_or_path" in text]
    card = (WEIGHTS / "README.md").read_text()
    for word in ("steps", "seed", "Recall@10", "python -m dar_retriever.demo.training"):
        assert word in card


def test_a_dialogue_finds_its_unseen_product(
    demo: DiffusionAugmentedRetriever, gallery_folder: Path
) -> None:
    products = gallery_products(len(list(gallery_folder.glob("*.jpg"))))
    found = 0
    for number in range(8):
        played = simulate(products[number], number)
        names = [Path(hit.uri).name for hit in demo.search(played.dialogue, 5).hits]
        found += picture_name(number) in names
    assert found >= 6


def test_generated_images_show_what_was_said(demo: DiffusionAugmentedRetriever) -> None:
    """The encoder tells the drawing of the right colour from those of wrong ones."""
    result = demo.search("a red dress with white dots on a mint background")
    assert len(result.trace.generated) == demo.query_encoder.images_per_turn
    encoder = demo.query_encoder.encoder
    texts = encoder.encode_texts(["a red dress", "a blue dress", "a red umbrella", "a green chair"])
    scores = texts @ result.query.image_vectors.mean(0)
    assert scores.argmax() == 0


def test_a_repeated_turn_generates_nothing(demo: DiffusionAugmentedRetriever) -> None:
    first = demo.search("a teal vase with stripes")
    again = demo.search(first.dialogue.ask("is it old?").say("can't tell"))
    assert again.trace.cached_count == len(again.trace.generated) == len(first.trace.generated) > 0


def test_end_of_text_is_the_last_token_of_the_vocabulary(
    demo: DiffusionAugmentedRetriever,
) -> None:
    from open_clip import get_tokenizer

    tokens = get_tokenizer(PRESETS["demo"].encoder)(["a red dress, ¿qué? 图"])[0]
    assert int(tokens.max()) == len(get_tokenizer(PRESETS["demo"].encoder).tokenizer) - 1


@pytest.mark.parametrize("correction", [True, False])
def test_simulated_users_tell_everything_in_the_end(*, correction: bool) -> None:
    rules = RuleReformulator(lambda text: len(text.split()))
    for seed, product in enumerate(sample_products(60, unseen=True, seed=5)):
        played = simulate(product, seed, correction=correction)
        assert played.dialogue.round == ROUNDS
        assert len(played.told) == ROUNDS + 1
        assert played.told[-1] == {name for name in FIELDS if getattr(product, name)}
        said = rules.reformulate(played.dialogue).caption
        assert any(name in said for name in names_of(product.colour))
        assert product.detail in said
        assert product.background in said
        assert "?" not in said


def test_simulated_dialogues_are_varied_and_reproducible() -> None:
    product = sample_products(1, unseen=True, seed=2)[0]
    played = [simulate(product, seed).dialogue for seed in range(30)]
    assert played[3] == simulate(product, 3).dialogue
    assert len({tuple(turn.text for turn in dialogue.turns) for dialogue in played}) == 30
    answers = " | ".join(turn.text for dialogue in played for turn in dialogue.user_turns)
    assert re.search(r"can't tell|don't know|no idea|hard to say", answers)
    assert re.search(r"\bno\b", answers)
    assert re.search(r"\bnot\b .* but|, not ", answers)


def test_the_gallery_is_drawn_once_and_only_of_unseen_products(tmp_path: Path) -> None:
    products = gallery_products(6)
    assert all(product.unseen for product in products)
    steps: list[tuple[int, int]] = []
    draw_gallery(tmp_path, 6, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (6, 6)
    before = (tmp_path / picture_name(2)).stat().st_mtime_ns
    (tmp_path / picture_name(4)).unlink()
    draw_gallery(tmp_path, 6)
    assert (tmp_path / picture_name(4)).exists()
    assert (tmp_path / picture_name(2)).stat().st_mtime_ns == before


def test_the_show_prints_every_turn_and_leaves_a_page(tmp_path: Path) -> None:
    options = ["demo", "--folder", str(tmp_path), "--products", "40"]
    printed = CliRunner().invoke(APP, options, env={"COLUMNS": "140"}).stdout
    turns = re.findall(r"turn \d+", printed)
    assert len(turns) >= 6
    assert printed.count("understood:") == len(turns)
    assert printed.count("by text alone") == len(turns)
    assert re.search(r"said: .*(, not | but )", printed)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") >= len(turns) * 9
    assert "<polyline" in html
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_the_show_takes_the_users_own_words(tmp_path: Path) -> None:
    show = play(tmp_path, 20, ["a red <b>mug</b>", "with white dots"])
    assert "mug" in show.turns[-1].result.trace.caption
    html = show.page.read_text(encoding="utf-8")
    assert "<b>mug</b>" not in html
    assert "Wanted" not in html


def test_pictures_and_captions_agree_in_the_encoder(
    demo: DiffusionAugmentedRetriever,
) -> None:
    encoder = demo.query_encoder.encoder
    products = sample_products(40, unseen=True, seed=9)
    pictures = [draw(product, 128, Random(n)) for n, product in enumerate(products)]
    captions = [caption(product, FIELDS, Random(n)) for n, product in enumerate(products)]
    scores = encoder.encode_texts(captions) @ encoder.encode_images(pictures).T
    assert (scores.argmax(1) == range(40)).mean() >= 0.8


def test_dialogues_of_real_people_do_not_break_the_preset(
    demo: DiffusionAugmentedRetriever,
) -> None:
    dialogue = Dialogue.from_text("Hi! I need sth nice for my mum \N{WRAPPED PRESENT}, any ideas??")
    assert len(demo.search(dialogue.say("no no, cheaper"), 3).hits) == 3
