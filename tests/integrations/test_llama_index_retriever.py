"""The image search as LlamaIndex's retriever."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import DrawingGenerator, FailingGenerator, drawn_image
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.retrieval import RetrievalEndEvent, RetrievalStartEvent
from llama_index.core.memory import BaseMemory, ChatMemoryBuffer, Memory
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, QueryBundle
from llama_index_dar import ChatQueryBundle, DARRetriever, ImageSearchEvent
from PIL import Image
from pydantic import Field

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    EmptyDialogueError,
    GeneratedImage,
    ImageAccess,
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
from dar_retriever.agents import IncludeImages
from dar_retriever.support.images import data_url, image_from_data_url, read_image

K = 3
STAGES = ["text_hits", "generated_images", "hits"]
# The gallery of 120 holds one of them.
HANDBAG = {"kind": "handbag", "colour": "pink", "detail": "two handles"}
REMOTE = "https://example.org/remote_hat.png"


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


class Recorder(BaseEventHandler):
    """Keeps what LlamaIndex tells of retrievals."""

    events: list[BaseEvent] = Field(default_factory=list)
    heard: Callable[[BaseEvent], None] | None = None

    def handle(self, event: BaseEvent, **_: Any) -> None:
        if isinstance(event, RetrievalStartEvent | RetrievalEndEvent | ImageSearchEvent):
            self.events.append(event)
            if self.heard:
                self.heard(event)

    @property
    def progress(self) -> list[dict[str, Any]]:
        """What was told while searches went on."""
        return [event.progress for event in self.events if isinstance(event, ImageSearchEvent)]


class WaitingGenerator(DrawingGenerator):
    """Draws once it is let, and keeps whether it was and in which threads."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()
        self.asked: list[tuple[bool, int]] = []

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.begun.set()
        self.asked.append((self.let.wait(10), threading.get_ident()))
        return super().generate(requests)


def over(
    demo: DiffusionAugmentedRetriever,
    generator: ImageGenerator | None = None,
    reformulator: Listener | None = None,
    **options: Any,
) -> DARRetriever:
    """A retriever over the demo's gallery with parts of one's own."""
    query_encoder = DARQueryEncoder(
        demo.query_encoder.encoder, generator, reformulator=reformulator, images_per_turn=2
    )
    opened = DiffusionAugmentedRetriever(query_encoder, demo.store)
    return DARRetriever(opened, **{"k": K, **options})


