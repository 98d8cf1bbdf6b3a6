"""The image search as LangChain's retriever."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fakes import DrawingGenerator, FailingGenerator, drawn_image
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from langchain_dar import DARRetriever
from langchain_dar.retriever import PROGRESS_EVENT
from PIL import Image
from pydantic import ValidationError

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EmptyDialogueError,
    GeneratedImage,
    ImageGenerator,
    ImageRequest,
    ImageStore,
    InvalidFilterError,
    InvalidImageError,
    InvalidInputError,
    OpenClipEncoder,
    Reformulation,
    StoredImage,
    ingest,
)
from dar_retriever.support.images import data_url, image_from_data_url

K = 3
STAGES = ["text_hits", "generated_images", "hits"]
# The gallery of 120 holds one of them.
HANDBAG = {"kind": "handbag", "colour": "pink", "detail": "two handles"}


class Listener:
    """A reformulator that joins what the user says, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[Dialogue] = []

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        self.heard.append(dialogue)
        caption = " ".join(turn.text for turn in dialogue.user_turns)
        return Reformulation(caption, (caption,) if caption else ())

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each turn of the last dialogue."""
        return [(turn.role, turn.text) for turn in self.heard[-1].turns]


class Recorder(BaseCallbackHandler):
    """Keeps what LangChain tells: the kind of a call, the id of its run, and what came with it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, UUID, Any]] = []

    def on_retriever_start(self, serialized: Any, query: str, *, run_id: UUID, **_: Any) -> None:
        self.calls.append(("start", run_id, query))

    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **_: Any) -> None:
        self.calls.append((name, run_id, data))

    def on_retriever_end(self, documents: Any, *, run_id: UUID, **_: Any) -> None:
        self.calls.append(("end", run_id, documents))

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        self.calls.append(("error", run_id, error))


class AsyncRecorder(AsyncCallbackHandler):
    """A recorder that the event loop waits for."""

    def __init__(self) -> None:
        self.recorder = Recorder()

    async def on_retriever_start(self, *args: Any, **options: Any) -> None:
        self.recorder.on_retriever_start(*args, **options)

    async def on_custom_event(self, *args: Any, **options: Any) -> None:
        self.recorder.on_custom_event(*args, **options)

    async def on_retriever_end(self, *args: Any, **options: Any) -> None:
        self.recorder.on_retriever_end(*args, **options)

    async def on_retriever_error(self, *args: Any, **options: Any) -> None:
        self.recorder.on_retriever_error(*args, **options)


