"""Hosted generators: what they send, how far they go, what they tell, what stays secret."""

from __future__ import annotations

import json
import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from image_service import FAULTS, KEY, MODEL, PROVIDERS, Service, picture

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    ImageStore,
    OpenClipEncoder,
    StoredImage,
)
from dar_retriever.errors import GenerationError, InvalidInputError, ModelLoadError
from dar_retriever.generation import (
    CachedGenerator,
    DialogueLimit,
    GeneratedImage,
    HostedGenerator,
    ImageGenerator,
    ImageRequest,
    NotGenerated,
    OpenAIImageGenerator,
    ServiceLimits,
)
from dar_retriever.support.keys import Key
from dar_retriever.support.threads import waited_for_by

QUICK = ServiceLimits(attempts=3, back_off=0.01, seconds=5)
REQUESTS = [ImageRequest(f"dress number {number}", "stripes", number) for number in range(3)]
Opener = Callable[[Service, ServiceLimits], ImageGenerator]


def endpoint(service: Service, limits: ServiceLimits = QUICK) -> ImageGenerator:
    return HostedGenerator(service.endpoint, limits=limits)


def fal(service: Service, limits: ServiceLimits = QUICK) -> ImageGenerator:
    return HostedGenerator(MODEL, provider="fal-ai", limits=limits)


def openai(service: Service, limits: ServiceLimits = QUICK) -> ImageGenerator:
    return OpenAIImageGenerator("draws", base_url=service.openai, limits=limits)


every_service = pytest.mark.parametrize("opener", [endpoint, fal, openai])


def at(*numbers: int, fault: str) -> Callable[[int], str]:
    """A fault for some requests by their number."""
    return lambda number: fault if number in numbers else ""


@pytest.mark.parametrize("provider", [*PROVIDERS, "auto"])
def test_a_provider_gets_the_prompt_and_the_settings(provider: str, image_service: Service) -> None:
    generator = HostedGenerator(
        MODEL, provider=provider, size=(64, 32), steps=4, options={"quality": "low"}, limits=QUICK
    )
    [made] = generator.generate(REQUESTS[1:2])
    assert isinstance(made, GeneratedImage)
    assert made.image.tobytes() != b""
    [asked] = image_service.asked
    said = json.dumps(asked.body)
    for part in ("dress number 1", "stripes", "64", "32", "low"):
        assert part in said
    assert asked.headers["authorization"] == f"Bearer {KEY}"


def test_openai_gets_the_prompt_and_the_settings(image_service: Service) -> None:
    generator = OpenAIImageGenerator(
        "draws",
        base_url=image_service.openai,
        size=(64, 32),
        quality="low",
        options={"moderation": "low"},
    )
    generator.generate(REQUESTS[1:2])
    [asked] = image_service.asked
    assert asked.body == {
        "model": "draws",
        "prompt": "dress number 1",
        "n": 1,
        "size": "64x32",
        "quality": "low",
        "moderation": "low",
    }


def test_without_a_key_none_is_sent_not_even_that_of_a_login(image_service: Service) -> None:
    for generator in (
        HostedGenerator(image_service.endpoint, key_from=None),
        OpenAIImageGenerator("draws", base_url=image_service.openai, key_from=None),
    ):
        generator.generate(REQUESTS[:1])
        assert KEY not in str(image_service.asked[-1].headers)


def test_a_key_that_is_missing_or_torn_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    for opener in (HostedGenerator, OpenAIImageGenerator):
        with pytest.raises(ModelLoadError, match="MY_KEY is not set"):
            opener("draws", key_from="MY_KEY")
        monkeypatch.setenv("MY_KEY", "hf_torn\nin two")
        with pytest.raises(ModelLoadError, match="MY_KEY holds characters") as error:
            opener("draws", key_from="MY_KEY")
        assert "torn" not in str(error.value)
        monkeypatch.delenv("MY_KEY")


