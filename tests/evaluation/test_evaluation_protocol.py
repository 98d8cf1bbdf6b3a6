from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BlankGenerator, DrawingGenerator, FailingGenerator, PickyEncoder, drawn_image
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.gallery import picture_name
from dar_retriever.encoders import ImageOnlyEncoder, JointEncoder, OpenClipEncoder, Vectors
from dar_retriever.errors import (
    GenerationError,
    InvalidImageError,
    InvalidInputError,
    ModelLoadError,
)
from dar_retriever.evaluation.datasets import Case, Dataset, load_dataset
from dar_retriever.evaluation.methods import METHODS, Method, method
from dar_retriever.evaluation.metrics import recall_at
from dar_retriever.evaluation.models import preset_models
from dar_retriever.evaluation.protocol import encode, evaluate
from dar_retriever.evaluation.ranking import PoolNeighbours, target_ranks, top
from dar_retriever.evaluation.row_cache import RowCache, Rows
from dar_retriever.evaluation.values import Evaluation, Models, ModelsOf, Outcome
from dar_retriever.fusion import (
    AdaptiveFusion,
    BoundedExclusion,
    Calibration,
    NoExclusion,
    UncertaintySpending,
    paper_schedule,
)
from dar_retriever.generation import GeneratedImage, ImageRequest, StoredImageGenerator
from dar_retriever.ingest import ingest
from dar_retriever.presets import from_preset
from dar_retriever.query_encoder import DARQueryEncoder
from dar_retriever.reformulation import JoinedTurns
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.image_store import ImageStore

# Published files; they lie beside a checkout where the project is developed, never in it.
PUBLISHED = Path(__file__).parents[3] / "shared" / "data"
needs_published = pytest.mark.skipif(
    not (PUBLISHED / "search_space_val_50k.json").is_file(),
    reason=f"the published benchmark files are not in {PUBLISHED}",
)

POOL = 24
ROUNDS = 4
DIALOGUES = [
    ["a red dress", "is it striped? yes", "any people? no", "which shoes? none"],
    ["a blue hat", "what size? large", "no, the green one", "any dots? white dots"],
    # Neither a question nor an answer that says anything, to begin with and later.
    ["hm", "not sure", "a bag? yes, a bag", "what colour? grey"],
    ["a shirt with short sleeves", "is it plain? no", "checked? yes", "what colour? orange"],
    ["something warm for the winter", "a coat? yes", "long? no", "not black"],
    ["yellow boots", "leather? i can't tell", "laces? yes", "make it brown"],
]
TURNS = len(DIALOGUES) * ROUNDS
TARGETS = [3, 17, 0, 23, 8, 12]
# What ranks by a query; the ceiling does not.
SPECS = [
    # The demo's second stage and prior know vectors of its own encoder alone.
    *(name for name in METHODS if name not in {"ceiling", "prior", "reranked"}),
    "weights:0.7/0.3",
    "weights:0.9/0.1,0.2/0.8",
]


class CountingEncoder:
    """The encoder given, which counts what it encodes; another fingerprint where one is told."""

    def __init__(self, encoder: OpenClipEncoder, fingerprint: str = "") -> None:
        self._encoder = encoder
        self.fingerprint = fingerprint or encoder.fingerprint
        self.texts: list[str] = []
        self.images = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        self.texts += texts
        return self._encoder.encode_texts(texts)

    def encode_images(self, images: Sequence[Image.Image]) -> Any:
        self.images += len(images)
        return self._encoder.encode_images(images)


class MirroringEncoder(CountingEncoder):
    """Another space: every vector the other way round."""

    def encode_texts(self, texts: Sequence[str]) -> Any:
        return super().encode_texts(texts)[:, ::-1].copy()

    def encode_images(self, images: Sequence[Image.Image]) -> Any:
        return super().encode_images(images)[:, ::-1].copy()


class HeedingGenerator(DrawingGenerator):
    """Draws something else where something is ruled out."""

    fingerprint = "heeding"

    def _image(self, request: ImageRequest) -> Image.Image:
        return drawn_image(f"{request.prompt} without {request.negative_prompt}", request.seed)


class StoppingGenerator(DrawingGenerator):
    """Is stopped at the call that it is told, counted from 0."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        if len(self.calls) == self._at:
            raise KeyboardInterrupt
        return super().generate(requests)


def requests_to(generator: DrawingGenerator) -> list[ImageRequest]:
    return list(itertools.chain(*generator.calls))


@pytest.fixture(scope="session")
def dataset(gallery_folder: Path) -> Dataset:
    """Six dialogues of four rounds over the gallery's first pictures."""
    dialogues = [Dialogue.from_visdial(d, str(n)) for n, d in enumerate(DIALOGUES)]
    cases = tuple(
        Case(dialogue.id, target, tuple(dialogue.at_round(n) for n in range(ROUNDS)))
        for dialogue, target in zip(dialogues, TARGETS, strict=True)
    )
    return Dataset("small", cases, tuple(map(picture_name, range(POOL))), gallery_folder)


@pytest.fixture(scope="session")
def whole(dataset: Dataset) -> Dataset:
    """Two rounds of whole queries."""
    cases = tuple(
        Case(str(n), n, tuple(Dialogue.from_text(text, str(n)) for text in texts))
        for n, texts in enumerate([["No hat, please", "a hat"], ["is it red? yes", "a red dress"]])
    )
    return dataclasses.replace(dataset, cases=cases, whole_queries=True)


def opens(models: Models) -> ModelsOf:
    return lambda preset_name, *, draws: models