class ThreadsOfGenerator(DrawingGenerator):
    """Keeps in which threads it was asked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.threads: set[int] = set()

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.threads.add(threading.get_ident())
        return super().generate(requests)


def over(
    demo: DiffusionAugmentedRetriever,
    generator: ImageGenerator | None = None,
    reformulator: Listener | None = None,
    **fields: Any,
) -> DARRetriever:
    """A retriever over the demo's gallery with parts of one's own."""
    query_encoder = DARQueryEncoder(
        demo.query_encoder.encoder, generator, reformulator=reformulator, images_per_turn=2
    )
    opened = DiffusionAugmentedRetriever(query_encoder, demo.store)
    return DARRetriever(retriever=opened, **{"k": K, **fields})


@pytest.fixture
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return over(demo, DrawingGenerator())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: OpenClipEncoder) -> ImageStore:
    """A wide picture with metadata of all kinds, and one whose file is gone."""
    folder = tmp_path_factory.mktemp("pictures")
    image = drawn_image("a wide one", 0).resize((320, 160))
    image.save(folder / "wide_one.png")
    store = ImageStore.in_memory(tiny_encoder)
    taken = {"score": 5, "size": "XL", "trace": "none", "image": "front"}
    sizes = {"width": 320, "height": 160}
    plain = {"colour": "red", "price": 9.5, "new": True, "tags": ["a", "b"]}
    vectors = tiny_encoder.encode_images([image, drawn_image("another", 1)])
    store.add(
        [
            StoredImage(
                "wide", vectors[0], str(folder / "wide_one.png"), "", taken | sizes | plain
            ),
            StoredImage("gone", vectors[1], str(folder / "gone.png"), "a hat"),
        ]
    )
    return store


@pytest.fixture
def of_pictures(pictures: ImageStore, tiny_encoder: OpenClipEncoder) -> DARRetriever:
    opened = DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), pictures)
    return DARRetriever(retriever=opened)


def ids(documents: Sequence[Document]) -> list[str | None]:
    return [document.id for document in documents]


def by_id(documents: Sequence[Document]) -> dict[str | None, Document]:
    return {document.id: document for document in documents}


def test_documents_are_the_hits_of_the_search(demo: DiffusionAugmentedRetriever) -> None:
    result = demo.search("a red mug", k=7)

    documents = DARRetriever(retriever=demo, k=7).invoke("a red mug")

    assert ids(documents) == [hit.id for hit in result.hits]
    for document, hit in zip(documents, result.hits, strict=True):
        assert document.page_content == hit.caption
        assert document.metadata["score"] == pytest.approx(hit.score, abs=1e-5)
        assert document.metadata["uri"] == hit.uri
        assert document.metadata["size"] == [256, 256]
        assert document.metadata["kind"] == hit.metadata["kind"]
        assert "image" not in document.metadata


@pytest.mark.parametrize("include_images", ["none", "thumbnail", "full"])
def test_metadata_is_plain_data(retriever: DARRetriever, include_images: str) -> None:
    for document in retriever.invoke("a red mug", include_images=include_images):
        assert json.loads(json.dumps(document.metadata, allow_nan=False)) == document.metadata


def test_the_trace_goes_with_every_document(retriever: DARRetriever) -> None:
    traces = [document.metadata["trace"] for document in retriever.invoke("a red mug")]

    assert len(traces) == K
    for trace in traces:
        assert trace["caption"] == "a red mug"
        assert (trace["generated"], trace["fallbacks"]) == (2, [])
        assert set(trace["timings"]) == {"reformulate", "generate", "encode", "fuse", "search"}


def test_stored_fields_of_taken_names_are_kept_under_others(of_pictures: DARRetriever) -> None:
    metadata = by_id(of_pictures.invoke("x"))["wide"].metadata

    assert metadata["score"] < 1.1
    assert metadata["size"] == [320, 160]
    assert metadata["trace"]["caption"] == "x"
    assert metadata["uri"].endswith("wide_one.png")
    assert "image" not in metadata
    stored = {name: metadata[f"stored_{name}"] for name in ("score", "size", "trace", "image")}
    assert stored == {"score": 5, "size": "XL", "trace": "none", "image": "front"}
    assert (metadata["colour"], metadata["price"], metadata["new"]) == ("red", 9.5, True)
    assert metadata["tags"] == ["a", "b"]


def test_documents_have_a_text_and_a_size_where_there_is_one(of_pictures: DARRetriever) -> None:
    documents = by_id(of_pictures.invoke("x"))

    assert documents["wide"].page_content == "wide one"
    assert documents["gone"].page_content == "a hat"
    assert documents["gone"].metadata["size"] is None


@pytest.mark.parametrize(
    ("include_images", "size"), [("thumbnail", (256, 128)), ("full", (320, 160))]
)
def test_images_come_as_data_urls(
    of_pictures: DARRetriever, include_images: str, size: tuple[int, int]
) -> None:
    documents = by_id(of_pictures.invoke("x", include_images=include_images))

    image = image_from_data_url(documents["wide"].metadata["image"])
    assert (image.mode, image.size) == ("RGB", size)
    assert documents["wide"].metadata["stored_image"] == "front"
    assert documents["gone"].metadata["image"] is None


def test_fields_of_one_call_win(retriever: DARRetriever) -> None:
    assert len(retriever.invoke("a mug")) == K
    assert len(retriever.invoke("a mug", k=7)) == 7
    assert len(retriever.invoke("a mug")) == K


def test_k_may_be_more_than_there_is(of_pictures: DARRetriever) -> None:
    assert len(of_pictures.invoke("x", k=1000)) == 2


def test_a_filter_is_kept_to(demo: DiffusionAugmentedRetriever) -> None:
    mugs = over(demo, filter={"kind": "mug"}, k=50)

    assert {document.metadata["kind"] for document in mugs.invoke("a red hat")} == {"mug"}
    hats = mugs.invoke("a red hat", filter={"kind": "hat", "colour": {"$ne": "red"}})
    assert {document.metadata["kind"] for document in hats} == {"hat"}
    assert "red" not in {document.metadata["colour"] for document in hats}
    kinds = {document.metadata["kind"] for document in mugs.invoke("a red hat", filter=None)}
    assert len(kinds) > 2
    assert mugs.invoke("a red hat", filter={"kind": "parrot"}) == []


def test_documents_below_a_score_are_left_out(demo: DiffusionAugmentedRetriever) -> None:
    everything = over(demo, k=10).invoke("a red mug")
    limit = everything[3].metadata["score"]

    strict = over(demo, k=10, min_score=limit)

    assert ids(strict.invoke("a red mug")) == ids(everything)[:4]
    assert ids(strict.invoke("a red mug", min_score=None)) == ids(everything)
    assert over(demo).invoke("a red mug", min_score=99) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"k": 0},
        {"k": -3},
        {"k": "many"},
        {"k": None},
        {"filter": "kind=mug"},
        {"min_score": "high"},
        {"include_images": "some"},
        {"include_images": True},
        {"open_url": "https://example.org"},
        {"retriever": "demo"},
        {"search_kwargs": {"k": 3}},
        {"where": {"kind": "mug"}},
    ],
    ids=str,
)
async def test_bad_and_unknown_fields_are_refused_everywhere(
    demo: DiffusionAugmentedRetriever, fields: dict[str, Any]
) -> None:
    generator = DrawingGenerator()
    retriever = over(demo, generator)
    (name,) = fields

    with pytest.raises(ValidationError, match=name):
        DARRetriever(**{"retriever": demo, **fields})
    with pytest.raises(ValidationError, match=name):
        retriever.invoke("a mug", **fields)
    with pytest.raises(ValidationError, match=name):
        await retriever.ainvoke("a mug", **fields)
    assert generator.calls == []


def test_a_filter_that_chroma_refuses_is_an_error(retriever: DARRetriever) -> None:
    with pytest.raises(InvalidFilterError, match="like"):
        retriever.invoke("a mug", filter={"kind": {"$like": "mug"}})


@pytest.mark.parametrize("history", [None, 5, "a mug", [5], {"role": "user", "content": "a mug"}])
def test_a_history_of_something_else_is_refused(retriever: DARRetriever, history: Any) -> None:
    with pytest.raises(InvalidInputError, match="not a list of messages"):
        retriever.invoke("a mug", chat_history=history)


def test_the_history_is_part_of_the_search(demo: DiffusionAugmentedRetriever) -> None:
    retriever = DARRetriever(retriever=demo, k=K)
    history = [HumanMessage("a handbag with two handles"), AIMessage("Which colour?")]

    with_history = retriever.invoke("make it pink", chat_history=history)
    alone = retriever.invoke("make it pink")

    assert HANDBAG.items() <= with_history[0].metadata.items()
    assert {document.metadata["kind"] for document in alone} != {"handbag"}


def test_earlier_messages_come_before_the_query(demo: DiffusionAugmentedRetriever) -> None:
    listener = Listener()
    history = [SystemMessage("Be brief."), ("human", "a handbag"), ("ai", "Which colour?")]

    over(demo, reformulator=listener).invoke("pink", chat_history=history)

    assert listener.turns == [
        ("user", "a handbag"),
        ("assistant", "Which colour?"),
        ("user", "pink"),
    ]
    assert len(history) == 3


@pytest.mark.parametrize("last", ["pink", [{"type": "text", "text": "pink"}]])
def test_a_history_that_ends_with_the_query_says_it_once(
    demo: DiffusionAugmentedRetriever, last: Any
) -> None:
    listener = Listener()
    retriever = over(demo, reformulator=listener)

    retriever.invoke("pink", chat_history=[("human", "a handbag"), HumanMessage(last)])
    assert listener.turns == [("user", "a handbag"), ("user", "pink")]
    retriever.invoke("pink", chat_history=[("human", "pink"), ("ai", "Really?")])
    assert listener.turns == [("user", "pink"), ("assistant", "Really?"), ("user", "pink")]


def test_an_empty_query_searches_with_the_history(retriever: DARRetriever) -> None:
    history = [("human", "a handbag with two handles")]

    found = retriever.invoke("", chat_history=history)

    assert ids(found) == ids(retriever.invoke("a handbag with two handles"))


def test_an_image_of_the_history_finds_itself(retriever: DARRetriever) -> None:
    (shown,) = retriever.invoke("a sofa", k=1, include_images="full")
    block = {"type": "image", "url": shown.metadata["image"]}

    found = retriever.invoke("", chat_history=[HumanMessage([block])])

    assert found[0].id == shown.id


def test_urls_are_opened_by_the_application(demo: DiffusionAugmentedRetriever) -> None:
    (shown,) = over(demo, k=1).invoke("a sofa")
    message = HumanMessage([{"type": "image", "url": "https://example.org/sofa.jpg"}])

    def open_url(_: str) -> Image.Image:
        return Image.open(shown.metadata["uri"])

    for found in (
        over(demo, open_url=open_url).invoke("", chat_history=[message]),
        over(demo).invoke("", chat_history=[message], open_url=open_url),
    ):
        assert found[0].id == shown.id
    with pytest.raises(InvalidImageError, match="message 0"):
        over(demo).invoke("", chat_history=[message])


@pytest.mark.parametrize("history", [[], [("ai", "How can I help?")], [("system", "Be brief.")]])
async def test_nothing_said_is_an_error_that_callbacks_hear_of(
    retriever: DARRetriever, history: list[Any]
) -> None:
    recorder, async_recorder = Recorder(), AsyncRecorder()

    with pytest.raises(EmptyDialogueError):
        retriever.invoke(" ", {"callbacks": [recorder]}, chat_history=history)
    with pytest.raises(EmptyDialogueError):
        await retriever.ainvoke("", {"callbacks": [async_recorder]}, chat_history=history)

    for calls in (recorder.calls, async_recorder.recorder.calls):
        assert [kind for kind, *_ in calls] == ["start", "error"]
        assert isinstance(calls[-1][2], EmptyDialogueError)


def test_a_batch_finds_what_single_searches_find(retriever: DARRetriever) -> None:
    queries = ["a red mug", "a green hat", "a sofa"]
    history = [("human", "with white dots")]

    batch = retriever.batch(queries, k=2, chat_history=history)

    assert [ids(documents) for documents in batch] == [
        ids(retriever.invoke(query, k=2, chat_history=history)) for query in queries
    ]


async def test_the_asynchronous_calls_find_the_same(retriever: DARRetriever) -> None:
    queries = ["a red mug", "a green hat"]
    alone = [ids(retriever.invoke(query)) for query in queries]

    assert [ids(await retriever.ainvoke(query)) for query in queries] == alone
    assert [ids(documents) for documents in await retriever.abatch(queries)] == alone


async def test_it_may_be_called_synchronously_while_a_loop_runs(retriever: DARRetriever) -> None:
    recorder = Recorder()

    documents = retriever.invoke("a red mug", {"callbacks": [recorder]})

    assert ids(documents) == ids(await retriever.ainvoke("a red mug"))
    assert_told(recorder.calls, documents)


def test_fields_may_be_bound_and_configured(retriever: DARRetriever) -> None:
    bound = retriever.bind(k=1, chat_history=[("human", "a mug")])
    configurable = retriever.configurable_fields(k=ConfigurableField(id="k"))

    assert ids(bound.invoke("red")) == ids(retriever.invoke("red", chat_history=["a mug"]))[:1]
    assert len(configurable.invoke("a mug", {"configurable": {"k": 2}})) == 2


def assert_told(calls: list[tuple[str, UUID, Any]], documents: list[Document]) -> None:
    """The run was told of from start to end: the text's hits, the images, the final hits."""
    kinds = [kind for kind, *_ in calls]
    assert kinds == ["start", PROGRESS_EVENT, PROGRESS_EVENT, PROGRESS_EVENT, "end"]
    assert len({run_id for _, run_id, _ in calls}) == 1
    events = [data for kind, _, data in calls if kind == PROGRESS_EVENT]
    assert_stages(events, documents)
    assert calls[-1][2] == documents