@pytest.fixture
def retriever(demo: DiffusionAugmentedRetriever) -> DARRetriever:
    return over(demo, DrawingGenerator())


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Hears every event of LlamaIndex."""
    handler, root = Recorder(), get_dispatcher()
    before = list(root.event_handlers)
    root.add_event_handler(handler)
    yield handler
    root.event_handlers = before


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: OpenClipEncoder) -> ImageStore:
    """A wide picture with metadata of all kinds, one whose file is gone, one that is remote."""
    folder = tmp_path_factory.mktemp("pictures")
    image = drawn_image("a wide one", 0).resize((320, 160))
    image.save(folder / "wide_one.png")
    store = ImageStore.in_memory(tiny_encoder)
    taken = {"score": 5, "size": "XL", "trace": "none", "image": "front"}
    sizes = {"width": 320, "height": 160}
    plain = {"colour": "red", "price": 9.5, "new": True, "tags": ["a", "b"]}
    vectors = tiny_encoder.encode_images([image, *(drawn_image("another", n) for n in (1, 2))])
    store.add(
        [
            StoredImage(
                "wide", vectors[0], str(folder / "wide_one.png"), "", taken | sizes | plain
            ),
            StoredImage("gone", vectors[1], str(folder / "gone.png"), "a hat"),
            StoredImage("remote", vectors[2], REMOTE),
        ]
    )
    return store


def of(pictures: ImageStore, encoder: OpenClipEncoder, **options: Any) -> DARRetriever:
    opened = DiffusionAugmentedRetriever(DARQueryEncoder(encoder), pictures)
    return DARRetriever(opened, **options)


def ids(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [node.node_id for node in nodes]


def image_node(node: NodeWithScore) -> ImageNode:
    assert isinstance(node.node, ImageNode)
    return node.node


def by_id(nodes: Sequence[NodeWithScore]) -> dict[str, ImageNode]:
    return {node.node_id: image_node(node) for node in nodes if node.node_id != "gone"}


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def assistant(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=text)


def test_nodes_are_the_hits_of_the_search(demo: DiffusionAugmentedRetriever) -> None:
    result = demo.search("a red mug", k=7)

    nodes = DARRetriever(demo, k=7).retrieve("a red mug")

    assert ids(nodes) == [hit.id for hit in result.hits]
    for node, hit in zip(nodes, result.hits, strict=True):
        assert node.score == node.metadata["score"] == pytest.approx(hit.score, abs=1e-5)
        assert node.text == hit.caption
        assert image_node(node).image_path == node.metadata["uri"] == hit.uri
        assert image_node(node).image_mimetype == "image/jpeg"
        assert (image_node(node).image, image_node(node).image_url) == (None, None)
        assert node.metadata["size"] == [256, 256]
        assert node.metadata["kind"] == hit.metadata["kind"]
    relevances = [node.metadata["relevance"] for node in nodes]
    assert relevances == sorted(relevances, reverse=True)


@pytest.mark.parametrize("include_images", ["none", "thumbnail", "full"])
def test_metadata_and_nodes_are_plain_data(
    demo: DiffusionAugmentedRetriever, include_images: str
) -> None:
    for node in over(demo, DrawingGenerator(), include_images=include_images).retrieve("a mug"):
        assert json.loads(json.dumps(node.metadata, allow_nan=False)) == node.metadata
        assert ImageNode.from_json(node.node.to_json()) == node.node


def test_the_trace_goes_with_every_node(retriever: DARRetriever) -> None:
    traces = [node.metadata["trace"] for node in retriever.retrieve("a red mug")]

    assert len(traces) == K
    for trace in traces:
        assert trace["caption"] == "a red mug"
        assert (trace["generated"], trace["fallbacks"]) == (2, [])
        assert set(trace["timings"]) == {"reformulate", "generate", "encode", "fuse", "search"}


@pytest.mark.parametrize("mode", [MetadataMode.LLM, MetadataMode.EMBED])
def test_models_read_what_was_stored_and_nothing_else(
    pictures: ImageStore, tiny_encoder: OpenClipEncoder, mode: MetadataMode
) -> None:
    node = by_id(of(pictures, tiny_encoder).retrieve("x"))["wide"]

    lines = node.get_content(mode).split("\n")

    assert set(lines) == {
        "colour: red",
        "price: 9.5",
        "new: True",
        "tags: ['a', 'b']",
        "stored_score: 5",
        "stored_size: XL",
        "stored_trace: none",
        "stored_image: front",
        "",
        "wide one",
    }
    for name in ("trace", "uri", "score", "size", "width", "height"):
        assert name in node.metadata
        assert f"{name}:" not in [line.split(" ")[0] for line in lines]


def test_stored_fields_of_taken_names_are_kept_under_others(
    pictures: ImageStore, tiny_encoder: OpenClipEncoder
) -> None:
    metadata = by_id(of(pictures, tiny_encoder).retrieve("x"))["wide"].metadata

    assert metadata["score"] < 1.1
    assert metadata["size"] == [320, 160]
    assert metadata["trace"]["caption"] == "x"
    assert metadata["uri"].endswith("wide_one.png")
    stored = {name: metadata[f"stored_{name}"] for name in ("score", "size", "trace", "image")}
    assert stored == {"score": 5, "size": "XL", "trace": "none", "image": "front"}
    assert (metadata["colour"], metadata["price"], metadata["new"]) == ("red", 9.5, True)


def test_nodes_have_a_text_and_say_where_the_image_is(
    pictures: ImageStore, tiny_encoder: OpenClipEncoder
) -> None:
    found = of(pictures, tiny_encoder).retrieve("x")
    nodes = by_id(found)

    assert {node.node_id: node.text for node in found} == {
        "wide": "wide one",
        "gone": "a hat",
        "remote": "remote hat",
    }
    assert Path(nodes["wide"].image_path or "").name == "wide_one.png"
    assert nodes["wide"].image_mimetype == "image/png"
    assert nodes["wide"].image_url is None
    assert (nodes["remote"].image_path, nodes["remote"].image_url) == (None, REMOTE)


@pytest.mark.parametrize(
    ("include_images", "size"), [("thumbnail", (256, 128)), ("full", (320, 160))]
)
def test_images_come_in_base64(
    pictures: ImageStore, tiny_encoder: OpenClipEncoder, include_images: str, size: tuple[int, int]
) -> None:
    nodes = by_id(of(pictures, tiny_encoder, include_images=include_images).retrieve("x"))

    content = nodes["wide"].resolve_image()
    assert not isinstance(content, str)
    image = read_image(content.read())
    assert (image.mode, image.size) == ("RGB", size)
    assert nodes["wide"].image_mimetype == "image/jpeg"
    assert nodes["remote"].image is None


@pytest.mark.parametrize("include_images", ["none", "thumbnail"])
def test_a_hit_whose_file_is_gone_is_a_text_node_that_says_so(
    pictures: ImageStore, tiny_encoder: OpenClipEncoder, include_images: IncludeImages
) -> None:
    found = of(pictures, tiny_encoder, include_images=include_images).retrieve("x")

    (gone,) = (node for node in found if node.node_id == "gone")
    assert not isinstance(gone.node, ImageNode)
    assert (gone.metadata["missing"], gone.metadata["size"]) == (True, None)
    assert gone.metadata["uri"].endswith("gone.png")
    # An image node would look for the file here, and fail.
    (block,) = gone.node.get_content_blocks()
    assert isinstance(block, TextBlock)
    assert block.text == "a hat"
    for node in by_id(found).values():
        assert "missing" not in node.metadata


def test_a_node_becomes_a_block_that_the_search_reads(demo: DiffusionAugmentedRetriever) -> None:
    (shown,) = over(demo, k=1, include_images="full").retrieve("a sofa")

    found = over(demo).retrieve_chat([ChatMessage(blocks=shown.node.get_content_blocks())])

    assert found[0].node_id == shown.node_id


def test_k_may_be_more_than_there_is(pictures: ImageStore, tiny_encoder: OpenClipEncoder) -> None:
    assert len(of(pictures, tiny_encoder, k=1000).retrieve("x")) == 3


@pytest.mark.parametrize("k", [0, -3])
def test_no_nodes_cannot_be_asked_for(demo: DiffusionAugmentedRetriever, k: int) -> None:
    with pytest.raises(InvalidInputError, match=f"k={k}"):
        DARRetriever(demo, k=k)
    with pytest.raises(InvalidInputError, match=f"k={k}"):
        DARRetriever.from_preset("demo", k=k)


def test_a_filter_is_kept_to(demo: DiffusionAugmentedRetriever) -> None:
    mugs = over(demo, filter={"kind": "mug"}, k=50).retrieve("a red hat")
    hats = over(demo, filter={"kind": "hat", "colour": {"$ne": "red"}}).retrieve("a red hat")

    assert {node.metadata["kind"] for node in mugs} == {"mug"}
    assert {node.metadata["kind"] for node in hats} == {"hat"}
    assert "red" not in {node.metadata["colour"] for node in hats}
    assert over(demo, filter={"kind": "parrot"}).retrieve("a red hat") == []


async def test_a_filter_that_chroma_refuses_is_an_error(demo: DiffusionAugmentedRetriever) -> None:
    retriever = over(demo, filter={"kind": {"$like": "mug"}})

    with pytest.raises(InvalidFilterError, match="like"):
        retriever.retrieve("a mug")
    with pytest.raises(InvalidFilterError, match="like"):
        await retriever.aretrieve("a mug")


def test_nodes_below_a_score_are_left_out(demo: DiffusionAugmentedRetriever) -> None:
    everything = over(demo, k=10).retrieve("a red mug")
    limit = everything[3].score

    strict = over(demo, k=10, min_score=limit)

    assert ids(strict.retrieve("a red mug")) == ids(everything)[:4]
    assert over(demo, min_score=99).retrieve("a red mug") == []


def test_a_query_may_show_an_image(demo: DiffusionAugmentedRetriever, tmp_path: Path) -> None:
    listener = Listener()
    (sofa,) = over(demo, k=1).retrieve("a sofa")
    path = image_node(sofa).image_path
    access = ImageAccess(folders=(tmp_path, Path(path or "").parent))
    retriever = over(demo, reformulator=listener, open_url=access.open)

    assert retriever.retrieve(QueryBundle("", image_path=path))[0].node_id == sofa.node_id
    retriever.retrieve(QueryBundle("like this", image_path=path))
    assert listener.turns == [("user", "like this")]
    assert len(listener.heard[-1].images) == 1
    with pytest.raises(InvalidImageError, match=r"No such file.*check the path"):
        retriever.retrieve(QueryBundle("like this", image_path=str(tmp_path / "gone.png")))


def test_the_path_of_a_query_is_not_opened_unless_it_is_allowed(
    demo: DiffusionAugmentedRetriever,
) -> None:
    (sofa,) = over(demo, k=1).retrieve("a sofa")
    path = image_node(sofa).image_path

    with pytest.raises(InvalidImageError, match=r"open_url=ImageAccess"):
        over(demo).retrieve(QueryBundle("like this", image_path=path))


async def test_every_way_to_ask_finds_the_same(retriever: DARRetriever) -> None:
    expected = ids(retriever.retrieve("a red mug"))

    assert ids(retriever.retrieve(QueryBundle("a red mug"))) == expected
    assert ids(retriever.retrieve(ChatQueryBundle("a red mug"))) == expected
    assert ids(retriever.retrieve_chat([user("a red mug")])) == expected
    assert ids(await retriever.aretrieve("a red mug")) == expected
    assert ids(await retriever.aretrieve(QueryBundle("a red mug"))) == expected
    assert ids(await retriever.aretrieve_chat([user("a red mug")])) == expected


def test_the_conversation_is_part_of_the_search(demo: DiffusionAugmentedRetriever) -> None:
    retriever = DARRetriever(demo, k=K)
    messages = [user("a handbag with two handles"), assistant("Which colour?")]

    found = retriever.retrieve(ChatQueryBundle("make it pink", messages=messages))
    alone = retriever.retrieve("make it pink")

    assert HANDBAG.items() <= found[0].metadata.items()
    assert ids(found) == ids(retriever.retrieve_chat([*messages, user("make it pink")]))
    assert {node.metadata["kind"] for node in alone} != {"handbag"}


def test_earlier_messages_come_before_the_query(demo: DiffusionAugmentedRetriever) -> None:
    listener = Listener()
    retriever = over(demo, reformulator=listener)
    system = ChatMessage(role="system", content="Be brief.")
    messages = [system, user("a handbag"), assistant("Which colour?")]
    expected = [("user", "a handbag"), ("assistant", "Which colour?"), ("user", "pink")]

    retriever.retrieve(ChatQueryBundle("pink", messages=messages))
    assert listener.turns == expected
    retriever.retrieve_chat([*messages, user("pink")])
    assert listener.turns == expected
    retriever.retrieve_chat(messages)
    assert listener.turns == expected[:2]
    assert len(messages) == 3


@pytest.mark.parametrize("last", ["pink", " pink\n"])
def test_messages_that_end_with_the_query_say_it_once(
    demo: DiffusionAugmentedRetriever, last: str
) -> None:
    listener = Listener()
    retriever = over(demo, reformulator=listener)

    retriever.retrieve(ChatQueryBundle("pink", messages=[user("a handbag"), user(last)]))
    assert listener.turns == [("user", "a handbag"), ("user", "pink")]
    retriever.retrieve(ChatQueryBundle("pink", messages=[user(last), assistant("Really?")]))
    assert listener.turns == [("user", "pink"), ("assistant", "Really?"), ("user", "pink")]


def test_urls_are_opened_by_the_application(demo: DiffusionAugmentedRetriever) -> None:
    (shown,) = over(demo, k=1).retrieve("a sofa")
    messages = [ChatMessage(blocks=[TextBlock(text=""), ImageBlock(url=REMOTE)])]

    def open_url(_: str) -> Image.Image:
        return Image.open(shown.metadata["uri"])

    assert over(demo, open_url=open_url).retrieve_chat(messages)[0].node_id == shown.node_id
    with pytest.raises(InvalidImageError, match="message 0"):
        over(demo).retrieve_chat(messages)


async def test_nothing_said_is_an_error(retriever: DARRetriever) -> None:
    for query in ("", " ", QueryBundle(""), ChatQueryBundle("", messages=[assistant("Hello.")])):
        with pytest.raises(EmptyDialogueError):
            retriever.retrieve(query)
        with pytest.raises(EmptyDialogueError):
            await retriever.aretrieve(query)
    with pytest.raises(EmptyDialogueError):
        retriever.retrieve_chat([])
    with pytest.raises(EmptyDialogueError):
        await retriever.aretrieve_chat([ChatMessage(role="system", content="Be brief.")])


@pytest.fixture(params=[ChatMemoryBuffer, Memory])
def remembered(request: pytest.FixtureRequest) -> Iterator[BaseMemory]:
    """An empty memory of each kind."""
    memory: BaseMemory = request.param.from_defaults(token_limit=10_000)
    yield memory
    if isinstance(memory, Memory):
        engine = memory.sql_store._async_engine  # type: ignore[attr-defined]
        if engine:
            asyncio.run(engine.dispose())


def test_a_memory_is_the_conversation_before_every_query(
    demo: DiffusionAugmentedRetriever, remembered: BaseMemory
) -> None:
    listener = Listener()
    retriever = over(demo, reformulator=listener)
    bound = retriever.with_memory(remembered)
    remembered.put(user("a handbag"))

    bound.retrieve("pink")
    assert listener.turns == [("user", "a handbag"), ("user", "pink")]
    remembered.put_messages([assistant("Which colour?"), user("pink")])
    bound.retrieve("pink")
    assert listener.turns == [
        ("user", "a handbag"),
        ("assistant", "Which colour?"),
        ("user", "pink"),
    ]
    bound.retrieve(ChatQueryBundle("a hat"))
    assert listener.turns == [("user", "a hat")]
    retriever.retrieve("pink")
    assert listener.turns == [("user", "pink")]
    assert len(remembered.get_all()) == 3
    remembered.reset()
    bound.retrieve("pink")
    assert listener.turns == [("user", "pink")]


async def test_a_memory_is_asked_asynchronously(
    demo: DiffusionAugmentedRetriever, remembered: BaseMemory
) -> None:
    listener = Listener()
    bound = over(demo, reformulator=listener, memory=remembered)
    await remembered.aput(user("a handbag"))

    asynchronously = await bound.aretrieve("pink")
    assert listener.turns == [("user", "a handbag"), ("user", "pink")]
    synchronously = bound.retrieve("pink")
    assert listener.turns == [("user", "a handbag"), ("user", "pink")]
    assert ids(asynchronously) == ids(synchronously)


async def test_what_a_full_memory_has_put_away_still_counts(
    demo: DiffusionAugmentedRetriever,
) -> None:
    listener = Listener()
    remembered = Memory.from_defaults(token_limit=20, token_flush_size=5)
    for number in range(10):
        await remembered.aput(user(f"number {number}"))
        await remembered.aput(assistant("Is that so?"))

    await over(demo, reformulator=listener).with_memory(remembered).aretrieve("pink")

    assert len(await remembered.aget()) < 20
    assert listener.turns[0] == ("user", "number 0")
    assert len(listener.turns) == 21


def assert_told(events: Sequence[BaseEvent], query: Any, nodes: list[NodeWithScore]) -> None:
    """All was told from start to end: the text's hits, the images, the final hits."""
    start, *stages, end = events
    assert isinstance(start, RetrievalStartEvent)
    assert isinstance(end, RetrievalEndEvent)
    assert start.str_or_query_bundle == end.str_or_query_bundle == query
    assert end.nodes == nodes
    assert start.span_id == end.span_id
    assert len({stage.span_id for stage in stages}) == 1
    assert all(isinstance(stage, ImageSearchEvent) for stage in stages)
    progress = [stage.progress for stage in stages if isinstance(stage, ImageSearchEvent)]
    assert [event["type"] for event in progress] == STAGES
    assert json.loads(json.dumps(progress)) == progress
    text_hits, generated, hits = progress
    assert len(text_hits["hits"]) == len(nodes)
    assert [hit["id"] for hit in hits["hits"]] == ids(nodes)
    assert [hit["score"] for hit in hits["hits"]] == [node.score for node in nodes]
    assert text_hits["caption"] == hits["caption"] == nodes[0].metadata["trace"]["caption"]
    for number, image in enumerate(generated["images"]):
        assert (image["prompt"], image["seed"]) == (hits["caption"], number)
        assert image["image"] == data_url(drawn_image(image["prompt"], number))
        assert image_from_data_url(image["image"]).mode == "RGB"


