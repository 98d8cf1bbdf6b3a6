"""Cross-encoders as second stage: BLIP's matching head, sentence-transformers, hits' pictures."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import torch
from PIL import Image

from dar_retriever import (
    BlipMatcher,
    Candidates,
    CrossEncoderReranker,
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    Matcher,
    OpenClipEncoder,
    SecondStage,
    SentenceTransformersMatcher,
    TransformersEncoder,
    ingest,
)
from dar_retriever.errors import InvalidInputError, MissingExtraError, ModelLoadError
from dar_retriever.presets import PRESETS, from_preset

TEXTS = ["a red mug", "two blue dresses with white dots"]
COLOURS = ["red", "blue", "white", "black", "green"]


def pictures() -> list[Image.Image]:
    noise = np.random.default_rng(0)
    return [
        Image.fromarray(noise.integers(0, 255, (40 + n, 50, 3), dtype=np.uint8)) for n in range(18)
    ]


class ByRedness:
    """Scores a picture by how red it is, whatever the text says."""

    name = "by redness"

    def __init__(self) -> None:
        self.texts: list[Sequence[str]] = []

    def match(self, texts: Sequence[str], images: Sequence[Image.Image]) -> np.ndarray:
        self.texts.append(texts)
        red = np.array([image.getpixel((0, 0))[0] for image in images], float)
        # A picture fits a text that names its colour better.
        return np.stack([red + 300 * ("red" in text) * (red > 200) for text in texts])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for colour in COLOURS:
        Image.new("RGB", (32, 32), colour).save(tmp_path / f"{colour}.png")
    return tmp_path


@pytest.fixture
def retriever_with(
    folder: Path, tiny_encoder: OpenClipEncoder
) -> Callable[[Matcher], DiffusionAugmentedRetriever]:
    store = ImageStore.in_memory(tiny_encoder)
    ingest(folder, store, tiny_encoder)

    def opened(matcher: Matcher) -> DiffusionAugmentedRetriever:
        stage = SecondStage(CrossEncoderReranker(matcher))
        return DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store, second_stage=stage)

    return opened


def names(hits: Sequence[object]) -> list[str]:
    return [Path(hit.uri).stem for hit in hits]  # type: ignore[attr-defined]


def test_blip_matches_as_its_own_model_does(checkpoint: Callable[[str], str]) -> None:
    from transformers import AutoProcessor, BlipForImageTextRetrieval

    model = BlipForImageTextRetrieval.from_pretrained(checkpoint("blip")).eval()
    processor = AutoProcessor.from_pretrained(checkpoint("blip"))
    encoder = TransformersEncoder(checkpoint("blip"), device="cpu")
    found = BlipMatcher(encoder).match(TEXTS, pictures())
    for text, row in zip(TEXTS, found, strict=True):
        for image, odds in zip(pictures(), row, strict=True):
            inputs = processor(text=text, images=image, return_tensors="pt")
            with torch.inference_mode():
                chance = model(**inputs).itm_score.softmax(-1)[0, 1].item()
            assert 1 / (1 + np.exp(-odds)) == pytest.approx(chance, abs=1e-5)
    assert found.std(1).min() > 1e-3
    assert BlipMatcher(encoder).match(TEXTS, []).shape == (2, 0)


def test_another_encoder_has_no_matching_head(checkpoint: Callable[[str], str]) -> None:
    clip = TransformersEncoder(checkpoint("clip"), device="cpu")
    with pytest.raises(InvalidInputError, match="of type 'clip' and has no matching head"):
        BlipMatcher(clip)


def test_a_cross_encoder_matches_as_sentence_transformers_does(
    checkpoint: Callable[[str], str],
) -> None:
    from sentence_transformers import CrossEncoder

    folder, some = checkpoint("qwen3_vl_reranker"), pictures()[:3]
    model = CrossEncoder(folder, device="cpu")
    found = SentenceTransformersMatcher(folder, device="cpu", batch_size=2).match(TEXTS, some)
    pairs = [(text, image) for text in TEXTS for image in some]
    expected = model.predict(pairs, convert_to_numpy=True).reshape(2, 3)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), expected, atol=1e-5)
    assert found.std(1).min() > 1e-3
    assert found.std(0).min() > 1e-3


@pytest.mark.parametrize(
    ("name", "why"),
    [("bert_cross_encoder", "reads text and no images"), ("nowhere", "cannot be opened|network")],
)
def test_what_is_no_image_text_cross_encoder_is_refused(
    name: str, why: str, checkpoint: Callable[[str], str]
) -> None:
    model = name if name == "nowhere" else checkpoint(name)
    with pytest.raises(ModelLoadError, match=why):
        SentenceTransformersMatcher(model, device="cpu")


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"dar-retriever\[sentence-transformers\]"):
        SentenceTransformersMatcher("somewhere")


def test_the_pictures_decide_the_order(
    retriever_with: Callable[[Matcher], DiffusionAugmentedRetriever],
) -> None:
    result = retriever_with(ByRedness()).search("a mug")
    assert set(names(result.hits[:2])) == {"red", "white"}
    assert [hit.relevance for hit in result.hits] == [255, 255, 0, 0, 0]


def test_what_is_not_wanted_counts_against_a_picture(
    retriever_with: Callable[[Matcher], DiffusionAugmentedRetriever],
) -> None:
    matcher = ByRedness()
    result = retriever_with(matcher).search("a mug, not red")
    assert matcher.texts == [["a mug", "a mug, red"]]
    assert set(names(result.hits[-2:])) == {"red", "white"}
    assert result.hits[-1].relevance == 255 - 300


def test_a_picture_that_is_gone_comes_last_and_is_reported(
    retriever_with: Callable[[Matcher], DiffusionAugmentedRetriever], folder: Path
) -> None:
    (folder / "red.png").unlink()
    result = retriever_with(ByRedness()).search("a mug")
    assert names(result.hits)[0] == "white"
    assert names(result.hits)[-1] == "red"
    assert any(why.startswith("1 of 5 hits could not be read") for why in result.trace.fallbacks)


def test_without_any_picture_the_order_of_the_search_stands(
    retriever_with: Callable[[Matcher], DiffusionAugmentedRetriever], folder: Path
) -> None:
    for colour in COLOURS:
        (folder / f"{colour}.png").unlink()
    result = retriever_with(ByRedness()).search("a mug")
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    assert any("not re-ranked by by redness" in why for why in result.trace.fallbacks)


def test_where_a_picture_was_shown_the_order_of_the_search_stands(
    retriever_with: Callable[[Matcher], DiffusionAugmentedRetriever], folder: Path
) -> None:
    matcher = ByRedness()
    result = retriever_with(matcher).search(Image.open(folder / "blue.png").convert("RGB"))
    assert names(result.hits)[0] == "blue"
    assert not matcher.texts
    assert not result.trace.fallbacks
    assert "the order of the search stands: by redness reads words alone" in str(
        result.trace.reasons
    )


def test_many_hits_are_read_in_batches(checkpoint: Callable[[str], str], tmp_path: Path) -> None:
    encoder = TransformersEncoder(checkpoint("blip"), device="cpu")
    for number, image in enumerate(pictures()):
        image.save(tmp_path / f"{number}.png")
    store = ImageStore.in_memory(encoder)
    ingest(tmp_path, store, encoder)
    query = DARQueryEncoder(encoder).encode("a red mug")
    hits = store.search(query.vector, k=18)
    reranker = CrossEncoderReranker(BlipMatcher(encoder))
    together = reranker.scores(Candidates(query, hits, store.vectors_of([hit.id for hit in hits])))
    alone = [
        reranker.scores(Candidates(query, [hit], store.vectors_of([hit.id])))[0] for hit in hits
    ]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_paper_preset_reads_its_hits_with_the_weights_it_has(
    checkpoint: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = dataclasses.replace(
        PRESETS["paper"],
        encoder=checkpoint("blip"),
        generator=checkpoint("stable_diffusion"),
        sampling=MappingProxyType({"steps": 1, "guidance": 0.0, "size": (32, 32)}),
    )
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", {"paper": tiny})
    opened = from_preset("paper", device="cpu")
    assert opened.second_stage is not None
    assert opened.second_stage.reranker.name.endswith("(matching head)")


def test_the_best_preset_reads_its_hits_with_a_cross_encoder(
    checkpoint: Callable[[str], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = dataclasses.replace(
        PRESETS["best"],
        encoder=checkpoint("sentence_qwen3_vl"),
        generator=checkpoint("stable_diffusion"),
        reranker=checkpoint("qwen3_vl_reranker"),
        sampling=MappingProxyType({"steps": 1, "guidance": 0.0, "size": (32, 32)}),
    )
    monkeypatch.setattr("dar_retriever.presets.data.PRESETS", {"best": tiny})
    opened = from_preset("best", device="cpu")
    encoder = opened.query_encoder.encoder
    ingest(folder, opened.store, encoder)
    hits = opened.search("a red mug").hits
    matcher = SentenceTransformersMatcher(checkpoint("qwen3_vl_reranker"), device="cpu")
    expected = matcher.match(["a red mug"], [hit.open() for hit in hits])[0]
    np.testing.assert_allclose([hit.relevance for hit in hits], expected, atol=1e-4)
    assert list(expected) == sorted(expected, reverse=True)


def test_at_least_one_hit_is_read() -> None:
    with pytest.raises(InvalidInputError, match="depth=0"):
        CrossEncoderReranker(ByRedness(), depth=0)
