"""What any joint encoder keeps to, whatever encodes its texts and images."""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from langchain_dar import joint_encoder as langchain_encoder
from llama_index.core.embeddings import MultiModalEmbedding
from llama_index_dar import joint_encoder as llama_index_encoder
from PIL import Image

from dar_retriever import (
    ComposedEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EncoderMismatchError,
    FunctionEncoder,
    ImageStore,
    JointEncoder,
    StoredImage,
)
from dar_retriever.encoders import (
    OpenClipEncoder,
    SentenceTransformersEncoder,
    TransformersEncoder,
)
from dar_retriever.query_encoder import DARQueryEncoder

OPEN_CLIP = ["open_clip_vit", "open_clip_siglip"]
TRANSFORMERS = ["clip", "siglip", "siglip2", "siglip2_naflex", "blip"]
SENTENCE_TRANSFORMERS = ["sentence_clip", "sentence_qwen3_vl"]
ADAPTERS = ["functions", "langchain", "llama_index"]
TEXTS = ["a red dress with white dots", "blue?", "the tall green chair, not the low one"]
Checkpoint = Callable[[str], str]


class SomebodysEmbeddings(Embeddings):
    """Embeddings of LangChain that embed images too, as those of providers do."""

    def __init__(self, folder: str) -> None:
        self._encoder = opened_clip(folder)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [list(map(float, 3 * row)) for row in self._encoder.encode_texts(texts)]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        images = [Image.open(uri).convert("RGB") for uri in uris]
        return [list(map(float, 3 * row)) for row in self._encoder.encode_images(images)]


