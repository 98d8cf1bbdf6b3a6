from __future__ import annotations

import dataclasses
import io
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from fakes import (
    BlankGenerator,
    DrawingGenerator,
    FailingGenerator,
    FailingReformulator,
    FixedReformulator,
    GarbageGenerator,
    HangingGenerator,
    PickyEncoder,
    drawn_image,
)
from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.errors import EmptyDialogueError, GenerationError, InvalidInputError
from dar_retriever.fusion import Budget, FusedQuery, NoExclusion, paper_schedule
from dar_retriever.generation import GeneratedImage
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.reformulation import JoinedTurns, Reformulation
from dar_retriever.support.threads import waited_for_by
from dar_retriever.understanding.composition import (
    CaptionedReference,
    Parts,
    PromptDirection,
    WeightedModalities,
)
from dar_retriever.understanding.feedback import BoundedRocchio

# What exclusions do to a query has tests of its own.
encoder_of = partial(DARQueryEncoder, exclusion=NoExclusion())
DIALOGUE = Dialogue.from_visdial(["a red dress", "is it striped? yes", "any people? no"], id="d7")
SHOWN = drawn_image("what the user shows", 0)


def assert_text_alone(query: EncodedQuery) -> None:
    assert query.final
    assert query.text_vector is not None
    np.testing.assert_array_equal(query.vector, query.text_vector)
    assert query.image_vectors.shape == (0, len(query.vector))
    assert query.trace.generated == ()
    assert (query.trace.text_weight, query.trace.image_weight) == (1, 0)


def test_the_query_is_the_weighted_sum_of_caption_and_generated_images(
    tiny_encoder: OpenClipEncoder,
):
    query = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=3).encode(DIALOGUE)

    text = tiny_encoder.encode_texts(["a red dress, striped"])[0]
    images = tiny_encoder.encode_images([drawn_image("a red dress, striped", n) for n in range(3)])
    np.testing.assert_allclose(query.text_vector, text, atol=1e-6)
    np.testing.assert_allclose(query.image_vectors, images, atol=1e-6)
    np.testing.assert_allclose(query.vector, 0.5 * text + 0.5 * images.mean(axis=0), atol=1e-6)
    assert query.vector.dtype == np.float32
    assert query.dialogue == DIALOGUE


@pytest.mark.parametrize(("round", "weights"), [(0, (0.8, 0.2)), (1, (0.8, 0.2)), (2, (0.5, 0.5))])
def test_the_weights_are_those_of_the_dialogues_round(
    tiny_encoder: OpenClipEncoder, round: int, weights: tuple[float, float]
):
    encoder = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=1)

    trace = encoder.encode(DIALOGUE.at_round(round)).trace

    assert (trace.text_weight, trace.image_weight) == weights