def test_event_handlers_hear_of_every_stage(retriever: DARRetriever, recorder: Recorder) -> None:
    nodes = retriever.retrieve("a red mug")

    assert_told(recorder.events, "a red mug", nodes)
    event = recorder.events[1]
    assert isinstance(event, ImageSearchEvent)
    assert event.class_name() == "ImageSearchEvent"
    assert json.loads(event.model_dump_json())["progress"] == event.progress


async def test_event_handlers_hear_of_every_stage_asynchronously(
    retriever: DARRetriever, recorder: Recorder
) -> None:
    query = QueryBundle("a red mug")

    nodes = await retriever.aretrieve(query)

    assert_told(recorder.events, query, nodes)


async def test_the_texts_hits_are_told_before_images_are_there(
    demo: DiffusionAugmentedRetriever, recorder: Recorder
) -> None:
    generator = DrawingGenerator()
    drawn_by_then: list[tuple[str, int]] = []

    def heard(event: BaseEvent) -> None:
        if isinstance(event, ImageSearchEvent):
            drawn_by_then.append((event.progress["type"], len(generator.calls)))

    recorder.heard = heard
    over(demo, generator).retrieve("a mug")
    assert drawn_by_then == [("text_hits", 0), ("generated_images", 1), ("hits", 1)]
    drawn_by_then.clear()
    await over(demo, generator).aretrieve("a red mug")
    assert drawn_by_then == [("text_hits", 1), ("generated_images", 2), ("hits", 2)]