def assert_stages(events: list[dict[str, Any]], documents: list[Document]) -> None:
    assert [event["type"] for event in events] == STAGES
    assert json.loads(json.dumps(events)) == events
    text_hits, generated, hits = events
    assert len(text_hits["hits"]) == len(documents)
    assert [hit["id"] for hit in hits["hits"]] == ids(documents)
    assert [hit["score"] for hit in hits["hits"]] == [d.metadata["score"] for d in documents]
    assert text_hits["caption"] == hits["caption"] == documents[0].metadata["trace"]["caption"]
    for number, image in enumerate(generated["images"]):
        assert (image["prompt"], image["seed"]) == (hits["caption"], number)
        assert image["image"] == data_url(drawn_image(image["prompt"], number))


def test_callbacks_hear_of_every_stage(retriever: DARRetriever) -> None:
    recorder = Recorder()

    documents = retriever.invoke("a red mug", {"callbacks": [recorder]})

    assert_told(recorder.calls, documents)


async def test_asynchronous_callbacks_hear_of_every_stage(retriever: DARRetriever) -> None:
    recorder, async_recorder = Recorder(), AsyncRecorder()

    documents = await retriever.ainvoke("a red mug", {"callbacks": [recorder, async_recorder]})

    assert_told(recorder.calls, documents)
    assert_told(async_recorder.recorder.calls, documents)


