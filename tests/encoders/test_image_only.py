"""Encoders of images alone, and the second view of the hits that they give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import drawn_image
from PIL import Image

from dar_retriever import (
    Dialogue,
    DiffusionAugmentedRetriever,
    ImageOnlyEncoder,
    ImageStore,
    InvalidInputError,
    ModelLoadError,
    OpenClipEncoder,
    SecondStage,
    SecondViewReranker,
    ingest,
)
from dar_retriever.generation import StoredImageGenerator
from dar_retriever.query_encoder import DARQueryEncoder

Checkpoint = Callable[[str], str]


@pytest.fixture(params=["dinov2", "dinov3"])
def encoder(request: pytest.FixtureRequest, checkpoint: Checkpoint) -> ImageOnlyEncoder:
    return ImageOnlyEncoder(checkpoint(request.param), device="cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        drawn_image(f"thing {number}", 0).resize((48, 48)).save(folder / f"{number}.png")
    return folder


def pictures(folder: Path) -> list[Image.Image]:
    return [Image.open(file).convert("RGB") for file in sorted(folder.glob("*.png"))]


def test_images_become_unit_vectors_of_their_own_model(
    encoder: ImageOnlyEncoder, photos: Path
) -> None:
    vectors = encoder.encode_images(pictures(photos))
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (vectors @ vectors.T)[~np.eye(6, dtype=bool)].max() < 0.9999
    alone = [encoder.encode_images([each])[0] for each in pictures(photos)]
    np.testing.assert_allclose(vectors, alone, atol=1e-5)
    assert encoder.encode_images([]).shape == (0, encoder.dimension)


def test_models_that_read_words_are_refused(checkpoint: Checkpoint) -> None:
    for name in ("clip", "bert"):
        with pytest.raises(ModelLoadError, match="no image-only transformer"):
            ImageOnlyEncoder(checkpoint(name))


def test_generated_images_order_the_hits_by_a_second_vector(
    checkpoint: Checkpoint, photos: Path, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    viewer = ImageOnlyEncoder(checkpoint("dinov2"), device="cpu")
    store = ImageStore.on_disk(tmp_path / "store", tiny_encoder)
    second = ImageStore.on_disk(tmp_path / "store", viewer, "view")
    ingest(photos, store, tiny_encoder)
    ingest(photos, second, viewer)
    drawings = tmp_path / "drawings"
    drawings.mkdir()
    (drawings / "7_0.png").write_bytes((photos / "4.png").read_bytes())
    generator = StoredImageGenerator(drawings, "{dialogue_id}_{round}.png")
    queries = DARQueryEncoder(tiny_encoder, generator, images_per_turn=1)
    stage = SecondStage(SecondViewReranker(viewer, second, weight=100))
    retriever = DiffusionAugmentedRetriever(queries, store, second_stage=stage)

    result = retriever.search(Dialogue.from_text("anything", id="7"))
    assert result.trace.fallbacks == ()
    assert result.hits[0].file_name == "4.png"
    # Without a drawing the order of the search stands.
    plain = DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store).search("anything")
    queries.images_per_turn = 0
    assert [hit.id for hit in retriever.search("anything").hits] == [hit.id for hit in plain.hits]
    # A picture that is not in the second store yet costs nothing.
    second.delete([result.hits[0].id])
    queries.images_per_turn = 1
    again = retriever.search(Dialogue.from_text("anything", id="7"))
    assert len(again.hits) == 6
    assert again.trace.fallbacks == ()


def test_settings_without_sense_are_refused(tiny_encoder: OpenClipEncoder) -> None:
    store = ImageStore.in_memory(tiny_encoder)
    for wrong in ({"weight": -1.0}, {"weight": float("nan")}, {"depth": 0}):
        with pytest.raises(InvalidInputError, match="weight="):
            SecondViewReranker(tiny_encoder, store, **wrong)  # type: ignore[arg-type]