def test_without_a_generator_handlers_hear_of_the_hits(
    demo: DiffusionAugmentedRetriever, recorder: Recorder
) -> None:
    over(demo).retrieve("a red mug")

    assert [event["type"] for event in recorder.progress] == ["hits"]


def test_handlers_hear_only_of_what_is_above_the_score(
    demo: DiffusionAugmentedRetriever, recorder: Recorder
) -> None:
    over(demo, DrawingGenerator(), min_score=99).retrieve("a red mug")

    assert [event.get("hits") for event in recorder.progress] == [[], None, []]


async def test_the_callback_manager_hears_of_the_retrieval(
    demo: DiffusionAugmentedRetriever,
) -> None:
    debug = LlamaDebugHandler(print_trace_on_end=False)
    retriever = over(demo, callback_manager=CallbackManager([debug]))

    found = [retriever.retrieve("a red mug"), await retriever.aretrieve("a hat")]

    pairs = debug.get_event_pairs(CBEventType.RETRIEVE)
    payloads = [(start.payload or {}, end.payload or {}) for start, end in pairs]
    assert [start[EventPayload.QUERY_STR] for start, _ in payloads] == ["a red mug", "a hat"]
    assert [end[EventPayload.NODES] for _, end in payloads] == found


async def test_the_event_loop_goes_on_meanwhile(demo: DiffusionAugmentedRetriever) -> None:
    generator = WaitingGenerator()
    searching = asyncio.create_task(over(demo, generator).aretrieve("a mug"))

    # Only a loop that goes on gets here before the generator has given up waiting.
    assert await asyncio.to_thread(generator.begun.wait, 10)
    generator.let.set()

    assert await searching
    ((was_let, thread),) = generator.asked
    assert was_let
    assert thread != threading.get_ident()