def test_the_trace_tells_all_that_happened(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()
    encoder = encoder_of(tiny_encoder, generator, images_per_turn=3, seed=40)

    trace = encoder.encode(DIALOGUE).trace

    assert trace.caption == "a red dress, striped"
    assert trace.prompts == ("a red dress, striped",)
    assert trace.negative_prompt == "people"
    assert [image.seed for image in trace.generated] == [40, 41, 42]
    assert {image.prompt for image in trace.generated} == {trace.caption}
    assert trace.shares == (1 / 3,) * 3
    assert set(trace.timings) == {"reformulate", "generate", "encode", "fuse"}
    assert all(seconds >= 0 for seconds in trace.timings.values())
    assert trace.fallbacks == ()
    assert trace.cached_count == 0


def test_the_generator_is_asked_once_for_all_images(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()

    encoder_of(tiny_encoder, generator, images_per_turn=2, seed=5).encode(DIALOGUE)

    (requests,) = generator.calls
    assert [(r.seed, r.number) for r in requests] == [(5, 0), (6, 1)]
    assert {(r.dialogue_id, r.round, r.negative_prompt) for r in requests} == {("d7", 2, "people")}


def test_several_prompts_take_turns(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()
    reformulator = FixedReformulator(Reformulation("a dress", ("one", "two")))

    encoder_of(tiny_encoder, generator, reformulator=reformulator, images_per_turn=3).encode("x")

    assert [request.prompt for request in generator.calls[0]] == ["one", "two", "one"]


def test_the_time_to_generate_is_in_the_trace(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder, DrawingGenerator(seconds=0.1), images_per_turn=1)

    timings = encoder.encode("a dress").trace.timings

    assert timings["generate"] >= 0.1


def test_the_text_is_searched_with_before_images_are_generated(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()
    stages = encoder_of(tiny_encoder, generator, images_per_turn=2).stages(DIALOGUE)

    first = next(stages)
    assert not first.final
    assert generator.calls == []
    np.testing.assert_array_equal(first.vector, first.text_vector)
    assert first.trace.generated == ()
    assert first.trace.caption == "a red dress, striped"

    (last,) = stages
    assert last.final
    assert len(last.trace.generated) == 2
    np.testing.assert_array_equal(last.text_vector, first.text_vector)
    assert not np.allclose(last.vector, first.vector)


@pytest.mark.parametrize(
    "options",
    [{}, {"generator": DrawingGenerator(), "images_per_turn": 0}],
    ids=["no generator", "no images"],
)
def test_where_nothing_is_generated_there_is_one_stage(
    tiny_encoder: OpenClipEncoder, options: dict[str, Any]
):
    (query,) = encoder_of(tiny_encoder, **options).stages(DIALOGUE)

    assert_text_alone(query)
    assert query.trace.fallbacks == ()
    assert "generate" not in query.trace.timings


def test_images_of_the_user_alone_are_a_query(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()

    (query,) = encoder_of(tiny_encoder, generator).stages(SHOWN)

    assert query.final
    assert query.text_vector is None
    expected = tiny_encoder.encode_images([SHOWN])
    np.testing.assert_allclose(query.vector, expected[0], atol=1e-6)
    np.testing.assert_allclose(query.reference_vectors, expected, atol=1e-6)
    assert (query.trace.caption, query.trace.prompts, query.trace.shares) == ("", (), ())
    assert generator.calls == []


def test_references_and_words_are_composed_before_images_are_fused(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=2)

    first, last = encoder.stages(Dialogue().say("like this but red", SHOWN))

    words = tiny_encoder.encode_texts(["red"])[0]
    shown = tiny_encoder.encode_images([SHOWN])
    composed = WeightedModalities().compose(Parts(shown, words))
    np.testing.assert_allclose(first.vector, composed, atol=1e-6)
    np.testing.assert_allclose(first.text_vector, words, atol=1e-6)
    assert last.image_vectors.shape == (2, tiny_encoder.dimension)
    np.testing.assert_allclose(last.reference_vectors, shown, atol=1e-6)
    expected = 0.8 * composed + 0.2 * last.image_vectors.mean(axis=0)
    np.testing.assert_allclose(last.vector, expected, atol=1e-6)
    assert last.trace.shares == (0.5, 0.5)
    assert last.trace.reference_captions == ()


def test_a_captioner_puts_references_into_words_that_are_rewritten_and_drawn(
    tiny_encoder: OpenClipEncoder,
):
    asked = []

    def captioner(image: Image.Image) -> str:
        asked.append(image)
        return " a red dress,  white dots "

    encoder = encoder_of(
        tiny_encoder,
        DrawingGenerator(),
        captioner=captioner,
        composition=CaptionedReference(),
        images_per_turn=1,
    )

    first, last = encoder.stages(Dialogue().say("like this, but in blue", SHOWN))

    assert asked == [SHOWN]
    assert last.trace.reference_captions == ("a red dress, white dots",)
    assert last.trace.caption == "a blue dress, white dots"
    assert last.trace.generated[0].prompt == "a blue dress, white dots"
    assert "caption" in last.trace.timings
    after = tiny_encoder.encode_texts(["a blue dress, white dots"])[0]
    np.testing.assert_allclose(first.vector, after, atol=1e-6)
    np.testing.assert_allclose(first.text_vector, after, atol=1e-6)


def test_the_prompts_direction_is_what_the_words_change(tiny_encoder: OpenClipEncoder):
    dialogue = Dialogue().say("in blue", SHOWN)

    query = encoder_of(tiny_encoder, captioner=lambda _: "a red dress").encode(dialogue)

    parts = Parts(
        tiny_encoder.encode_images([SHOWN]),
        None,
        *tiny_encoder.encode_texts(["a red dress", "a blue dress"]),
    )
    np.testing.assert_allclose(query.vector, PromptDirection().compose(parts), atol=1e-5)


def test_a_captioned_reference_without_words_is_not_drawn(tiny_encoder: OpenClipEncoder):
    generator = DrawingGenerator()

    (query,) = encoder_of(tiny_encoder, generator, captioner=lambda _: "a red dress").stages(
        Dialogue().say("hm", SHOWN)
    )

    assert query.final
    assert query.trace.caption == "a red dress"
    assert generator.calls == []


@pytest.mark.parametrize(
    ("captioner", "told"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda _: None, "None is not a caption"),
        (lambda _: "  ", "'  ' is not a caption"),
    ],
    ids=["raises", "returns nothing", "returns blanks"],
)
def test_a_captioner_that_fails_is_done_without(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture, captioner: Any, told: str
):
    dialogue = Dialogue().say("in blue", SHOWN)
    encoder = encoder_of(tiny_encoder, captioner=captioner)

    query, again = encoder.encode(dialogue), encoder.encode(dialogue)

    expected = encoder_of(tiny_encoder).encode(dialogue)
    np.testing.assert_array_equal(query.vector, expected.vector)
    (fallback,) = again.trace.fallbacks
    assert fallback.startswith("captioning failed, the images alone were used: ")
    assert told in fallback
    assert len(warnings_in(caplog)) == 1


def test_judged_hits_move_the_query_at_every_stage(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=2)
    like, unlike = ([drawn_image(said, n) for n in range(2)] for said in ("liked", "turned down"))

    plain = list(encoder.stages(Dialogue().say("a red dress", SHOWN)))
    moved = list(encoder.stages(Dialogue().say("a red dress", SHOWN, like=like, unlike=unlike)))

    liked, rejected = tiny_encoder.encode_images(like), tiny_encoder.encode_images(unlike)
    assert len(plain) == len(moved) == 2
    for before, after in zip(plain, moved, strict=True):
        expected = BoundedRocchio().moved(before.vector, liked, rejected)
        np.testing.assert_allclose(after.vector, expected, atol=1e-6)
        np.testing.assert_allclose(after.liked_vectors, liked, atol=1e-6)
        np.testing.assert_allclose(after.rejected_vectors, rejected, atol=1e-6)
        assert before.rejected_vectors.shape == (0, tiny_encoder.dimension)
        # They are not among the images that the query is made of.
        np.testing.assert_allclose(after.image_vectors, before.image_vectors, atol=1e-6)
        assert after.trace.shares == before.trace.shares


def test_liked_hits_alone_are_a_query(tiny_encoder: OpenClipEncoder):
    (query,) = encoder_of(tiny_encoder, DrawingGenerator()).stages(Dialogue().say(like=[SHOWN]))

    liked = tiny_encoder.encode_images([SHOWN])
    np.testing.assert_allclose(query.vector, liked[0], atol=1e-6)
    np.testing.assert_allclose(query.liked_vectors, liked, atol=1e-6)
    assert query.text_vector is None


def test_any_fusion_is_given_what_is_meant_and_what_was_drawn(tiny_encoder: OpenClipEncoder):
    class Recording:
        given: tuple[Any, ...] = ()

        def fuse(self, *vectors: Any) -> FusedQuery:
            self.given = vectors
            fused = paper_schedule().fuse(*vectors)
            return dataclasses.replace(fused, reasons=("because",))

    fusion = Recording()
    encoder = encoder_of(tiny_encoder, DrawingGenerator(), fusion=fusion, images_per_turn=2)

    query = encoder.encode(DIALOGUE)

    text, generated, number = fusion.given
    np.testing.assert_array_equal(text, query.text_vector)
    np.testing.assert_array_equal(generated, query.image_vectors)
    assert number == 2
    assert query.trace.reasons == ("because",)


@pytest.mark.parametrize("images", [0, 1, 3])
def test_spending_decides_how_many_images_are_drawn(tiny_encoder: OpenClipEncoder, images: int):
    class Spending:
        given: tuple[Any, ...] = ()

        def budget(self, *given: Any) -> Budget:
            self.given = given
            return Budget(images, f"{images} for a test")

    spending, generator = Spending(), DrawingGenerator()
    encoder = encoder_of(tiny_encoder, generator, spending=spending, images_per_turn=3)

    first, last = encoder.stages(DIALOGUE)

    np.testing.assert_array_equal(spending.given[0], first.text_vector)
    assert spending.given[1] == 3
    assert not first.final
    assert last.final
    assert len(last.trace.generated) == images
    assert len(generator.calls) == bool(images)
    assert last.trace.reasons == (f"{images} for a test",)
    assert first.trace.reasons == ()
    if not images:
        np.testing.assert_array_equal(last.vector, first.vector)


def test_an_image_turned_down_is_no_query_of_its_own(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder)

    with pytest.raises(EmptyDialogueError):
        encoder.encode(Dialogue().say(unlike=[SHOWN]))
    # Words that say nothing are still the best there is.
    assert encoder.encode(Dialogue().say("hm", unlike=[SHOWN])).trace.caption == "hm"


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("generator", "told"),
    [
        (FailingGenerator(GenerationError("out of memory")), "GenerationError: out of memory"),
        (FailingGenerator(ValueError("shape")), "ValueError: shape"),
        (GarbageGenerator(None), "TypeError"),
    ],
    ids=["out of memory", "anything else", "nothing returned"],
)
def test_a_generator_that_fails_is_done_without(
    tiny_encoder: OpenClipEncoder,
    caplog: pytest.LogCaptureFixture,
    generator: DrawingGenerator,
    told: str,
):
    encoder = encoder_of(tiny_encoder, generator)

    for n in range(3):
        query = encoder.encode(DIALOGUE.at_round(n))
        assert_text_alone(query)
        (fallback,) = query.trace.fallbacks
        assert fallback.startswith("generation failed")
        assert told in fallback
    (warning,) = warnings_in(caplog)
    assert told in warning


def test_a_generator_that_hangs_is_not_waited_for(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture
):
    generator = HangingGenerator()
    encoder = encoder_of(tiny_encoder, generator, generation_limit=0.05)
    began = time.perf_counter()
    try:
        for _ in range(2):
            query = encoder.encode("a red dress")
            assert_text_alone(query)
            assert "TimeoutError: no answer within 0.05 s" in query.trace.fallbacks[0]
        assert time.perf_counter() - began < 5
        assert len(warnings_in(caplog)) == 1
    finally:
        generator.released.set()


def test_a_generator_within_its_limit_is_waited_for(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(
        tiny_encoder, DrawingGenerator(seconds=0.05), images_per_turn=2, generation_limit=30
    )

    trace = encoder.encode("a red dress").trace

    assert len(trace.generated) == 2
    assert trace.fallbacks == ()


def test_blank_images_are_dropped(tiny_encoder: OpenClipEncoder):
    query = encoder_of(tiny_encoder, BlankGenerator(), images_per_turn=2).encode("a dress")

    assert_text_alone(query)
    assert query.trace.fallbacks == ("blank generated images were dropped: 2 of 2",)


def test_what_is_not_blank_is_kept(tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture):
    encoder = encoder_of(tiny_encoder, BlankGenerator(0, 2), images_per_turn=4)

    query = encoder.encode("a dress")
    encoder.images_per_turn = 2
    again = encoder.encode("a dress")

    assert [image.seed for image in query.trace.generated] == [1, 3]
    assert query.trace.shares == (0.5, 0.5)
    expected = tiny_encoder.encode_images([drawn_image("a dress", 1), drawn_image("a dress", 3)])
    np.testing.assert_allclose(query.image_vectors, expected, atol=1e-6)
    assert query.trace.fallbacks == ("blank generated images were dropped: 2 of 4",)
    assert again.trace.fallbacks == ("blank generated images were dropped: 1 of 2",)
    assert len(warnings_in(caplog)) == 1


def test_every_kind_of_failure_is_logged(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture
):
    encoder = encoder_of(
        tiny_encoder,
        BlankGenerator(),
        reformulator=FailingReformulator(TimeoutError("the model is asleep")),
    )

    trace = encoder.encode("a dress").trace

    assert len(trace.fallbacks) == 2
    assert len(warnings_in(caplog)) == 2


@pytest.mark.parametrize(
    ("reformulator", "told"),
    [
        (FailingReformulator(TimeoutError("asleep")), "TimeoutError: asleep"),
        (FixedReformulator(None), "None is not a Reformulation"),
        (FixedReformulator("a dress"), "'a dress' is not a Reformulation"),
    ],
    ids=["raises", "returns nothing", "returns a text"],
)
def test_without_a_reformulation_rules_are_used(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture, reformulator: Any, told: str
):
    encoder = encoder_of(tiny_encoder, reformulator=reformulator)

    first, second = encoder.encode(DIALOGUE), encoder.encode(DIALOGUE)

    assert first.trace.caption == second.trace.caption == "a red dress, striped"
    assert first.trace.fallbacks[0].startswith("reformulation failed, rules were used: ")
    assert told in second.trace.fallbacks[0]
    assert len(warnings_in(caplog)) == 1


def test_another_reformulator_is_used(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder, reformulator=JoinedTurns())

    assert encoder.encode(DIALOGUE.at_round(1)).trace.caption == "a red dress, is it striped?, yes"


def test_captions_stay_within_the_encoders_own_budget(tiny_encoder: OpenClipEncoder):
    caption = encoder_of(tiny_encoder).encode("a red dress " * 100).trace.caption

    assert tiny_encoder.count_tokens(caption) <= tiny_encoder.max_tokens
    assert caption.startswith("a red dress a red")


@pytest.mark.parametrize("text", ["hm", "no", "not sure", "\u2026"])
def test_words_that_say_nothing_are_searched_with_as_they_are(
    tiny_encoder: OpenClipEncoder, text: str
):
    query = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=1).encode(text)

    assert query.trace.caption == text
    assert query.trace.generated[0].prompt == text
    assert np.isfinite(query.vector).all()
    assert np.linalg.norm(query.text_vector) == pytest.approx(1, abs=1e-5)


def test_generated_images_without_a_finite_vector_are_dropped(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture
):
    spoilt = drawn_image("a dress", 1)
    picky = PickyEncoder(tiny_encoder, lambda image: image == spoilt)
    encoder = encoder_of(picky, DrawingGenerator(), images_per_turn=3)

    query = encoder.encode("a dress")
    encoder.encode("a dress")

    assert [image.seed for image in query.trace.generated] == [0, 2]
    assert query.trace.shares == (0.5, 0.5)
    assert np.isfinite(query.vector).all()
    assert query.trace.fallbacks == ("the encoder gave no finite vector for a generated image",)
    assert len(warnings_in(caplog)) == 1


class NarrowEncoder(PickyEncoder):
    """Has no memory for several images at once."""

    def encode_images(self, images: Sequence[Image.Image]) -> object:
        if len(images) > 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return super().encode_images(images)


def test_generated_images_that_cannot_be_encoded_cost_the_text_nothing(
    tiny_encoder: OpenClipEncoder,
):
    narrow = NarrowEncoder(tiny_encoder, lambda _: False)
    query = encoder_of(narrow, DrawingGenerator(), images_per_turn=3).encode("a dress")

    np.testing.assert_allclose(query.vector, tiny_encoder.encode_texts(["a dress"])[0], atol=1e-5)
    assert query.trace.generated == ()
    [fallback] = query.trace.fallbacks
    assert "can't allocate memory" in fallback


def test_the_same_dialogue_gives_the_same_query(tiny_encoder: OpenClipEncoder):
    encoder = encoder_of(tiny_encoder, DrawingGenerator(), images_per_turn=2)

    first, second = encoder.encode(DIALOGUE), encoder.encode(DIALOGUE)

    np.testing.assert_array_equal(first.vector, second.vector)


@pytest.mark.parametrize(
    "dialogue", [Dialogue(), "", "  \n", [], Dialogue().ask("what do you want?")]
)
def test_an_empty_dialogue_is_refused(tiny_encoder: OpenClipEncoder, dialogue: Any):
    with pytest.raises(EmptyDialogueError):
        encoder_of(tiny_encoder, DrawingGenerator()).encode(dialogue)


def test_what_is_no_dialogue_is_refused(tiny_encoder: OpenClipEncoder):
    with pytest.raises(InvalidInputError, match="not a dialogue"):
        encoder_of(tiny_encoder).encode(5)


def test_a_negative_number_of_images_is_refused(tiny_encoder: OpenClipEncoder):
    with pytest.raises(InvalidInputError, match="images_per_turn=-1"):
        encoder_of(tiny_encoder, images_per_turn=-1)


def test_generated_images_of_any_mode_are_encoded(tiny_encoder: OpenClipEncoder):
    class GreyGenerator(DrawingGenerator):
        def _image(self, request: Any) -> Image.Image:
            return super()._image(request).convert("L")

    query = encoder_of(tiny_encoder, GreyGenerator(), images_per_turn=1).encode("a dress")

    assert query.trace.fallbacks == ()
    assert query.image_vectors.shape == (1, tiny_encoder.dimension)


def generated(image: object, seed: int = 0) -> GeneratedImage:
    return GeneratedImage(image, "a dress", seed)  # type: ignore[arg-type]


def truncated_file() -> Image.Image:
    content = io.BytesIO()
    drawn_image("a dress", 0).save(content, "PNG")
    return Image.open(io.BytesIO(content.getvalue()[:-200]))


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        ("no image", "'no image' is not a GeneratedImage"),
        (None, "None is not a GeneratedImage"),
        (drawn_image("a dress", 0), "size=64x64"),
        (generated("dress.png"), "'dress.png' is not a PIL image"),
        (generated(np.zeros((8, 8, 3))), "is not a PIL image"),
        (generated(Image.new("RGB", (0, 8))), "has no pixels"),
        (generated(truncated_file()), "cannot be read"),
    ],
    ids=["text", "nothing", "bare image", "path", "array", "no pixels", "truncated file"],
)
def test_what_is_no_generated_image_is_dropped_and_the_rest_is_used(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture, garbage: object, told: str
):
    good = generated(drawn_image("a dress", 7), 7)
    encoder = encoder_of(
        tiny_encoder, GarbageGenerator([garbage, good, garbage]), images_per_turn=3
    )

    query = encoder.encode("a dress")
    encoder.generator = GarbageGenerator([garbage])
    encoder.images_per_turn = 1
    nothing_left = encoder.encode("a dress")

    assert query.trace.generated == (good,)
    expected = tiny_encoder.encode_images([good.image])
    np.testing.assert_allclose(query.image_vectors, expected, atol=1e-6)
    assert len(query.trace.fallbacks) == 2
    assert all(told in fallback for fallback in query.trace.fallbacks)
    assert_text_alone(nothing_left)
    assert told in nothing_left.trace.fallbacks[0]
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_images_than_asked_for_are_used_and_told(tiny_encoder: OpenClipEncoder, count: int):
    made = [generated(drawn_image("a dress", seed), seed) for seed in range(count)]

    query = encoder_of(tiny_encoder, GarbageGenerator(made), images_per_turn=4).encode("dress")

    assert query.trace.generated == tuple(made)
    assert query.trace.fallbacks == (f"fewer images were generated than asked for: {count} of 4",)
    assert query.image_vectors.shape == (count, tiny_encoder.dimension)
    if not count:
        assert_text_alone(query)


def test_more_images_than_asked_for_are_dropped(tiny_encoder: OpenClipEncoder):
    made = [generated(drawn_image("a dress", seed), seed) for seed in range(5)]

    trace = (
        encoder_of(tiny_encoder, GarbageGenerator(made), images_per_turn=2).encode("a dress").trace
    )

    assert trace.generated == tuple(made[:2])
    (fallback,) = trace.fallbacks
    assert fallback.endswith("the first were used: 5 for 2")


@pytest.mark.parametrize(
    "image",
    [
        drawn_image("a dress", 0).resize((3000, 17)),
        drawn_image("a dress", 0).resize((17, 3000)),
        Image.fromarray(np.array([[[200, 30, 30], [30, 30, 200]]], np.uint8)),
        drawn_image("a dress", 0).convert("P"),
        drawn_image("a dress", 0).convert("RGBA"),
        drawn_image("a dress", 0).convert("LA"),
        drawn_image("a dress", 0).convert("CMYK"),
        drawn_image("a dress", 0).convert("1"),
        drawn_image("a dress", 0).convert("F"),
        Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16),
    ],
    ids=["wide", "high", "2x1", "P", "RGBA", "LA", "CMYK", "1", "F", "16 bit"],
)
def test_generated_images_of_any_size_and_mode_are_used(
    tiny_encoder: OpenClipEncoder, image: Image.Image
):
    query = encoder_of(
        tiny_encoder, GarbageGenerator([generated(image)]), images_per_turn=1
    ).encode("a dress")

    assert query.trace.fallbacks == ()
    assert query.trace.generated[0].image.mode == "RGB"
    assert query.trace.generated[0].image.size == image.size
    assert np.linalg.norm(query.image_vectors[0]) == pytest.approx(1, abs=1e-5)