class SomebodysEmbedding(MultiModalEmbedding):
    """A multimodal embedding of LlamaIndex."""

    folder: str

    def _get_query_embedding(self, query: str) -> list[float]:
        return SomebodysEmbeddings(self.folder).embed_query(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_query_embedding(text)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_image_embedding(self, img_file_path: Any) -> list[float]:
        return SomebodysEmbeddings(self.folder).embed_image([img_file_path])[0]

    async def _aget_image_embedding(self, img_file_path: Any) -> list[float]:
        return self._get_image_embedding(img_file_path)


@functools.cache
def opened_clip(folder: str) -> TransformersEncoder:
    return TransformersEncoder(folder, device="cpu")


def of_functions(folder: str) -> JointEncoder:
    source = SomebodysEmbeddings(folder)
    return FunctionEncoder("mine", source.embed_documents, source.embed_image)


def of_langchain(folder: str) -> JointEncoder:
    return langchain_encoder(SomebodysEmbeddings(folder), "mine")


def of_llama_index(folder: str) -> JointEncoder:
    return llama_index_encoder(SomebodysEmbedding(folder=folder), "mine")


def settings_of(name: str, checkpoint: Checkpoint) -> Callable[[], JointEncoder]:
    """What opens an encoder."""
    if name in OPEN_CLIP:
        return partial(OpenClipEncoder, f"local-dir:{checkpoint(name)}", device="cpu")
    if name in TRANSFORMERS:
        return partial(TransformersEncoder, checkpoint(name), device="cpu")
    if name in SENTENCE_TRANSFORMERS:
        return partial(SentenceTransformersEncoder, checkpoint(name), device="cpu")
    adapters = {
        "functions": of_functions,
        "langchain": of_langchain,
        "llama_index": of_llama_index,
    }
    return partial(adapters[name], checkpoint("clip"))


@pytest.fixture(scope="module")
def opened(checkpoint: Checkpoint) -> Callable[[str], JointEncoder]:
    """Opens each encoder once."""
    return functools.cache(lambda name: settings_of(name, checkpoint)())


@pytest.fixture(params=OPEN_CLIP + TRANSFORMERS + SENTENCE_TRANSFORMERS + ADAPTERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def encoder(name: str, opened: Callable[[str], JointEncoder]) -> JointEncoder:
    return opened(name)


def pictures() -> list[Image.Image]:
    """A noisy, a plain and a striped picture, of different shapes."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    stripes = np.zeros((64, 30, 3), np.uint8)
    stripes[::8, :, 2] = 255
    return [Image.fromarray(noise), Image.new("RGB", (64, 30), "red"), Image.fromarray(stripes)]


def assert_unit(vectors: np.ndarray[Any, Any], rows: int, dimension: int) -> None:
    assert vectors.dtype == np.float32
    assert vectors.shape == (rows, dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_texts_and_images_become_float32_unit_vectors(encoder: JointEncoder) -> None:
    assert encoder.name
    assert encoder.fingerprint
    assert_unit(encoder.encode_texts(TEXTS), 3, encoder.dimension)
    assert_unit(encoder.encode_images(pictures()), 3, encoder.dimension)


def test_empty_lists_give_no_rows(encoder: JointEncoder) -> None:
    assert encoder.encode_texts([]).shape == (0, encoder.dimension)
    assert encoder.encode_images([]).shape == (0, encoder.dimension)
    assert encoder.encode_images([]).dtype == np.float32


def test_a_batch_equals_its_items_one_by_one(encoder: JointEncoder) -> None:
    texts = [encoder.encode_texts([text])[0] for text in TEXTS]
    images = [encoder.encode_images([image])[0] for image in pictures()]
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), texts, atol=1e-5)
    np.testing.assert_allclose(encoder.encode_images(pictures()), images, atol=1e-5)


def test_different_inputs_give_different_vectors(encoder: JointEncoder) -> None:
    for vectors in (encoder.encode_texts(TEXTS), encoder.encode_images(pictures())):
        products = vectors @ vectors.T
        assert products[~np.eye(3, dtype=bool)].max() < 0.999
    first, again = encoder.encode_images([pictures()[0]] * 2)
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_tokens_grow_with_the_text(encoder: JointEncoder) -> None:
    assert 0 < encoder.count_tokens("a red dress") < encoder.count_tokens("a red dress, " * 100)
    assert encoder.max_tokens >= 32


def test_threads_do_not_disturb_each_other(encoder: JointEncoder) -> None:
    texts = ["a red mug", "one blue sofa with two long and narrow cushions"]
    alone = [encoder.encode_texts([text])[0] for text in texts]
    counts = [encoder.count_tokens(text) for text in texts]

    def ask(number: int) -> bool:
        which = number % 2
        if number % 3:
            return encoder.count_tokens(texts[which]) == counts[which]
        vector = encoder.encode_texts([texts[which]])[0]
        return np.allclose(vector, alone[which], atol=1e-5)

    # Threads change places as often as they can.
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(200)))
    finally:
        sys.setswitchinterval(before)


def test_its_settings_travel_and_open_the_same(
    name: str, checkpoint: Checkpoint, encoder: JointEncoder
) -> None:
    travelled = pickle.loads(pickle.dumps(settings_of(name, checkpoint)))()  # noqa: S301 (own)
    assert travelled.fingerprint == encoder.fingerprint
    np.testing.assert_allclose(
        travelled.encode_texts(TEXTS), encoder.encode_texts(TEXTS), atol=1e-5
    )


def test_a_store_is_bound_to_it(
    encoder: JointEncoder, tiny_encoder: OpenClipEncoder, tmp_path: Path
) -> None:
    vectors = encoder.encode_images(pictures())
    images = [StoredImage(str(n), vector, f"{n}.jpg") for n, vector in enumerate(vectors)]
    ImageStore.on_disk(tmp_path, encoder).add(images)
    found = ImageStore.on_disk(tmp_path, encoder).search(vectors[1], 1)
    assert [hit.id for hit in found] == ["1"]
    if encoder.fingerprint != tiny_encoder.fingerprint:
        with pytest.raises(EncoderMismatchError):
            ImageStore.on_disk(tmp_path, tiny_encoder)


def test_a_search_runs_with_it(encoder: JointEncoder) -> None:
    store = ImageStore.in_memory(encoder)
    vectors = encoder.encode_images(pictures())
    store.add([StoredImage(str(n), vector, f"{n}.jpg") for n, vector in enumerate(vectors)])
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), store)
    dialogue = Dialogue.from_text("a red dress").say("like this", pictures()[2])
    result = retriever.search(dialogue)
    assert len(result.hits) == 3
    assert result.trace.fallbacks == ()


def test_composed_queries_are_encoded_together_where_the_model_can(encoder: JointEncoder) -> None:
    image = pictures()[0]
    dialogue = Dialogue().say("in blue", image)
    query = DARQueryEncoder(encoder).encode(dialogue)
    if isinstance(encoder, ComposedEncoder) and encoder.composes:
        together = encoder.encode_composed([image], query.trace.caption)
        np.testing.assert_allclose(query.vector, together, atol=1e-5)
        alone = encoder.encode_texts([query.trace.caption])[0]
        assert abs(float(together @ alone)) < 0.999
        assert abs(float(together @ encoder.encode_images([image])[0])) < 0.999
        two = encoder.encode_composed([image, pictures()[1]], "in blue")
        assert two.shape == (encoder.dimension,)
    assert float(np.linalg.norm(query.vector)) == pytest.approx(1, abs=1e-4)