def test_callbacks_of_a_batch_hear_of_their_own_search(retriever: DARRetriever) -> None:
    recorders = [Recorder(), Recorder()]

    batch = retriever.batch(
        ["a red mug", "a green hat"], [{"callbacks": [recorder]} for recorder in recorders]
    )

    for recorder, documents in zip(recorders, batch, strict=True):
        assert_told(recorder.calls, documents)


def test_without_a_generator_callbacks_hear_of_the_hits(demo: DiffusionAugmentedRetriever) -> None:
    recorder = Recorder()

    over(demo).invoke("a red mug", {"callbacks": [recorder]})

    events = [data for kind, _, data in recorder.calls if kind == PROGRESS_EVENT]
    assert [event["type"] for event in events] == ["hits"]


async def test_the_event_stream_tells_of_every_stage(retriever: DARRetriever) -> None:
    chain = retriever | RunnableLambda(len)

    events = [
        event
        async for event in chain.astream_events("a red mug", version="v2")
        if event["event"] in ("on_retriever_start", "on_retriever_end", "on_custom_event")
    ]

    assert [event["event"] for event in events] == [
        "on_retriever_start",
        *["on_custom_event"] * len(STAGES),
        "on_retriever_end",
    ]
    assert len({event["run_id"] for event in events}) == 1
    assert all(event["parent_ids"] for event in events)
    custom = [event for event in events if event["event"] == "on_custom_event"]
    assert {event["name"] for event in custom} == {PROGRESS_EVENT}
    assert_stages([event["data"] for event in custom], events[-1]["data"]["output"])