@every_service
@pytest.mark.parametrize("fault", ["429", "500", "503", "half", "wrong bytes", "cut off"])
def test_what_passes_is_asked_again(fault: str, opener: Opener, image_service: Service) -> None:
    image_service.fault = at(0, fault=fault)
    [made] = opener(image_service, QUICK).generate(REQUESTS[:1])
    assert isinstance(made, GeneratedImage)
    assert len(image_service.asked) == 2


@every_service
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("refused", "refused (400): rejected by our safety system"),
        ("quota", "out of credit (429): check your plan and billing"),
        ("401", "was not accepted (401)"),
    ],
)
def test_what_stays_is_not_asked_again(
    fault: str, told: str, opener: Opener, image_service: Service
) -> None:
    image_service.fault = at(0, fault=fault)
    made = opener(image_service, ServiceLimits(parallel=1)).generate(REQUESTS)
    assert [type(outcome) for outcome in made] == [NotGenerated, GeneratedImage, GeneratedImage]
    assert told in made[0].reason
    assert len(image_service.asked) == 3


def test_a_service_that_hangs_is_given_up_in_time(image_service: Service) -> None:
    # Imports the client, which may take longer than the limit.
    endpoint(image_service).generate(REQUESTS[:1])
    image_service.fault = at(2, fault="hang")
    began = time.monotonic()
    made = endpoint(image_service, ServiceLimits(seconds=1)).generate(REQUESTS)
    # The server would hang for 30 s.
    assert time.monotonic() - began < 10
    reasons = [outcome.reason for outcome in made if isinstance(outcome, NotGenerated)]
    assert any("no answer within" in reason for reason in reasons)


def test_requests_that_hang_leave_their_place_to_others(image_service: Service) -> None:
    generator = endpoint(image_service, ServiceLimits(parallel=1, seconds=0.3))
    image_service.fault = at(0, fault="hang")
    with pytest.raises(GenerationError, match="no answer"):
        generator.generate(REQUESTS[:1])
    assert len(generator.generate(REQUESTS[1:2])) == 1


def test_no_more_requests_than_allowed_run_at_once(image_service: Service) -> None:
    image_service.seconds = 0.05
    generator = endpoint(image_service, ServiceLimits(parallel=2))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(generator.generate, [REQUESTS] * 4))
    assert len(image_service.asked) == 12
    assert image_service.most == 2