def methods_of(*specs: str) -> list[Method]:
    return [method(spec, "demo") for spec in specs]


def run(dataset: Dataset, folder: Path, models: Models, *specs: str, **options: Any) -> Evaluation:
    return evaluate(dataset, methods_of(*specs), opens(models), folder, **options)


def outcome_of(
    dataset: Dataset, folder: Path, models: Models, spec: str, **options: Any
) -> Outcome:
    (outcome,) = run(dataset, folder, models, spec, **options).outcomes
    return outcome


def stored(dataset: Dataset, encoder: JointEncoder) -> Vectors:
    """The vectors that a store would hold, in the order of the pool."""
    store = ImageStore.in_memory(encoder)
    paths = [dataset.path(place) for place in range(len(dataset.pool))]
    assert ingest(paths, store, encoder).added == len(paths)
    ids, vectors = store.vectors()
    by_name = {
        Path(hit.uri).name: vector for hit, vector in zip(store.get(ids), vectors, strict=True)
    }
    return np.stack([by_name[path.name] for path in paths])


def product_of(dataset: Dataset, models: Models, chosen: Method, seed: int = 0) -> DARQueryEncoder:
    """What a user has who runs a method on the same models."""
    calibration = Calibration(PoolNeighbours(stored(dataset, models.encoder)))
    return DARQueryEncoder(
        models.encoder,
        models.generator if chosen.draws else None,
        reformulator=JoinedTurns() if chosen.joined else None,
        fusion=chosen.fusion(calibration),
        spending=chosen.spending(calibration) if chosen.spending else None,
        exclusion=BoundedExclusion(calibration) if chosen.excludes else NoExclusion(),
        images_per_turn=models.images_per_turn,
        seed=seed,
        negative_prompts=models.negative_prompts,
    )


def products_queries(dataset: Dataset, product: DARQueryEncoder) -> np.ndarray:
    return np.array(
        [[product.encode(state).vector for state in case.rounds] for case in dataset.cases]
    )