def test_a_search_answers_when_generation_fails(demo: DiffusionAugmentedRetriever) -> None:
    recorder = Recorder()
    failing = over(demo, FailingGenerator(RuntimeError("no memory")))

    documents = failing.invoke("a red mug", {"callbacks": [recorder]})

    assert ids(documents) == ids(over(demo).invoke("a red mug"))
    for document in documents:
        (fallback,) = document.metadata["trace"]["fallbacks"]
        assert "no memory" in fallback
    events = [data["type"] for kind, _, data in recorder.calls if kind == PROGRESS_EVENT]
    assert events == ["text_hits", "hits"]


@pytest.mark.parametrize("called", ["ainvoke", "astream_events"])
async def test_the_event_loop_goes_on_meanwhile(
    demo: DiffusionAugmentedRetriever, called: str
) -> None:
    generator = ThreadsOfGenerator(seconds=0.5)
    retriever = over(demo, generator, include_images="full")
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.005)
            ticks += 1

    ticker = asyncio.ensure_future(tick())
    if called == "ainvoke":
        assert await retriever.ainvoke("a mug")
    else:
        assert [event async for event in retriever.astream_events("a mug", version="v2")]
    ticker.cancel()

    # 100 would be ideal; a blocked loop comes round a few times at the most.
    assert ticks >= 20
    assert generator.threads
    assert threading.get_ident() not in generator.threads


async def test_the_texts_hits_are_told_before_images_are_there(
    demo: DiffusionAugmentedRetriever,
) -> None:
    generator = DrawingGenerator()
    drawn_by_then: list[tuple[str, int]] = []

    class Watcher(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
            drawn_by_then.append((data["type"], len(generator.calls)))

    await over(demo, generator).ainvoke("a mug", {"callbacks": [Watcher()]})

    assert drawn_by_then == [("text_hits", 0), ("generated_images", 1), ("hits", 1)]


def test_a_preset_is_opened_with_fields(tmp_path: Path, gallery_folder: Path) -> None:
    retriever = DARRetriever.from_preset(
        "demo", tmp_path / "store", cache_folder=tmp_path / "cache", k=2, filter={"kind": "mug"}
    )
    assert retriever.invoke("a red mug") == []

    opened = retriever.retriever
    ingest(gallery_folder, opened.store, opened.query_encoder.encoder)
    documents = retriever.invoke("a red mug", include_images="thumbnail")

    assert opened.store.folder == tmp_path / "store"
    assert any((tmp_path / "cache").iterdir())
    assert [document.metadata["kind"] for document in documents] == ["mug"] * 2
    assert image_from_data_url(documents[0].metadata["image"]).size == (256, 256)


def test_what_a_preset_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="parrot"):
        DARRetriever.from_preset("parrot")
    with pytest.raises(ValidationError, match="size"):
        DARRetriever.from_preset("demo", size=3)
