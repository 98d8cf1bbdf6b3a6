"""What an agent's tool knows of a conversation, searches with, and tells the model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import DrawingGenerator, FailingGenerator
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from dar_retriever.agents import (
    FULL,
    MAX_HITS,
    THUMBNAIL,
    TOOL_DESCRIPTION,
    AgentSearch,
    Conversation,
    Event,
    IncludeImages,
    Listing,
    SearchCall,
    Unread,
    generated_as_json,
    generated_picture,
    hit_picture,
    listed_ids,
    pictures_shown,
    progress_events,
    reply_text,
    tool_description,
)
from dar_retriever.conversation.dialogue import Dialogue, Turn
from dar_retriever.encoders import OpenClipEncoder
from dar_retriever.errors import EmptyDialogueError, InvalidFilterError, InvalidInputError
from dar_retriever.generation import GeneratedImage
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.questions import FacetQuestions, NoQuestions, Question
from dar_retriever.retriever import DiffusionAugmentedRetriever, SearchResult
from dar_retriever.stores.hits import Hit, StoredImage
from dar_retriever.stores.image_store import ImageStore
from dar_retriever.support.images import image_from_data_url
from dar_retriever.trace import Trace

IDS = tuple(f"id{number}" for number in range(5))
LISTED = Listing(IDS[:3])


def shade_of(id_: str) -> int:
    return 40 * int(id_[2:])


@pytest.fixture
def store(tiny_encoder: OpenClipEncoder, tmp_path: Path) -> ImageStore:
    """Five grey pictures that their shades tell apart."""
    store = ImageStore.in_memory(tiny_encoder)
    pictures = [Image.new("RGB", (8, 8), (shade_of(id_),) * 3) for id_ in IDS]
    for id_, picture in zip(IDS, pictures, strict=True):
        picture.save(tmp_path / f"{id_}.png")
    vectors = tiny_encoder.encode_images(pictures)
    store.add(
        [
            StoredImage(id_, vector, str(tmp_path / f"{id_}.png"), f"a grey of {shade_of(id_)}")
            for id_, vector in zip(IDS, vectors, strict=True)
        ]
    )
    return store


def after(*events: Event) -> Conversation:
    conversation = Conversation()
    for event in events:
        conversation = conversation.after(event)
    return conversation


def shades(images: Sequence[Image.Image]) -> list[int]:
    return [image.getpixel((0, 0))[0] for image in images]


def user(text: str) -> Turn:
    return Turn("user", text)


def test_a_conversation_keeps_turns_and_the_last_listing(store: ImageStore):
    conversation = after(
        user("a dress"), LISTED, Turn("assistant", "which colour?"), Listing(("id4", "id2"))
    )

    assert [turn.text for turn in conversation.turns] == ["a dress", "which colour?"]
    assert conversation.listed == ("id4", "id2")
    assert (conversation.liked, conversation.rejected, conversation.notes) == ((), (), ())


@pytest.mark.parametrize("name", [2, "2", "#2", " #2 ", "id1"])
def test_hits_are_judged_by_number_and_by_id(store: ImageStore, name: int | str):
    liked = after(LISTED, SearchCall(more_like=[name]))
    rejected = after(LISTED, SearchCall(less_like=[name]))

    assert (liked.liked, liked.rejected) == (("id1",), ())
    assert (rejected.liked, rejected.rejected) == ((), ("id1",))
    assert liked.notes == rejected.notes == ()


def test_numbers_are_those_of_the_list_that_was_last(store: ImageStore):
    conversation = after(
        LISTED,
        SearchCall(more_like=[1]),
        Listing(("id4", "id3")),
        SearchCall(more_like=[1], less_like=[2, "id2"]),
    )

    assert conversation.liked == ("id0", "id4")
    assert conversation.rejected == ("id3", "id2")


def test_a_later_judgement_replaces_an_earlier_one(store: ImageStore):
    first = after(LISTED, SearchCall(more_like=[1, 2], less_like=[3]))
    second = first.after(SearchCall(more_like=["id2"], less_like=[1]))

    assert (first.liked, first.rejected) == (("id0", "id1"), ("id2",))
    assert (second.liked, second.rejected) == (("id1", "id2"), ("id0",))


def test_a_judgement_said_twice_counts_once(store: ImageStore):
    conversation = after(LISTED, SearchCall(more_like=[1, "id0", "#1"]))

    assert conversation.after(SearchCall(more_like=[1])).liked == ("id0",)


@pytest.mark.parametrize("name", [4, 0, -1, "#9", "id9", "", "two", "1.5", "9" * 5000])
def test_what_is_no_result_is_refused(store: ImageStore, name: int | str):
    conversation = after(LISTED)

    for call in (SearchCall(more_like=[1, name]), SearchCall(less_like=[name])):
        with pytest.raises(InvalidInputError) as error:
            conversation.judged(call, store)
        assert str(name).lstrip("#") in str(error.value)
        assert "a number from 1 to 3 or the id of an earlier result" in str(error.value)


def test_without_a_list_there_are_no_numbers(store: ImageStore):
    with pytest.raises(InvalidInputError, match="1: no such image; there is no earlier list"):
        Conversation().judged(SearchCall(more_like=[1]), store)
    assert Conversation().judged(SearchCall(more_like=["id1"]), store).liked == ("id1",)


def test_a_judged_image_that_is_gone_becomes_a_note_and_the_others_count(store: ImageStore):
    conversation = after(LISTED, SearchCall(more_like=[1]), SearchCall(less_like=[1, "lost"]))

    dialogue, notes = conversation.dialogue("a dress", store)

    assert (conversation.liked, conversation.rejected) == ((), ("id0", "lost"))
    assert len(dialogue.unlike) == 1
    assert notes == ("a judged image is gone: lost",)


def test_an_image_both_liked_and_turned_down_is_refused(store: ImageStore):
    with pytest.raises(InvalidInputError, match="id1: in more_like and in less_like"):
        after(LISTED).judged(SearchCall(more_like=[1, 2], less_like=["id1"]), store)


def test_what_could_not_be_read_becomes_a_note(store: ImageStore):
    conversation = after(Unread("no image"), user("a dress"), Unread("no text"))

    assert conversation.notes == ("no image", "no text")
    assert conversation.dialogue("", store)[1] == ("no image", "no text")


def test_judged_images_join_the_users_last_turn(store: ImageStore):
    shown = Image.new("RGB", (8, 8), (201,) * 3)
    conversation = after(
        user("a dress"),
        LISTED,
        Turn("user", "like the first", (shown,)),
        SearchCall(more_like=[1, 3], less_like=[2]),
        Turn("assistant", "here you are"),
    )

    dialogue, notes = conversation.dialogue("", store)

    first, last, assistant = dialogue.turns
    assert (first.like, first.unlike, assistant.like) == ((), (), ())
    assert last.text == "like the first"
    assert shades(last.images) == [201]
    assert shades(last.like) == [shade_of("id0"), shade_of("id2")]
    assert shades(last.unlike) == [shade_of("id1")]
    assert notes == ()
    assert dialogue.round == 1


def test_images_of_a_conversation_without_words_are_a_turn(store: ImageStore):
    conversation = after(LISTED, SearchCall(more_like=[1], less_like=[2]))

    dialogue, _ = conversation.dialogue("", store)

    (turn,) = dialogue.turns
    assert (turn.role, turn.text) == ("user", "")
    assert (shades(turn.like), shades(turn.unlike)) == ([0], [40])


def test_the_image_of_a_file_that_is_gone_becomes_a_note(store: ImageStore, tmp_path: Path):
    (tmp_path / "id0.png").unlink()
    (tmp_path / "id2.png").write_bytes(b"no image")
    call = SearchCall(more_like=[1, 2], less_like=[3])
    conversation = after(user("a dress"), LISTED, Unread("earlier"), call)

    dialogue, notes = conversation.dialogue("", store)

    assert shades(dialogue.like) == [shade_of("id1")]
    assert dialogue.unlike == ()
    assert notes[0] == "earlier"
    assert "a judged image was left out" in notes[1]
    assert "id0.png" in notes[1]
    assert "id2.png" in notes[2]
    # It is still one that was turned down.
    assert conversation.rejected == ("id2",)


def test_judged_images_stay_with_the_turn_that_they_were_judged_with(store: ImageStore):
    conversation = after(
        user("a dress"),
        LISTED,
        user("like the first"),
        SearchCall(more_like=[1], less_like=[2]),
        Turn("assistant", "here you are"),
        user("something else"),
        user("and more"),
    )

    dialogue, _ = conversation.dialogue("with stripes", store)

    first, second, assistant, *later = dialogue.turns
    assert (shades(second.like), shades(second.unlike)) == ([0], [40])
    for turn in (first, assistant, *later):
        assert (turn.like, turn.unlike) == ((), ())
    assert [turn.text for turn in later] == ["something else", "and more", "with stripes"]


def test_an_image_that_is_judged_again_moves_to_the_later_turn(store: ImageStore):
    earlier = after(user("a dress"), LISTED, SearchCall(more_like=[1, 2]), user("a mug"))
    later = earlier.after(SearchCall(more_like=["id0"], less_like=["id1"]))

    dress, mug = later.dialogue("", store)[0].turns

    assert (dress.like, dress.unlike) == ((), ())
    assert (shades(mug.like), shades(mug.unlike)) == ([0], [40])
    first, second = earlier.dialogue("", store)[0].turns
    assert (shades(first.like), second.like) == ([0, 40], ())


def test_what_was_judged_before_anything_was_said_joins_the_first_turn(store: ImageStore):
    conversation = after(LISTED, SearchCall(more_like=[3]), user("a dress"), user("in red"))

    dialogue, _ = conversation.dialogue("", store)

    assert [shades(turn.like) for turn in dialogue.turns] == [[80], []]


def test_what_is_judged_now_joins_the_request_and_what_was_before_does_not(store: ImageStore):
    conversation = after(user("a dress"), LISTED, SearchCall(more_like=[1]), user("a mug"))
    conversation = conversation.judged(SearchCall(more_like=[2], less_like=[3]), store)

    dress, mug, request = conversation.dialogue("a sofa", store)[0].turns

    assert [shades(turn.like) for turn in (dress, mug, request)] == [[0], [], [40]]
    assert [shades(turn.unlike) for turn in (dress, mug, request)] == [[], [], [80]]


@pytest.mark.parametrize("request_", ["", "striped", "with stripes, striped", "..."])
def test_a_request_that_says_nothing_new_adds_no_turn(store: ImageStore, request_: str):
    conversation = after(
        user("a red dress"), Turn("assistant", "plain?"), user("striped, with stripes")
    )

    dialogue, _ = conversation.dialogue(request_, store)

    assert dialogue.turns == conversation.turns


@pytest.mark.parametrize("request_", ["a blue dress", "plain", "\u88d9"])
def test_a_request_that_says_something_new_is_a_turn(store: ImageStore, request_: str):
    conversation = after(user("a red dress"), Turn("assistant", "plain?"), LISTED)
    conversation = conversation.after(SearchCall(more_like=[2]))

    dialogue, _ = conversation.dialogue(request_, store)

    assert dialogue.turns[:-1] == conversation.turns
    assert (dialogue.turns[-1].role, dialogue.turns[-1].text) == ("user", request_)
    assert shades(dialogue.turns[-1].like) == [shade_of("id1")]


def test_the_requests_of_earlier_calls_add_no_turns(store: ImageStore):
    conversation = after(user("a dress"), SearchCall(request="in an elegant style"))

    assert conversation.dialogue("", store)[0] == Dialogue.from_text("a dress")


_EVENTS = st.lists(
    st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=8))
    | st.builds(Listing, st.lists(st.sampled_from(IDS), unique=True).map(tuple))
    | st.builds(Unread, st.text(max_size=8))
    | st.builds(
        SearchCall,
        request=st.text(max_size=8),
        more_like=st.lists(st.integers(-1, 6) | st.sampled_from([*IDS, "#1", "x"]), max_size=3),
        less_like=st.lists(st.integers(-1, 6) | st.sampled_from([*IDS, "#2", "x"]), max_size=3),
    ),
    max_size=8,
)


@given(_EVENTS, st.text(max_size=12))
def test_any_conversation_can_be_followed(store: ImageStore, events: list[Event], request_: str):
    conversation = after(*events)

    dialogue, notes = conversation.dialogue(request_, store)

    judged = [*conversation.liked, *conversation.rejected]
    assert len(set(judged)) == len(judged)
    assert len(dialogue.like) <= len(set(conversation.liked) & set(IDS))
    assert len(dialogue.unlike) <= len(set(conversation.rejected) & set(IDS))
    assert len(dialogue.turns) <= len(conversation.turns) + 2
    assert notes[: len(conversation.notes)] == conversation.notes
    assert len(notes) - len(conversation.notes) == len(set(judged) - set(IDS))


def test_a_call_may_ask_for_anything_or_nothing():
    call = SearchCall()

    assert (call.request, call.k, call.filter) == ("", None, None)
    assert call.more_like == call.less_like == []
    with pytest.raises(ValidationError):
        call.k = 3


@pytest.mark.parametrize("k", [1, MAX_HITS, None])
def test_a_call_asks_for_a_number_of_hits_within_bounds(k: int | None):
    assert SearchCall(k=k).k == k


@pytest.mark.parametrize(
    "arguments",
    [
        {"k": 0},
        {"k": -1},
        {"k": MAX_HITS + 1},
        {"k": "many"},
        {"filter": "red"},
        {"filter": [3]},
        {"less_like": [{}]},
        {"request": 5},
    ],
)
def test_other_arguments_are_refused(arguments: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(arguments))):
        SearchCall.model_validate(arguments)


def test_the_schema_tells_the_model_what_each_argument_is():
    schema = SearchCall.model_json_schema()

    assert set(schema["properties"]) == {"request", "k", "filter", "more_like", "less_like"}
    assert all(field["description"] for field in schema["properties"].values())
    assert schema["required"] == list(schema["properties"])


def final(search: AgentSearch, history: Sequence[Event], **call: Any) -> SearchResult:
    *_, result = search.stages(history, SearchCall(**call))
    return result


def ids(result: SearchResult) -> list[str]:
    return [hit.id for hit in result.hits]


def listing_of(result: SearchResult) -> Listing:
    return Listing(tuple(ids(result)))


def test_a_search_gives_what_the_text_finds_and_then_the_result(
    demo: DiffusionAugmentedRetriever,
):
    history = [user("a dress"), Turn("assistant", "which colour?"), user("teal")]

    first, last = AgentSearch(demo).stages(history, SearchCall(request="teal dress", k=3))

    whole = demo.search(Dialogue(tuple(history)), 3)
    assert (first.final, last.final) == (False, True)
    assert ids(last) == ids(whole)
    assert last.trace.caption == whole.trace.caption
    assert len(first.hits) == len(last.hits) == 3


def test_the_model_says_how_many_hits_it_wants(demo: DiffusionAugmentedRetriever):
    search = AgentSearch(demo, k=2)

    assert len(final(search, [user("a dress")]).hits) == 2
    assert len(final(search, [user("a dress")], k=7).hits) == 7
    assert len(final(AgentSearch(demo), [], request="a dress").hits) == 5


def test_what_was_turned_down_never_comes_back(demo: DiffusionAugmentedRetriever):
    search, history = AgentSearch(demo, k=6), [user("something red with stripes")]
    seen: set[str] = set()
    for _ in range(4):
        stages = list(search.stages(history, SearchCall(less_like=sorted(seen))))
        for result in stages:
            assert len(result.hits) == 6
            assert seen.isdisjoint(ids(result))
        turned_down = SearchCall(less_like=[1, "#2", 3, 4, 5, 6])
        history += [listing_of(stages[-1]), turned_down, user("none of these")]
        seen.update(ids(stages[-1]))
    assert len(seen) == 24
    assert seen.isdisjoint(ids(final(search, history, k=MAX_HITS)))


def test_a_rejected_hit_that_is_liked_again_comes_back(demo: DiffusionAugmentedRetriever):
    search, history = AgentSearch(demo), [user("a red dress")]
    listing = listing_of(final(search, history))
    history += [listing, SearchCall(less_like=[1])]

    assert listing.ids[0] not in ids(final(search, history))
    assert listing.ids[0] in ids(final(search, history, more_like=[1]))


def kinds(result: SearchResult) -> list[str]:
    return [str(hit.metadata["kind"]) for hit in result.hits]


def test_the_kind_of_a_liked_hit_comes_nearer(demo: DiffusionAugmentedRetriever):
    # Without its second stage, which reads words alone.
    search = AgentSearch(DiffusionAugmentedRetriever(demo.query_encoder, demo.store), k=10)
    more = fewer = 0
    for said in ("something red", "a striped thing", "something with dots", "a blue thing"):
        history: list[Event] = [user(said)]
        before = final(search, history)
        history += [listing_of(before), user("more like that one")]
        for number in (1, 4, 8):
            kind = kinds(before)[number - 1]
            change = kinds(final(search, history, more_like=[number])).count(kind)
            change -= kinds(before).count(kind)
            more, fewer = more + (change > 0), fewer + (change < 0)

    # What it nears is all of the hit, its colour and background too.
    assert fewer <= 1
    assert more >= 4


def test_after_a_new_start_earlier_judgements_no_longer_move_the_query(
    demo: DiffusionAugmentedRetriever,
):
    words = DiffusionAugmentedRetriever(DARQueryEncoder(demo.query_encoder.encoder), demo.store)
    search = AgentSearch(words)
    listing = listing_of(final(search, [user("a red dress")]))
    history = [user("a red dress"), listing, SearchCall(more_like=[1], less_like=[2])]

    goes_on = final(search, [*history, user("with stripes")])
    anew = final(search, [*history, user("start over, a blue mug")])
    now = final(search, [*history, user("start over, a blue mug")], more_like=[3])

    assert [len(goes_on.query.liked_vectors), len(goes_on.query.rejected_vectors)] == [1, 1]
    assert [len(anew.query.liked_vectors), len(anew.query.rejected_vectors)] == [0, 0]
    fresh = words.search("a blue mug")
    np.testing.assert_allclose(anew.query.vector, fresh.query.vector, atol=1e-6)
    assert len(now.query.liked_vectors) == 1
    # What was turned down is not shown again, whatever is asked for.
    assert listing.ids[1] in anew.exclude


def test_a_liked_hit_alone_is_a_query(demo: DiffusionAugmentedRetriever):
    known = ids(demo.search("a red dress", 3))[2]

    result = final(AgentSearch(demo), [], more_like=[known])

    assert ids(result)[0] == known
    assert result.hits[0].score == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (None, True),
        ({}, True),
        ({"colour": "red"}, True),
        ({"$or": [{"kind": "mug"}, {"kind": "chair"}]}, True),
        ({"$and": [{"kind": {"$in": ["mug", "chair"]}}, {"background": {"$ne": "mint"}}]}, True),
        ({"kind": "mug"}, False),
        ({"kind": {"$ne": "chair"}}, False),
        ({"$or": [{"kind": "mug"}, {"colour": "red"}], "kind": "mug"}, False),
    ],
)
def test_the_developers_filter_holds_whatever_the_model_asks_for(
    demo: DiffusionAugmentedRetriever, asked: dict[str, Any] | None, *, found: bool
):
    search = AgentSearch(demo, where={"kind": "chair"})

    for result in search.stages([user("a mug")], SearchCall(filter=asked, k=MAX_HITS)):
        assert set(kinds(result)) == ({"chair"} if found else set())


def test_the_models_filter_narrows_the_search(demo: DiffusionAugmentedRetriever):
    asked = {"kind": "chair", "background": {"$ne": "mint"}}

    result = final(AgentSearch(demo), [user("a mug")], filter=asked, k=MAX_HITS)

    assert set(kinds(result)) == {"chair"}
    assert "mint" not in {hit.metadata["background"] for hit in result.hits}


def test_a_filter_without_meaning_is_refused(demo: DiffusionAugmentedRetriever):
    with pytest.raises(InvalidFilterError, match="like"):
        final(AgentSearch(demo), [user("a mug")], filter={"kind": {"$like": "mug"}})


def test_notes_come_before_the_searchs_own_fallbacks(
    store: ImageStore, tiny_encoder: OpenClipEncoder, tmp_path: Path
):
    failing = FailingGenerator(RuntimeError("no memory"))
    retriever = DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder, failing), store)
    (tmp_path / "id1.png").unlink()
    history = [user("a dress"), Unread("an image was too large"), LISTED]

    first, last = AgentSearch(retriever).stages(history, SearchCall(more_like=[2]))

    assert first.trace.fallbacks == last.trace.fallbacks[:2]
    unread, lost, failed = last.trace.fallbacks
    assert unread == "an image was too large"
    assert "id1.png" in lost
    assert "no memory" in failed
    for note in (unread, lost, failed):
        assert f"Note: {note}" in reply_text(last)


@pytest.mark.parametrize(
    "history",
    [
        [],
        [Turn("assistant", "what do you want?")],
        [Unread("no image")],
        [LISTED],
        [LISTED, SearchCall(less_like=[1])],
    ],
    ids=["nothing", "the assistant alone", "unread", "a listing", "a dislike alone"],
)
def test_nothing_to_search_for_is_refused(
    store: ImageStore, tiny_encoder: OpenClipEncoder, history: list[Event]
):
    search = AgentSearch(DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store))

    with pytest.raises(EmptyDialogueError):
        final(search, history)


def test_a_call_for_an_unknown_image_is_refused(store: ImageStore, tiny_encoder: OpenClipEncoder):
    search = AgentSearch(DiffusionAugmentedRetriever(DARQueryEncoder(tiny_encoder), store))

    with pytest.raises(InvalidInputError, match="5: no such image; name a number from 1 to 3"):
        final(search, [user("a dress"), LISTED], more_like=[5])


def result_of(hits: Sequence[Hit], trace: Trace) -> SearchResult:
    nothing = np.empty((0, 4), np.float32)
    vector = np.ones(4, np.float32)
    dialogue = Dialogue.from_text("a dress")
    query = EncodedQuery(dialogue, vector, None, nothing, nothing, nothing, nothing, trace)
    return SearchResult(tuple(hits), trace, query)


def test_a_reply_numbers_the_hits():
    hits = [Hit("1a", 0.9126, "", "a red dress"), Hit("2b", -0.5, "http://p/blue_dress.jpg")]

    assert reply_text(result_of(hits, Trace("a dress", fallbacks=("no image",)))) == (
        "Searched for: a dress\n"
        "Note: no image\n"
        "1. id=1a score=0.913: a red dress\n"
        "2. id=2b score=-0.500: blue dress"
    )


def test_a_reply_says_what_words_filter_and_which_do_not():
    trace = Trace("a mug", only=("price at most 50", "brand Nike"), left_out=("no size",))
    lines = reply_text(result_of([], trace)).splitlines()

    assert lines[:3] == [
        "Searched for: a mug",
        "Only: price at most 50; brand Nike",
        "Note: no size",
    ]


def test_a_reply_without_hits_says_what_to_do():
    text = reply_text(result_of([], Trace()))

    assert text == ("Searched for: the images shown\nNo image matches; ask for less.")
    assert listed_ids(text) == ()


QUESTION = Question("Which colour?", ("red", "dark blue"))
FAR = "Nothing in the collection is close to this; say so to the user."
OFFER = "The generated image shows what was understood; offer it, and say that it is generated."
HITS = [Hit("1a", 0.5, "", "a red dress"), Hit("2b", 0.4, "", "a blue dress")]
DRAWN = (GeneratedImage(Image.new("RGB", (600, 300), "red"), "a dress", 0),) * 2


def far(hits: Sequence[Hit], trace: Trace) -> SearchResult:
    return dataclasses.replace(result_of(hits, trace), close=False)


def test_a_reply_ends_with_what_to_ask_the_user():
    text = reply_text(result_of(HITS, Trace("a dress")), QUESTION)

    assert text.splitlines()[1:] == [
        "1. id=1a score=0.500: a red dress",
        "2. id=2b score=0.400: a blue dress",
        "To narrow it down, ask the user: Which colour? (red, dark blue)",
    ]
    assert listed_ids(text) == ("1a", "2b")
    open_question = reply_text(result_of(HITS, Trace("a dress")), Question("Anything else?"))
    assert open_question.splitlines()[-1] == "To narrow it down, ask the user: Anything else?"


@pytest.mark.parametrize("question", [None, QUESTION])
@pytest.mark.parametrize("drawn", [(), DRAWN])
def test_a_reply_says_when_nothing_is_close_before_it_lists_the_nearest(
    drawn: tuple[GeneratedImage, ...], question: Question | None
):
    result = far(HITS, Trace("a dog", generated=drawn, fallbacks=("no image",)))

    text = reply_text(result, question)

    _, note, said, *hits = text.splitlines()
    assert note == "Note: no image"
    assert said.startswith(f"{FAR} These images are the nearest:")
    assert said.endswith(OFFER) == bool(drawn)
    assert hits[:2] == reply_text(dataclasses.replace(result, close=True)).splitlines()[2:]
    assert len(hits) == 2 + bool(question)
    assert listed_ids(text) == ("1a", "2b")


def test_a_reply_without_hits_says_nothing_of_closeness():
    assert reply_text(far([], Trace())) == reply_text(result_of([], Trace()))


def test_where_nothing_is_close_the_first_generated_image_is_shown():
    result = far(HITS, Trace("a dog", generated=DRAWN))

    assert image_from_data_url(generated_picture(result, "full")).size == (600, 300)
    assert image_from_data_url(generated_picture(result, "thumbnail")).size == (256, 128)
    assert generated_picture(result, "none") is None
    assert generated_picture(dataclasses.replace(result, close=True), "full") is None
    assert generated_picture(far(HITS, Trace("a dog")), "full") is None


@pytest.mark.parametrize(("count", "include"), [(1, "full"), (5, "full"), (20, "thumbnail")])
def test_the_pictures_of_a_result_stay_below_a_megabyte(
    tmp_path: Path, count: int, include: IncludeImages
):
    photo = tmp_path / "camera.jpg"
    Image.effect_noise((4000, 3000), 90).convert("RGB").save(photo, quality=95)
    assert photo.stat().st_size > 2_000_000
    hits = [Hit(str(number), 0.5, str(photo)) for number in range(count)]

    shown = [picture for _, picture in pictures_shown(result_of(hits, Trace()), include)]

    assert len(shown) == count
    assert sum(map(len, shown)) < 1_000_000
    assert all(max(image_from_data_url(picture).size) <= FULL for picture in shown)


def test_progress_tells_whether_anything_is_close():
    (generated, hits) = progress_events(far(HITS, Trace("a dog", generated=DRAWN)))

    assert (generated["type"], hits["type"], hits["close"]) == ("generated_images", "hits", False)
    (hits,) = progress_events(result_of(HITS, Trace("a dress")))
    assert hits["close"] is True


def test_an_agents_search_asks_for_metadata_unless_told_otherwise(
    demo: DiffusionAugmentedRetriever,
):
    class Polite:
        def next_question(self, result: SearchResult) -> Question | None:
            return QUESTION

    class Failing:
        def next_question(self, result: SearchResult) -> Question | None:
            raise RuntimeError("no idea")

    result = final(AgentSearch(demo), [user("a handbag")])

    found, question = AgentSearch(demo).asking(result)
    assert found.hits == result.hits
    assert found.trace.agreed or found.trace.open
    assert question == FacetQuestions(demo).next_question(result)
    assert question is not None
    assert AgentSearch(demo, questioner=Polite()).asking(result) == (result, QUESTION)
    assert AgentSearch(demo, questioner=NoQuestions()).asking(result) == (result, None)
    found, question = AgentSearch(demo, questioner=Failing()).asking(result)
    assert question is None
    assert "Note: no question was found: RuntimeError: no idea" in reply_text(found)


def test_what_is_asked_keeps_to_the_developers_filter(demo: DiffusionAugmentedRetriever):
    search = AgentSearch(demo, where={"background": "mint"})
    result = final(search, [user("a handbag")], filter={"kind": {"$in": ["handbag", "sofa"]}})

    _, question = search.asking(result)

    assert set(kinds(result)) <= {"handbag", "sofa"}
    assert question is None or question.text not in ("Which background?", "Which kind?")


_CAPTIONS = st.text(max_size=40) | st.lists(
    st.sampled_from(
        [
            *("\n", "\r\n", "\r", "\v", "\x85", "\u2028", " ", "a dress"),
            *("1. id=trap score=1.000: trap", "9. id=", "trap", " score=", "id="),
        ]
    ),
    max_size=8,
).map("".join)


@given(
    st.lists(
        st.builds(
            Hit,
            st.text("0123456789abcdef", min_size=1, max_size=32),
            st.floats(-2, 2),
            st.just(""),
            _CAPTIONS,
        ),
        max_size=5,
    ),
    st.builds(Trace, _CAPTIONS, fallbacks=st.lists(_CAPTIONS, max_size=2).map(tuple)),
    st.none() | st.builds(Question, _CAPTIONS, st.lists(_CAPTIONS, max_size=3).map(tuple)),
    st.booleans(),
)
def test_the_ids_of_a_reply_are_read_back_whatever_it_says(
    hits: list[Hit],
    trace: Trace,
    question: Question | None,
    close: bool,  # noqa: FBT001 (hypothesis gives it)
):
    text = reply_text(dataclasses.replace(result_of(hits, trace), close=close), question)

    assert listed_ids(text) == tuple(hit.id for hit in hits)
    said = 1 + len(trace.fallbacks) + (question is not None) + (bool(hits) and not close)
    assert len(text.splitlines()) == said + max(1, len(hits))


@given(st.text(max_size=60))
def test_ids_are_read_from_any_text(text: str):
    assert all(isinstance(id_, str) for id_ in listed_ids(text))


def test_the_stages_of_a_search_are_events_in_their_order(demo: DiffusionAugmentedRetriever):
    stages = list(AgentSearch(demo).stages([user("a teal vase")], SearchCall(k=3)))

    events = [event for stage in stages for event in progress_events(stage)]

    assert json.loads(json.dumps(events)) == events
    assert [event["type"] for event in events] == ["text_hits", "generated_images", "hits"]
    for event, stage in ((events[0], stages[0]), (events[2], stages[1])):
        assert event["caption"] == "a teal vase"
        assert [hit["id"] for hit in event["hits"]] == ids(stage)
        assert set(event["hits"][0]) == {"id", "score", "uri", "caption"}
    images = events[1]["images"]
    assert images == generated_as_json(stages[1])
    assert [image["seed"] for image in images] == [0, 1]
    trace = stages[1].trace
    assert [image["weight"] for image in images] == [
        trace.image_weight * share for share in trace.shares
    ]
    assert {image["prompt"] for image in images} == {"a teal vase"}
    for image, generated in zip(images, stages[1].trace.generated, strict=True):
        picture = image_from_data_url(image["image"])
        assert max(picture.size) == min(THUMBNAIL, max(generated.image.size))


def test_without_drawings_there_is_one_event(store: ImageStore, tiny_encoder: OpenClipEncoder):
    for encoder in (
        DARQueryEncoder(tiny_encoder),
        DARQueryEncoder(tiny_encoder, DrawingGenerator(), images_per_turn=0),
    ):
        (result,) = DiffusionAugmentedRetriever(encoder, store).stream("a dress")

        assert [event["type"] for event in progress_events(result)] == ["hits"]


def test_a_hits_picture_is_a_thumbnail_or_in_full(tmp_path: Path):
    Image.new("RGB", (600, 300), "red").save(tmp_path / "red.png")
    hit = Hit("1a", 0.5, str(tmp_path / "red.png"))

    assert image_from_data_url(hit_picture(hit, "thumbnail")).size == (THUMBNAIL, THUMBNAIL // 2)
    assert image_from_data_url(hit_picture(hit, "full")).size == (600, 300)
    (tmp_path / "red.png").unlink()
    assert hit_picture(hit, "full") is None


def test_a_tool_without_metadata_is_described_as_it_is(store: ImageStore):
    assert tool_description(store) == TOOL_DESCRIPTION


def test_a_tool_is_described_with_the_fields_of_its_store(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    vectors = tiny_encoder.encode_texts(["a dress"] * 60)
    store.add(
        [
            StoredImage(
                f"id{n}", vectors[n], "", "", {"kind": kind, "shop": "Ada's", "name": f"No. {n}"}
            )
            for n, kind in enumerate(["mug", "hat", "mug"] * 20)
        ]
    )

    description = tool_description(store)

    assert description.startswith(f"{TOOL_DESCRIPTION} Metadata fields for the filter: ")
    assert "kind: mug, hat" in description
    assert "shop: Ada's" in description
    assert "..." not in description
    assert "No." not in description


@pytest.mark.parametrize(("values", "more"), [(12, False), (13, True), (50, True)])
def test_a_tools_description_names_twelve_values_of_a_field(
    tiny_encoder: OpenClipEncoder, values: int, *, more: bool
):
    store = ImageStore.in_memory(tiny_encoder)
    store.add(described(tiny_encoder, 2 * values, kind=lambda n: f"kind{n % values}"))

    fields = tool_description(store).removeprefix(TOOL_DESCRIPTION)

    assert fields.count("kind") == 1 + 12
    assert fields.endswith(", ...") == more


def test_a_tools_description_is_not_too_long_for_any_provider(tiny_encoder: OpenClipEncoder):
    store = ImageStore.in_memory(tiny_encoder)
    fields = {f"field{m}": lambda n: f"a value of some length {n % 20}" for m in range(9)}
    store.add(described(tiny_encoder, 40, **fields, a=lambda n: "value"))

    description = tool_description(store)

    assert len(description) <= 1024
    assert "filter: a: value; field0: a value of some length 0, " in description


def described(
    encoder: OpenClipEncoder, count: int, **fields: Callable[[int], str]
) -> list[StoredImage]:
    vectors = encoder.encode_texts(["a dress"] * count)
    return [
        StoredImage(f"id{n}", vectors[n], "", "", {name: of(n) for name, of in fields.items()})
        for n in range(count)
    ]