def test_no_more_requests_than_allowed_begin_within_a_minute(
    image_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dar_retriever.generation.gate._MINUTE", 0.4)
    generator = endpoint(image_service, ServiceLimits(per_minute=2))
    generator.generate(REQUESTS)
    generator.generate(REQUESTS)
    began = sorted(asked.began for asked in image_service.asked)
    assert len(began) == 6
    # A request takes some time from the gate to the server.
    assert all(later - first > 0.3 for first, later in zip(began, began[2:], strict=False))


def test_a_minute_that_is_full_is_said_at_once(image_service: Service) -> None:
    generator = endpoint(image_service, ServiceLimits(per_minute=2, seconds=10))
    began = time.monotonic()
    made = generator.generate(REQUESTS)
    assert time.monotonic() - began < 5
    assert sum(isinstance(outcome, NotGenerated) for outcome in made) == 1
    with pytest.raises(GenerationError, match="limit of requests"):
        generator.generate(REQUESTS[:1])


def test_a_time_that_the_service_asks_for_is_kept(image_service: Service) -> None:
    image_service.retry_after = "1"
    image_service.fault = at(0, fault="429")
    generator = endpoint(image_service, QUICK)
    [made] = generator.generate(REQUESTS[:1])
    assert isinstance(made, GeneratedImage)
    first, second = image_service.asked
    assert second.began - first.began >= 0.95


def test_a_time_beyond_the_limit_is_not_waited_for_by_anybody(image_service: Service) -> None:
    image_service.retry_after = "3600"
    image_service.fault = at(0, fault="429")
    generator = endpoint(image_service, QUICK)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(GenerationError):
            generator.generate(REQUESTS[:1])
    assert time.monotonic() - began < 10
    assert len(image_service.asked) == 1


def test_images_in_all_are_limited(image_service: Service) -> None:
    generator = endpoint(image_service, ServiceLimits(parallel=1, images=2))
    made = generator.generate(REQUESTS)
    assert [type(outcome) for outcome in made] == [GeneratedImage, GeneratedImage, NotGenerated]
    with pytest.raises(GenerationError, match="limit of 2 images is spent"):
        generator.generate(REQUESTS)
    assert len(image_service.asked) == 2


def test_nobody_waits_so_nothing_is_asked_for_any_more(image_service: Service) -> None:
    image_service.seconds = 0.2
    gone = threading.Event()
    generator = endpoint(image_service, ServiceLimits(parallel=1))
    threading.Timer(0.3, gone.set).start()
    began = time.monotonic()
    with pytest.raises(GenerationError, match="stopped"):
        waited_for_by(gone.is_set).run(generator.generate, REQUESTS * 10)
    assert time.monotonic() - began < 2
    time.sleep(0.5)
    assert len(image_service.asked) <= 3


@pytest.mark.parametrize(
    "options",
    [{"parallel": 0}, {"attempts": 0}, {"seconds": 0.0}, {"per_minute": -1}, {"images": -1}],
)
def test_limits_without_meaning_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        ServiceLimits(**options)


def test_an_address_alone_is_not_opened(image_service: Service) -> None:
    image_service.fault = lambda _: "address"
    with pytest.raises(GenerationError, match="b64_json"):
        openai(image_service).generate(REQUESTS[:1])
    assert len(image_service.asked) == 1


def test_fingerprints_follow_the_settings_and_not_the_key(
    image_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprints() -> list[str]:
        return [
            HostedGenerator(MODEL).fingerprint,
            HostedGenerator(MODEL, provider="fal-ai").fingerprint,
            HostedGenerator(MODEL, steps=2).fingerprint,
            HostedGenerator(MODEL, size=(64, 64)).fingerprint,
            OpenAIImageGenerator(MODEL).fingerprint,
            OpenAIImageGenerator(MODEL, base_url=image_service.openai).fingerprint,
        ]

    before = fingerprints()
    assert len(set(before)) == 6
    monkeypatch.setenv("HF_TOKEN", "hf_another_key")
    assert fingerprints() == before
    assert HostedGenerator(MODEL, limits=QUICK).fingerprint == before[0]


def test_the_cache_keeps_what_was_made_and_asks_again_for_the_rest(
    image_service: Service,
) -> None:
    generator = CachedGenerator(endpoint(image_service, ServiceLimits(parallel=1)))
    image_service.fault = at(1, fault="refused")
    first = generator.generate(REQUESTS)
    image_service.fault = lambda _: "refused"
    second = generator.generate(REQUESTS)
    assert [type(outcome) for outcome in first] == [type(outcome) for outcome in second]
    assert [getattr(outcome, "cached", None) for outcome in second] == [True, None, True]
    image_service.fault = lambda _: ""
    assert all(isinstance(outcome, GeneratedImage) for outcome in generator.generate(REQUESTS))
    assert len(image_service.asked) == 5


def test_a_key_is_printed_and_pickled_as_its_variable(image_service: Service) -> None:
    key = Key("HF_TOKEN")
    assert key.reveal() == KEY
    assert repr(key) == "Key('HF_TOKEN')"
    assert KEY.encode() not in pickle.dumps(key)
    assert pickle.loads(pickle.dumps(key)).reveal() == KEY  # noqa: S301 (made here)
    assert key.hidden_in(f"Bearer {KEY}, {KEY[:10]}****6: no") == "Bearer *** *** no"
    for opener in (endpoint, fal, openai):
        assert KEY not in repr(opener(image_service))


# Searches


@pytest.fixture
def store(tiny_encoder: OpenClipEncoder) -> ImageStore:
    opened = ImageStore.in_memory(tiny_encoder)
    vectors = tiny_encoder.encode_texts([f"picture {number}" for number in range(20)])
    opened.add([StoredImage(str(n), vector, f"{n}.jpg") for n, vector in enumerate(vectors)])
    return opened


def retriever(
    store: ImageStore, encoder: OpenClipEncoder, generator: ImageGenerator, **options: Any
) -> DiffusionAugmentedRetriever:
    queries = DARQueryEncoder(encoder, generator, images_per_turn=2, **options)
    return DiffusionAugmentedRetriever(queries, store)


@every_service
def test_the_first_hits_of_a_stream_do_not_wait_for_the_service(
    opener: Opener, store: ImageStore, tiny_encoder: OpenClipEncoder, image_service: Service
) -> None:
    searching = retriever(store, tiny_encoder, opener(image_service, QUICK))
    stream: Iterator[Any] = searching.stream("a red dress")
    first = next(stream)
    assert first.hits
    assert image_service.asked == []
    last = list(stream)[-1]
    assert len(last.trace.generated) == 2
    assert len(image_service.asked) == 2


def test_a_conversation_has_only_so_many_images(
    store: ImageStore, tiny_encoder: OpenClipEncoder, image_service: Service
) -> None:
    limited = CachedGenerator(DialogueLimit(endpoint(image_service), 3, images_per_turn=2))
    searching = retriever(store, tiny_encoder, limited)
    result = searching.search("a red dress")
    results = [result]
    for said in ("a long one", "with dots", "for a child"):
        result = searching.search(result.dialogue.say(said))
        results.append(result)
    assert [len(each.trace.generated) for each in results] == [2, 1, 0, 0]
    assert [lost(each) for each in results] == [0, 1, 2, 2]
    assert len(image_service.asked) == 3
    for each in results[1:]:
        assert "3 images a dialogue are the limit" in " ".join(each.trace.fallbacks)
    # What was drawn before is there still, and costs nothing.
    assert len(searching.search("a red dress").trace.generated) == 2
    assert len(image_service.asked) == 3
    for images, per_turn in ((-1, 2), (3, 0)):
        with pytest.raises(InvalidInputError, match="images="):
            DialogueLimit(limited, images, per_turn)


def lost(result: Any) -> int:
    """How many images of two a trace says are missing."""
    told = [what.split(":", maxsplit=1)[0] for what in result.trace.fallbacks]
    if any(what.startswith("generation failed") for what in told):
        return 2
    return sum(what == "an image was not generated" for what in told)


@every_service
def test_a_service_that_fails_at_random_never_costs_a_turn(
    opener: Opener,
    store: ImageStore,
    tiny_encoder: OpenClipEncoder,
    image_service: Service,
    caplog: pytest.LogCaptureFixture,
) -> None:
    random = Random(opener.__name__)
    usual = [fault for fault in FAULTS if fault != "hang"]
    faults = [random.choice(["", "", "", *usual]) for _ in range(4000)]
    for number in range(20, 4000, 90):
        faults[number] = "hang"
    image_service.fault = faults.__getitem__
    limits = ServiceLimits(parallel=8, attempts=2, back_off=0.005, seconds=0.6)
    searching = retriever(store, tiny_encoder, opener(image_service, limits))
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(4) as threads:
        results = list(threads.map(searching.search, (f"dress {n}" for n in range(40))))

    assert all(len(result.hits) == 10 for result in results)
    missing = [lost(result) for result in results]
    assert [2 - len(result.trace.generated) for result in results] == missing
    assert sum(missing) > 10
    told = " ".join(what for result in results for what in result.trace.fallbacks)
    for reason in ("refused (400)", "out of credit (429)", "no answer within"):
        assert reason in told
    for said in (caplog.text, json.dumps([result.trace.as_json() for result in results])):
        assert said
        assert KEY not in said
        assert KEY[:12] not in said
    assert any(KEY in asked.headers["authorization"] for asked in image_service.asked)


def test_the_service_draws_what_it_says() -> None:
    assert picture("a", 1) == picture("a", 1) != picture("a", 2)