async def test_parallel_calls_find_what_single_calls_find(
    demo: DiffusionAugmentedRetriever, recorder: Recorder
) -> None:
    retriever = over(demo, DrawingGenerator(seconds=0.01))
    queries = [
        *(f"a {colour} {kind}" for colour in ("red", "teal", "pink") for kind in ("mug", "hat")),
        *("a sofa with cushions", "a long dress", "a lamp on a yellow background", "a handbag"),
    ]
    alone = [retriever.retrieve(query) for query in queries]
    recorder.events.clear()

    together = await asyncio.gather(*map(retriever.aretrieve, queries))

    def found(nodes: Sequence[NodeWithScore]) -> list[tuple[str, float | None]]:
        return [(node.node_id, node.score) for node in nodes]

    assert list(map(found, together)) == list(map(found, alone))
    assert len({tuple(ids(nodes)) for nodes in together}) > 5
    for query, nodes in zip(queries, together, strict=True):
        (span,) = (
            event.span_id
            for event in recorder.events
            if isinstance(event, RetrievalStartEvent) and event.str_or_query_bundle == query
        )
        assert_told([event for event in recorder.events if event.span_id == span], query, nodes)


def test_a_search_answers_when_generation_fails(
    demo: DiffusionAugmentedRetriever, recorder: Recorder
) -> None:
    nodes = over(demo, FailingGenerator(RuntimeError("no memory"))).retrieve("a red mug")

    assert [event["type"] for event in recorder.progress] == ["text_hits", "hits"]
    assert ids(nodes) == ids(over(demo).retrieve("a red mug"))
    for node in nodes:
        (fallback,) = node.metadata["trace"]["fallbacks"]
        assert "no memory" in fallback


def test_a_preset_is_opened_with_options(tmp_path: Path, gallery_folder: Path) -> None:
    retriever = DARRetriever.from_preset(
        "demo",
        tmp_path / "store",
        cache_folder=tmp_path / "cache",
        k=2,
        filter={"kind": "mug"},
        include_images="thumbnail",
    )
    assert retriever.retrieve("a red mug") == []

    opened = retriever.retriever
    ingest(gallery_folder, opened.store, opened.query_encoder.encoder)
    nodes = retriever.retrieve("a red mug")

    assert opened.store.folder == tmp_path / "store"
    assert any((tmp_path / "cache").iterdir())
    assert [node.metadata["kind"] for node in nodes] == ["mug"] * 2
    assert image_node(nodes[0]).image is not None


def test_what_a_preset_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="parrot"):
        DARRetriever.from_preset("parrot")
    with pytest.raises(TypeError, match="size"):
        DARRetriever.from_preset("demo", size=3)