def unit(random: np.random.Generator, count: int, dimension: int) -> np.ndarray:
    vectors = random.standard_normal((count, dimension), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# The evaluation measures what the product does.


@pytest.mark.parametrize("negative_prompts", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_a_methods_queries_are_the_query_encoders(
    tiny_encoder: OpenClipEncoder,
    dataset: Dataset,
    tmp_path: Path,
    spec: str,
    negative_prompts: bool,  # noqa: FBT001
):
    models = Models(tiny_encoder, HeedingGenerator(), 3, negative_prompts)

    outcome = outcome_of(dataset, tmp_path, models, spec, seed=5)

    assert outcome.queries.shape == (len(DIALOGUES), ROUNDS, tiny_encoder.dimension)
    expected = products_queries(dataset, product_of(dataset, models, outcome.method, seed=5))
    np.testing.assert_allclose(outcome.queries, expected, atol=1e-5)


@pytest.mark.parametrize("negative_prompts", [False, True])
def test_the_generator_is_asked_as_by_the_query_encoder(
    tiny_encoder: OpenClipEncoder,
    dataset: Dataset,
    tmp_path: Path,
    negative_prompts: bool,  # noqa: FBT001
):
    models = Models(tiny_encoder, DrawingGenerator(), 2, negative_prompts)
    by_product = dataclasses.replace(models, generator=DrawingGenerator())

    outcome = outcome_of(dataset, tmp_path, models, "dar", seed=40)
    products_queries(dataset, product_of(dataset, by_product, outcome.method, seed=40))

    asked = requests_to(models.generator)
    assert asked == requests_to(by_product.generator)
    assert len(asked) == TURNS * 2
    assert any(request.negative_prompt for request in asked) == negative_prompts


def test_captions_are_the_query_encoders(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, None, 0)
    product = DARQueryEncoder(tiny_encoder)

    joined, text = run(dataset, tmp_path, models, "joined", "text").outcomes

    assert text.captions == tuple(
        tuple(product.encode(state).trace.caption for state in case.rounds)
        for case in dataset.cases
    )
    assert text.captions[0] == ("a red dress", *["a red dress, striped"] * 3)
    # The words themselves, where they say nothing.
    assert text.captions[2][:2] == ("hm", "hm not sure")
    assert joined.captions[0][:2] == ("a red dress", "a red dress, is it striped?, yes")


def test_dar_is_the_papers_schedule(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, DrawingGenerator(), 2)

    outcome = outcome_of(dataset, tmp_path, models, "dar")

    for captions, queries in zip(outcome.captions, outcome.queries, strict=True):
        texts = tiny_encoder.encode_texts(captions)
        for n, (caption, query) in enumerate(zip(captions, queries, strict=True)):
            images = tiny_encoder.encode_images([drawn_image(caption, seed) for seed in range(2)])
            text_weight, image_weight = (0.8, 0.2) if n < 2 else (0.5, 0.5)
            expected = text_weight * texts[n] + image_weight * images.mean(axis=0)
            np.testing.assert_allclose(query, expected, atol=1e-5)
            fused = paper_schedule().fuse(texts[n], images, n)
            np.testing.assert_allclose(query, fused.vector, atol=1e-5)


def test_ranks_are_places_among_the_products_hits(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, DrawingGenerator(), 2)
    outcome = outcome_of(dataset, tmp_path, models, "dar")
    store = ImageStore.in_memory(tiny_encoder)
    assert ingest([dataset.path(place) for place in range(POOL)], store, tiny_encoder).added == POOL
    retriever = DiffusionAugmentedRetriever(product_of(dataset, models, outcome.method), store)

    for case, ranks in zip(dataset.cases, outcome.ranks, strict=True):
        for state, rank in zip(case.rounds, ranks, strict=True):
            hits = retriever.search(state, k=POOL).hits
            scores = {Path(hit.uri).name: hit.score for hit in hits}
            own = scores[dataset.pool[case.target]]
            # Where scores are as close as this, either order is right.
            best = sum(score > own + 1e-5 for score in scores.values()) + 1
            worst = sum(score > own - 1e-5 for score in scores.values())
            assert best <= rank <= worst


def test_the_demo_presets_queries_are_measured(dataset: Dataset, tmp_path: Path):
    small = dataclasses.replace(dataset, cases=dataset.cases[:1])
    models_of = preset_models(tmp_path, device="cpu")

    (outcome,) = evaluate(small, methods_of("adaptive"), models_of, tmp_path / "encodings").outcomes

    opened = from_preset("demo", device="cpu", cache_folder=tmp_path / "generated")
    product = opened.query_encoder
    pictures = [dataset.path(place) for place in range(POOL)]
    assert ingest(pictures, opened.store, product.encoder).added == POOL
    assert product.generator.fingerprint == outcome.generator
    expected = products_queries(small, product)
    np.testing.assert_allclose(outcome.queries, expected, atol=1e-5)
    assert all(image.cached for image in product.encode(small.cases[0].rounds[-1]).trace.generated)
    assert outcome.undrawn == 0


# What an evaluation holds.


def test_outcomes_are_in_the_order_asked_for(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    generator = DrawingGenerator()
    specs = ["dar", "joined", "weights:0.7/0.3", "text", "images"]

    evaluation = run(dataset, tmp_path, Models(tiny_encoder, generator, 2), *specs, seed=3)

    assert [outcome.method.name for outcome in evaluation.outcomes] == specs
    assert evaluation.dataset is dataset
    assert evaluation.seed == 3
    for outcome in evaluation.outcomes:
        assert outcome.ranks.shape == (len(DIALOGUES), ROUNDS)
        assert outcome.ranks.min() >= 1
        assert outcome.ranks.max() <= POOL
        assert outcome.encoder == tiny_encoder.fingerprint
        assert outcome.generator == (generator.fingerprint if outcome.method.draws else "")
        assert outcome.undrawn == 0
        steps = {"reformulate", "encode", "rank"} | (
            {"generate"} if outcome.method.draws else set()
        )
        assert set(outcome.seconds) == steps
        assert all(seconds >= 0 for seconds in outcome.seconds.values())


def test_the_pool_is_encoded_in_its_order(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    evaluation = run(dataset, tmp_path, Models(tiny_encoder, None, 0), "text")

    expected = stored(dataset, tiny_encoder)
    np.testing.assert_allclose(evaluation.pools["demo"], expected, atol=1e-5)
    (outcome,) = evaluation.outcomes
    for case, queries, ranks in zip(dataset.cases, outcome.queries, outcome.ranks, strict=True):
        targets = np.full(ROUNDS, case.target)
        expected = target_ranks(queries, evaluation.pools["demo"], targets)
        np.testing.assert_array_equal(ranks, expected)


def test_each_step_tells_its_progress(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    told: dict[str, list[tuple[int, int]]] = {}

    def progress(step: str) -> Any:
        calls = told.setdefault(step, [])
        return lambda done, total: calls.append((done, total))

    run(dataset, tmp_path, Models(tiny_encoder, DrawingGenerator(), 2), "dar", progress=progress)

    assert told == {
        "Encoding the pool": [(POOL, POOL)],
        "Encoding the texts": [(TURNS, TURNS)],
        "Generating": [(8, TURNS), (16, TURNS), (24, TURNS)],
        "Ranking: dar": [(TURNS, TURNS)],
    }


def test_presets_are_tried_side_by_side(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    plain = CountingEncoder(tiny_encoder)
    mirroring = MirroringEncoder(tiny_encoder, "mirroring")
    opened: list[tuple[str, bool]] = []

    def models_of(preset_name: str, *, draws: bool) -> Models:
        opened.append((preset_name, draws))
        encoder = {"demo": plain, "paper": mirroring}[preset_name]
        return Models(encoder, DrawingGenerator() if draws else None, 2)

    evaluation = evaluate(dataset, methods_of("text", "text@paper", "dar"), models_of, tmp_path)

    text, mirrored, dar = evaluation.outcomes
    # Each once, with a generator only where some method of the preset needs one.
    assert opened == [("demo", True), ("paper", False)]
    assert [outcome.encoder for outcome in evaluation.outcomes] == [
        tiny_encoder.fingerprint,
        "mirroring",
        tiny_encoder.fingerprint,
    ]
    assert evaluation.models["paper"].encoder is mirroring
    np.testing.assert_array_equal(evaluation.pools["paper"], evaluation.pools["demo"][:, ::-1])
    np.testing.assert_array_equal(mirrored.queries, text.queries[..., ::-1])
    np.testing.assert_array_equal(mirrored.ranks, text.ranks)
    assert (text.generator, mirrored.generator, dar.generator) == ("", "", "drawing")
    assert plain.images == POOL + TURNS * 2
    assert mirroring.images == POOL


def test_seeds_change_the_drawings(tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path):
    generator = DrawingGenerator()
    models = Models(tiny_encoder, generator, 2)

    text, first = run(dataset, tmp_path, models, "text", "images").outcomes
    same_text, other = run(dataset, tmp_path, models, "text", "images", seed=100).outcomes

    np.testing.assert_array_equal(text.queries, same_text.queries)
    assert (np.abs(first.queries - other.queries).max(axis=-1) > 1e-3).all()
    assert {request.seed for request in requests_to(generator)} == {0, 1, 100, 101}


@pytest.mark.parametrize("unreadable", ["missing", "no image"])
def test_a_picture_of_the_pool_that_cannot_be_read_is_named(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path, unreadable: str
):
    if unreadable == "no image":
        (tmp_path / "broken.jpg").write_text("this is no picture")
    pool = (*(str(dataset.root / name) for name in dataset.pool), str(tmp_path / "broken.jpg"))
    broken = dataclasses.replace(dataset, pool=pool)

    with pytest.raises(InvalidImageError, match=r"broken\.jpg"):
        run(broken, tmp_path / "encodings", Models(tiny_encoder, None, 0), "text")


# What was done is not done again.


def test_a_second_run_encodes_and_draws_nothing(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    encoder, generator = CountingEncoder(tiny_encoder), DrawingGenerator()
    first = run(dataset, tmp_path, Models(encoder, generator, 2), *SPECS)
    assert encoder.images == POOL + TURNS * 2
    # The captions, joined and rewritten, and the exclusions in their context.
    made = {
        caption for outcome in first.outcomes for turns in outcome.captions for caption in turns
    }
    assert made < set(encoder.texts)
    assert len(requests_to(generator)) == TURNS * 2

    encoder, generator = CountingEncoder(tiny_encoder), DrawingGenerator()
    second = run(dataset, tmp_path, Models(encoder, generator, 2), *SPECS)

    assert encoder.images == 0
    assert encoder.texts == []
    assert generator.calls == []
    for before, after in zip(first.outcomes, second.outcomes, strict=True):
        np.testing.assert_array_equal(before.queries, after.queries)
        np.testing.assert_array_equal(before.ranks, after.ranks)
        assert before.seconds["encode"] == after.seconds["encode"]
        assert before.seconds.get("generate") == after.seconds.get("generate")


def test_a_run_that_was_stopped_while_drawing_goes_on(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    stopping = StoppingGenerator(at=2)
    with pytest.raises(KeyboardInterrupt):
        run(dataset, tmp_path / "stopped", Models(tiny_encoder, stopping, 2), "dar")
    assert len(stopping.calls) == 2

    encoder, generator = CountingEncoder(tiny_encoder), DrawingGenerator()
    gone_on = outcome_of(dataset, tmp_path / "stopped", Models(encoder, generator, 2), "dar")

    at_once = DrawingGenerator()
    expected = outcome_of(dataset, tmp_path / "at_once", Models(tiny_encoder, at_once, 2), "dar")
    assert requests_to(stopping) + requests_to(generator) == requests_to(at_once)
    assert encoder.texts == []
    assert encoder.images == len(requests_to(generator))
    np.testing.assert_array_equal(gone_on.queries, expected.queries)


def test_another_method_draws_nothing_new(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    run(dataset, tmp_path, Models(tiny_encoder, DrawingGenerator(), 2), "dar")

    encoder, generator = CountingEncoder(tiny_encoder), DrawingGenerator()
    run(dataset, tmp_path, Models(encoder, generator, 2), "images", "weights:1/9", "joined")

    assert generator.calls == []
    assert encoder.images == 0
    # Only the joined turns are new.
    assert len(encoder.texts) == TURNS


def test_a_second_view_orders_the_best_images_anew(
    tiny_encoder: OpenClipEncoder,
    dataset: Dataset,
    tmp_path: Path,
    checkpoint: Callable[[str], str],
):
    generator, folder = DrawingGenerator(), checkpoint("dinov2")
    models = Models(tiny_encoder, generator, 2)
    plain, viewed = run(dataset, tmp_path, models, "adaptive", f"view:{folder}").outcomes

    np.testing.assert_array_equal(viewed.queries, plain.queries)
    viewer = ImageOnlyEncoder(folder)
    shown = requests_to(generator)[2 * TURNS :]
    drawn = viewer.encode_images([drawn_image(each.prompt, each.seed) for each in shown])
    drawn = drawn.reshape(TURNS, 2, -1).mean(1)
    second = drawn @ stored(dataset, viewer).T
    first = plain.queries.reshape(TURNS, -1) @ stored(dataset, tiny_encoder).T
    fused = sum(
        weight * (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)
        for weight, scores in ((1, first), (0.1, second))
    )
    targets = np.repeat(TARGETS, ROUNDS)
    own = np.take_along_axis(fused, targets[:, None], 1)
    np.testing.assert_array_equal(viewed.ranks.ravel(), (fused >= own).sum(1))


@pytest.mark.parametrize("other", ["encoder", "generator", "number"])
def test_other_models_draw_anew(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path, other: str
):
    run(dataset, tmp_path, Models(tiny_encoder, DrawingGenerator(), 2), "dar")
    encoder = CountingEncoder(tiny_encoder, "another" if other == "encoder" else "")
    generator = HeedingGenerator() if other == "generator" else DrawingGenerator()
    number = 3 if other == "number" else 2

    run(dataset, tmp_path, Models(encoder, generator, number), "dar")

    assert len(requests_to(generator)) == TURNS * number
    assert len(encoder.texts) == (TURNS if other == "encoder" else 0)


def test_another_pool_of_the_same_names_is_encoded_anew(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    for name in dataset.pool:
        drawn_image(name, 0).save(tmp_path / name)
    other = dataclasses.replace(dataset, root=tmp_path)
    run(dataset, tmp_path / "encodings", Models(tiny_encoder, None, 0), "text")
    encoder = CountingEncoder(tiny_encoder)

    evaluation = run(other, tmp_path / "encodings", Models(encoder, None, 0), "text")

    assert encoder.images == POOL
    expected = stored(other, tiny_encoder)
    np.testing.assert_allclose(evaluation.pools["demo"], expected, atol=1e-5)


# Images that cannot be had.


@pytest.mark.parametrize(
    "generator",
    [BlankGenerator(), FailingGenerator(GenerationError("out of memory"))],
    ids=["blank", "failing"],
)
@pytest.mark.parametrize("spec", ["dar", "images"])
def test_without_an_image_the_text_alone_counts(
    tiny_encoder: OpenClipEncoder,
    dataset: Dataset,
    tmp_path: Path,
    generator: DrawingGenerator,
    spec: str,
):
    models = Models(tiny_encoder, generator, 2)

    text, drawing = run(dataset, tmp_path, models, "text", spec).outcomes

    assert (text.undrawn, drawing.undrawn) == (0, TURNS)
    np.testing.assert_array_equal(drawing.queries, text.queries)
    np.testing.assert_array_equal(drawing.ranks, text.ranks)


def test_a_turn_with_some_blank_images_is_drawn(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, BlankGenerator(0, 2), 4)

    outcome = outcome_of(dataset, tmp_path, models, "dar")

    assert outcome.undrawn == 0
    expected = products_queries(dataset, product_of(dataset, models, outcome.method))
    np.testing.assert_allclose(outcome.queries, expected, atol=1e-5)


def test_an_image_without_a_finite_vector_counts_nothing(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    spoilt = [drawn_image("a red dress", 0), drawn_image("yellow boots", 0)]
    spoilt.append(drawn_image("yellow boots", 1))
    picky = PickyEncoder(tiny_encoder, lambda image: image in spoilt)
    models = Models(picky, DrawingGenerator(), 2)

    outcome = outcome_of(dataset, tmp_path, models, "dar")

    assert outcome.undrawn == outcome.captions[-1].count("yellow boots") >= 1
    assert np.isfinite(outcome.queries).all()
    expected = products_queries(dataset, product_of(dataset, models, outcome.method))
    np.testing.assert_allclose(outcome.queries, expected, atol=1e-5)


def test_an_error_that_generation_does_not_foresee_stops_the_run(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, FailingGenerator(RuntimeError("a bug")), 2)

    with pytest.raises(RuntimeError, match="a bug"):
        run(dataset, tmp_path, models, "dar")


def test_images_that_were_generated_beforehand_are_taken(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    folder = tmp_path / "generated"
    folder.mkdir()
    for case, n in itertools.product(dataset.cases, range(ROUNDS)):
        drawn_image(f"{case.id} {n}", 0).save(folder / f"{case.id}_{n}.jpg")
    (folder / "4_2.jpg").unlink()
    (folder / "5_0.jpg").write_text("this is no picture")
    models = Models(tiny_encoder, StoredImageGenerator(folder), 1)

    text, dar = run(dataset, tmp_path / "encodings", models, "text", "dar").outcomes

    assert dar.undrawn == 2
    alone = (np.abs(dar.queries - text.queries) < 1e-6).all(axis=-1)
    assert np.argwhere(alone).tolist() == [[4, 2], [5, 0]]
    image = tiny_encoder.encode_images([Image.open(folder / "1_3.jpg")])[0]
    expected = 0.5 * text.queries[1, 3] + 0.5 * image
    np.testing.assert_allclose(dar.queries[1, 3], expected, atol=1e-5)
    expected = products_queries(dataset, product_of(dataset, models, dar.method))
    np.testing.assert_allclose(dar.queries, expected, atol=1e-5)


# Whole queries.


def test_whole_queries_are_searched_with_as_they_are(
    tiny_encoder: OpenClipEncoder, whole: Dataset, tmp_path: Path
):
    generator = DrawingGenerator()

    text, dar = run(whole, tmp_path, Models(tiny_encoder, generator, 1), "text", "dar").outcomes

    said = (("No hat, please", "a hat"), ("is it red? yes", "a red dress"))
    assert text.captions == dar.captions == said
    requests = requests_to(generator)
    assert [(r.prompt, r.negative_prompt) for r in requests] == [(t, "") for s in said for t in s]
    assert [(r.dialogue_id, r.round) for r in requests] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]
    for n, texts in enumerate(said):
        np.testing.assert_allclose(text.queries[n], tiny_encoder.encode_texts(texts), atol=1e-5)


def test_the_weights_of_whole_queries_are_their_rounds(
    tiny_encoder: OpenClipEncoder, whole: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, DrawingGenerator(), 1)

    text, images, both = run(
        whole, tmp_path, models, "text", "images", "weights:1/0,0.25/0.75"
    ).outcomes

    np.testing.assert_allclose(both.queries[:, 0], text.queries[:, 0], atol=1e-6)
    expected = 0.25 * text.queries[:, 1] + 0.75 * images.queries[:, 1]
    np.testing.assert_allclose(both.queries[:, 1], expected, atol=1e-6)


def test_whole_queries_are_not_joined(
    tiny_encoder: OpenClipEncoder, whole: Dataset, tmp_path: Path
):
    encoder = CountingEncoder(tiny_encoder)

    with pytest.raises(InvalidInputError, match="leave the method 'joined' out"):
        run(whole, tmp_path, Models(encoder, None, 0), "text", "joined")
    assert encoder.texts == []


# The presets' models.


def test_a_generator_is_only_opened_where_something_is_drawn(tmp_path: Path):
    models = preset_models(tmp_path, device="cpu")("demo", draws=False)

    assert models.generator is None
    assert not (tmp_path / "generated").exists()


def test_images_generated_beforehand_take_the_generators_place(tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()

    models = preset_models(tmp_path, generated=folder, device="cpu")("demo", draws=True)

    assert isinstance(models.generator, StoredImageGenerator)
    assert models.images_per_turn == 1


def test_a_folder_of_generated_images_has_to_be_there(tmp_path: Path):
    with pytest.raises(ModelLoadError, match="nowhere"):
        preset_models(tmp_path, generated=tmp_path / "nowhere")


# Methods.


@pytest.mark.parametrize(
    ("spec", "joined", "draws", "weights"),
    [
        ("joined", True, False, [(1, 0)]),
        ("text", False, False, [(1, 0)]),
        ("images", False, True, [(0, 1)]),
        ("dar", False, True, [(0.8, 0.2), (0.8, 0.2), (0.5, 0.5)]),
        ("weights:0.7/0.3", False, True, [(0.7, 0.3)]),
        ("weights:0.8/0.2,0.5/0.5", False, True, [(0.8, 0.2), (0.5, 0.5)]),
        ("weights: 2 / 1 , 0/1e-1", False, True, [(2, 1), (0, 0.1)]),
    ],
)
def test_a_method_is_made_of_its_name(
    spec: str,
    joined: bool,  # noqa: FBT001
    draws: bool,  # noqa: FBT001
    weights: list[tuple[float, float]],
):
    made = method(spec, "demo")

    assert (made.name, made.joined, made.draws, made.preset) == (spec, joined, draws, "demo")
    text, images = np.float32([1, 0]), np.float32([[0, 1]])
    # The last pair holds from there on.
    for n, pair in enumerate([*weights, weights[-1], weights[-1]]):
        fusion = made.fusion(Calibration(PoolNeighbours(images)))
        np.testing.assert_allclose(fusion.fuse(text, images, n).vector, pair)
    assert made.spending is None


def test_adaptive_methods_weigh_by_the_pool_and_one_of_them_spends_by_it():
    adaptive, sparing = methods_of("adaptive", "sparing")
    calibration = Calibration(PoolNeighbours(unit(np.random.default_rng(0), 30, 8)))

    assert adaptive.spending is None
    assert isinstance(sparing.spending(calibration), UncertaintySpending)
    for made in (adaptive, sparing):
        assert (made.joined, made.draws) == (False, True)
        assert isinstance(made.fusion(calibration), AdaptiveFusion)


def test_denials_count_in_some_methods():
    chosen = methods_of("joined", "text", "excluding", "dar", "adaptive", "sparing")

    assert [made.excludes for made in chosen] == [False, False, True, False, True, True]
    assert not chosen[2].draws


def test_images_are_counted_once_for_a_dialogue(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, DrawingGenerator(), 3)

    text, dar, sparing = run(dataset, tmp_path, models, "text", "dar", "sparing").outcomes

    assert not text.images.any()
    for captions, images in zip(dar.captions, dar.images, strict=True):
        asked: set[str] = set()
        for caption, count in zip(captions, images, strict=True):
            assert count == (0 if caption in asked else 3)
            asked.add(caption)
    assert (sparing.images <= dar.images).all()
    assert sparing.images.sum() < dar.images.sum()
    assert sparing.seconds["generate"] < dar.seconds["generate"]


def test_a_data_set_is_encoded_for_ones_own_fusions(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    models = Models(tiny_encoder, BlankGenerator(0), 2)

    text, dar = run(dataset, tmp_path, models, "text", "dar").outcomes
    calls = len(models.generator.calls)
    encodings = encode(dataset, models, tmp_path)

    assert len(models.generator.calls) == calls
    np.testing.assert_array_equal(encodings.texts, text.queries)
    assert encodings.drawn.shape == (len(DIALOGUES), ROUNDS, 2, tiny_encoder.dimension)
    assert np.isnan(encodings.drawn[:, :, 0]).all()
    schedule = np.array([[0.8, 0.2], [0.8, 0.2], [0.5, 0.5], [0.5, 0.5]])[None, :, :, None]
    expected = schedule[:, :, 0] * encodings.texts + schedule[:, :, 1] * encodings.drawn[:, :, 1]
    np.testing.assert_allclose(dar.queries, expected, atol=1e-5)
    np.testing.assert_array_equal(encodings.targets, TARGETS)
    np.testing.assert_array_equal(encodings.new, dar.images > 0)
    ranks = target_ranks(encodings.texts[:, 1], encodings.pool, encodings.targets)
    np.testing.assert_array_equal(ranks, text.ranks[:, 1])


@pytest.mark.parametrize("spec", [*(m for m in METHODS if m != "prior"), "weights:0.8/0.2,0.5/0.5"])
def test_a_method_may_name_its_preset(spec: str):
    made = method(f"{spec}@paper", "demo")

    assert (made.name, made.preset) == (f"{spec}@paper", "paper")
    plain = method(spec, "demo")
    assert (made.joined, made.draws) == (plain.joined, plain.draws)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "DAR",
        "text ",
        "weights",
        "@demo",
        "weights:",
        "weights:0.5",
        "weights:0.5/0.3/0.2",
        "weights:a/b",
        "weights:0.5/0.5,",
        "weights:0.5/",
        "weights:0/0",
        "weights:-0.5/1",
        "weights:nan/1",
        "weights:inf/1",
    ],
)
def test_a_method_without_meaning_is_refused(spec: str):
    with pytest.raises(InvalidInputError, match=r"method|weights"):
        method(spec, "demo")


def test_an_unknown_preset_is_refused():
    with pytest.raises(InvalidInputError, match="preset='finest' is not one of demo"):
        method("text@finest", "demo")
    with pytest.raises(InvalidInputError, match="preset='finest' is not one of demo"):
        method("text", "finest")


# Ranks.


def test_ranks_are_those_of_a_plain_sort():
    random = np.random.default_rng(0)
    queries, pool = unit(random, 50, 8), unit(random, 40, 8)
    targets = random.integers(0, 40, 50)

    ranks = target_ranks(queries, pool, targets)

    expected = [
        np.argsort(-(pool.astype(float) @ query)).tolist().index(target) + 1
        for query, target in zip(queries.astype(float), targets, strict=True)
    ]
    assert ranks.dtype == np.int64
    assert ranks.tolist() == expected


def test_what_ties_with_the_target_counts_as_before_it():
    # Small whole numbers, of which every product is exact.
    random = np.random.default_rng(1)
    queries = random.integers(-2, 3, (600, 3)).astype(np.float32)
    pool = random.integers(-2, 3, (90, 3)).astype(np.float32)
    targets = random.integers(0, 90, 600)

    ranks = target_ranks(queries, pool, targets)

    scores = queries @ pool.T
    assert ranks.tolist() == [
        sum(score >= row[target] for score in row)
        for row, target in zip(scores, targets, strict=True)
    ]
    order = random.permutation(90)
    places = np.argsort(order)
    np.testing.assert_array_equal(target_ranks(queries, pool[order], places[targets]), ranks)


@pytest.mark.parametrize("count", [1, 2, 3, 17, 600])
@pytest.mark.parametrize("size", [7, 100, 1003])
def test_equal_pictures_rank_alike_wherever_they_are(count: int, size: int):
    # Matrix products round differently at a matrix's edge.
    random = np.random.default_rng(2)
    pool, queries = unit(random, size, 512), unit(random, count, 512)
    copies = random.choice(size, 5, replace=False)
    pool[copies] = pool[copies[0]]

    ranks = [target_ranks(queries, pool, np.full(count, place)) for place in copies]

    for others in ranks[1:]:
        np.testing.assert_array_equal(others, ranks[0])
    assert ranks[0].min() >= 5


@pytest.mark.parametrize("scale", [1e-3, 1, 1e3])
def test_ranks_do_not_depend_on_the_querys_length(scale: float):
    random = np.random.default_rng(3)
    queries, pool = unit(random, 30, 16), unit(random, 60, 16)
    targets = random.integers(0, 60, 30)

    ranks = target_ranks(queries * np.float32(scale), pool, targets)

    np.testing.assert_array_equal(ranks, target_ranks(queries, pool, targets))


def test_blocks_leave_no_trace():
    random = np.random.default_rng(4)
    queries, pool = unit(random, 1100, 16), unit(random, 30, 16)
    targets = random.integers(0, 30, 1100)

    ranks = target_ranks(queries, pool, targets)

    one_by_one = [
        int(target_ranks(queries[n : n + 1], pool, targets[n : n + 1])[0]) for n in range(1100)
    ]
    assert ranks.tolist() == one_by_one


def test_one_query_in_a_pool_of_one():
    vector = unit(np.random.default_rng(5), 1, 4)

    assert target_ranks(vector, vector, np.array([0])).tolist() == [1]
    assert target_ranks(vector, -vector, np.array([0])).tolist() == [1]


def test_ranking_tells_its_progress():
    told: list[tuple[int, int]] = []
    queries = unit(np.random.default_rng(6), 1100, 4)

    target_ranks(
        queries, queries[:5], np.zeros(1100, int), lambda done, total: told.append((done, total))
    )

    assert told == [(512, 1100), (1024, 1100), (1100, 1100)]


@pytest.mark.parametrize("k", [1, 7, 40, 100])
def test_the_top_is_the_beginning_of_a_plain_sort(k: int):
    random = np.random.default_rng(7)
    queries, pool = unit(random, 20, 8), unit(random, 40, 8)

    best = top(queries, pool, k)

    expected = [np.argsort(-(pool.astype(float) @ query))[:k].tolist() for query in queries]
    assert best.tolist() == expected


@pytest.fixture(scope="module")
def published() -> Dataset:
    """VisDial's 2,064 dialogues and 50,000 paths; the pictures are not needed."""
    return load_dataset(
        PUBLISHED / "visdial_val_dialogues.json", PUBLISHED / "search_space_val_50k.json"
    )


@needs_published
def test_random_vectors_rank_visdials_targets_at_chance(published: Dataset):
    random = np.random.default_rng(0)
    pool = unit(random, len(published.pool), 64)
    targets = np.array([case.target for case in published.cases])
    assert (len(pool), len(targets), published.rounds) == (50_000, 2064, 11)

    ranks = np.stack([target_ranks(unit(random, 2064, 64), pool, targets) for _ in range(2)], 1)

    # Chance: one of 5,000 queries. About 0.8 of these 4,128 are found, and hardly ever 6.
    assert recall_at(ranks, 10).sum() <= 6
    # Within four standard errors.
    assert np.median(ranks) == pytest.approx(25_000, abs=1600)
    assert ranks.mean() == pytest.approx(25_000, abs=900)
    assert recall_at(ranks, 5000).mean() == pytest.approx(0.1, abs=0.02)


@needs_published
def test_the_targets_own_vector_finds_it_among_visdials_pool(published: Dataset):
    pool = unit(np.random.default_rng(0), len(published.pool), 64)
    targets = np.array([case.target for case in published.cases])

    ranks = target_ranks(pool[targets], pool, targets)

    assert (ranks == 1).all()


# Rows on disk.


class Maker:
    """Makes rows of their own numbers; stops in the batch that it is told, counted from 0."""

    def __init__(self, width: int = 3, stop_in: int | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self._width = width
        self._stop_in = stop_in

    def __call__(self, start: int, stop: int) -> np.ndarray:
        if len(self.asked) == self._stop_in:
            raise KeyboardInterrupt
        self.asked.append((start, stop))
        return np.repeat(np.arange(start, stop, dtype=np.float32)[:, None], self._width, axis=1)


def rows(folder: Path, make: Maker, key: str = "key", count: int = 10, width: int = 3) -> Rows:
    return RowCache(folder).rows(key, count, width, make, batch=4)


def test_rows_are_made_in_batches(tmp_path: Path):
    make = Maker()

    made = rows(tmp_path / "a" / "b", make)

    assert make.asked == [(0, 4), (4, 8), (8, 10)]
    assert made.values.dtype == np.float32
    np.testing.assert_array_equal(made.values, Maker()(0, 10))
    assert made.seconds > 0


def test_finished_rows_are_not_made_again(tmp_path: Path):
    first, make = rows(tmp_path, Maker()), Maker()

    again = rows(tmp_path, make)

    assert make.asked == []
    np.testing.assert_array_equal(again.values, first.values)
    assert again.seconds == first.seconds


def test_rows_go_on_where_they_were_stopped(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, Maker(stop_in=2))
    make = Maker()

    made = rows(tmp_path, make)

    assert make.asked == [(8, 10)]
    np.testing.assert_array_equal(made.values, Maker()(0, 10))


def test_rows_that_were_stopped_before_the_first_batch_begin_anew(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, Maker(stop_in=0))
    make = Maker()

    rows(tmp_path, make)

    assert make.asked == [(0, 4), (4, 8), (8, 10)]


def test_rows_go_on_with_another_batch_size(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, Maker(stop_in=1))
    make = Maker()

    made = RowCache(tmp_path).rows("key", 10, 3, make, batch=100)

    assert make.asked == [(4, 10)]
    np.testing.assert_array_equal(made.values, Maker()(0, 10))


@pytest.mark.parametrize("other", [{"key": "other"}, {"count": 9}, {"width": 2}])
def test_other_rows_are_another_array(tmp_path: Path, other: dict[str, Any]):
    first = rows(tmp_path, Maker())
    make = Maker(other.get("width", 3))

    made = rows(tmp_path, make, **other)

    assert make.asked[0] == (0, 4)
    assert made.values.shape == (other.get("count", 10), other.get("width", 3))
    np.testing.assert_array_equal(first.values, rows(tmp_path, Maker(stop_in=0)).values)


def test_the_seconds_of_all_runs_are_added_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Every look at the clock is a second after the one before: each batch takes one.
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))

    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, Maker(stop_in=2))

    assert rows(tmp_path, Maker()).seconds == 3
    assert rows(tmp_path, Maker()).seconds == 3


def test_progress_goes_on_where_it_was(tmp_path: Path):
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    with pytest.raises(KeyboardInterrupt):
        RowCache(tmp_path).rows("key", 10, 3, Maker(stop_in=2), batch=4, progress=progress)
    assert told == [(4, 10), (8, 10)]
    RowCache(tmp_path).rows("key", 10, 3, Maker(), batch=4, progress=progress)
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_a_batch_that_could_not_be_written_is_made_again(tmp_path: Path):
    class Failing(Maker):
        def __call__(self, start: int, stop: int) -> np.ndarray:
            made = super().__call__(start, stop)
            # Of a shape that cannot be written.
            return made[:, :2] if start == 4 else made

    with pytest.raises(ValueError, match="shape"):
        rows(tmp_path, Failing())
    make = Maker()

    made = rows(tmp_path, make)

    assert make.asked == [(4, 8), (8, 10)]
    np.testing.assert_array_equal(made.values, Maker()(0, 10))


def test_what_could_not_be_drawn_is_drawn_by_a_later_run(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    class Mended(DrawingGenerator):
        fingerprint = FailingGenerator.fingerprint

    failing = Models(tiny_encoder, FailingGenerator(GenerationError("no memory")), 2)
    (first,) = run(dataset, tmp_path, failing, "dar").outcomes
    (second,) = run(dataset, tmp_path, Models(tiny_encoder, Mended(), 2), "dar").outcomes
    (third,) = run(dataset, tmp_path / "anew", Models(tiny_encoder, Mended(), 2), "dar").outcomes

    assert (first.undrawn, second.undrawn) == (TURNS, 0)
    np.testing.assert_allclose(second.queries, third.queries, atol=1e-6)


def test_other_dialogues_over_a_pool_find_it_encoded(
    tiny_encoder: OpenClipEncoder, dataset: Dataset, tmp_path: Path
):
    encoder = CountingEncoder(tiny_encoder)
    run(dataset, tmp_path, Models(encoder, None, 0), "text")
    encoded = encoder.images
    fewer = dataclasses.replace(dataset, cases=dataset.cases[:2])

    run(fewer, tmp_path, Models(encoder, None, 0), "text")

    assert encoder.images == encoded > 0