def test_an_image_of_one_pixel_is_blank(tiny_encoder: OpenClipEncoder):
    pixel = generated(Image.new("RGB", (1, 1), "red"))

    query = encoder_of(tiny_encoder, GarbageGenerator([pixel]), images_per_turn=1).encode("x")

    assert_text_alone(query)
    assert query.trace.fallbacks == ("blank generated images were dropped: 1 of 1",)


def test_one_answer_may_fail_in_every_way(tiny_encoder: OpenClipEncoder):
    good = generated(drawn_image("a dress", 0))
    made = ["garbage", generated(Image.new("L", (9, 9))), good, good]

    trace = (
        encoder_of(tiny_encoder, GarbageGenerator(made), images_per_turn=3).encode("a dress").trace
    )

    assert trace.generated == (good,)
    more, dropped, blank = trace.fallbacks
    assert "4 for 3" in more
    assert "'garbage'" in dropped
    assert blank.endswith("1 of 2")


@pytest.mark.parametrize("stopped", [True, False])
def test_a_search_that_nobody_waits_for_warns_of_nothing(
    tiny_encoder: OpenClipEncoder, caplog: pytest.LogCaptureFixture, *, stopped: bool
):
    queries = DARQueryEncoder(tiny_encoder, FailingGenerator(GenerationError("stopped")))

    query = waited_for_by(lambda: stopped).run(queries.encode, "a dress")

    assert "generation failed" in query.trace.fallbacks[0]
    assert ("generation failed" in caplog.text) != stopped
