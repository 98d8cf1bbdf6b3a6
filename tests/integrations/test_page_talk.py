"""What is behind the page: conversations, who answers, files, rendering; without a browser."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from chat_models import Caller
from fakes import DrawingGenerator, FailingGenerator, drawn_image
from gradio_dar import (
    AgentResponder,
    Metrics,
    SearchResponder,
    Talk,
    create_app,
    play,
    turns_of,
    view,
    without_costs,
)
from gradio_dar.examples import Example, spoken
from gradio_dar.files import as_file, from_file
from gradio_dar.hit_facts import can_be_opened, in_words
from gradio_dar.meant import Meant
from gradio_dar.opening import Opening, opening_of
from gradio_dar.selecting import ids_of, put_into, zipped
from gradio_dar.session import Session
from gradio_dar.talk import readable
from gradio_dar.tiles import tile
from gradio_dar.turns import JsonLines, watched
from gradio_dar.warming import warm
from hypothesis import given
from hypothesis import strategies as st
from langchain.agents import create_agent
from langchain_dar import DARRetriever, create_image_search_tool
from PIL import Image
from shop import shop_of

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    Hit,
    ImageStore,
    InvalidImageError,
    InvalidInputError,
    LLMReformulator,
    NoQuestions,
    Part,
    Question,
    Shown,
    StoredImage,
    Turn,
)
from dar_retriever.support.images import data_url

PICTURE = drawn_image("a picture", 1)
URL = data_url(PICTURE)
HUGE = Image.new("RGB", (3000, 2000), "teal")


@pytest.fixture(scope="module")
def words(demo: DiffusionAugmentedRetriever) -> DiffusionAugmentedRetriever:
    """The demo without generated images."""
    return DiffusionAugmentedRetriever(DARQueryEncoder(demo.query_encoder.encoder), demo.store)


@pytest.fixture(scope="module")
def responder(words: DiffusionAugmentedRetriever) -> SearchResponder:
    return SearchResponder(words, 5, NoQuestions())


def say(session: Session, responder: Any, text: str, *images: Image.Image) -> Talk:
    *_, talk = session.step(lambda talk: responder.say(talk, text, images))
    return talk


def test_a_step_begins_and_ends(responder: SearchResponder):
    session = Session()
    stages = [
        talk.stage for talk in session.step(lambda talk: responder.say(talk, "a handbag", ()))
    ]

    assert stages == ["searching", "final", "final"]
    assert len(session.talk.hits) == 5
    assert session.undo()
    assert session.talk == Talk()
    assert not session.undo()


def test_a_step_that_fails_leaves_all_as_it_was(
    responder: SearchResponder, words: DiffusionAugmentedRetriever, tmp_path: Path
):
    session = Session()
    before = say(session, responder, "a handbag")
    gone = Hit("gone", 0.0, str(tmp_path / "gone.jpg"))

    with pytest.raises(InvalidImageError):
        list(session.step(lambda talk: responder.judge(talk, gone, "like")))
    assert session.talk == before

    def break_off(talk: Talk) -> Iterator[Talk]:
        yield talk.begun(talk.dialogue.say("in red"))
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(session.step(break_off))
    assert session.talk == before
    assert session.undo()
    assert session.talk == Talk()


def test_a_step_ends_where_another_begins(responder: SearchResponder):
    session = Session()
    first = session.step(lambda talk: responder.say(talk, "a handbag", ()))
    next(first)
    say(session, responder, "in red")

    assert list(first) == []
    assert [turn.text for turn in session.talk.dialogue.turns] == ["a handbag", "in red"]
    assert session.undo()
    assert session.talk.stage != "searching"
    assert [turn.text for turn in session.talk.dialogue.turns] == ["a handbag"]


def test_a_message_sent_twice_at_once_counts_once(responder: SearchResponder):
    session, turn = Session(), Turn("user", "a handbag")
    session.send(turn)
    session.send(turn)
    assert list(session.waiting) == [turn]

    step = session.step(lambda talk: responder.say(talk, turn.text, ()))
    session.waiting.clear()
    next(step)
    session.send(turn)
    assert not session.waiting
    list(step)
    # Said again later, it is meant.
    session.send(turn)
    assert list(session.waiting) == [turn]
    assert session.undo()
    assert not session.waiting


def test_a_first_message_makes_room_for_hits_while_it_waits():
    session = Session()
    assert session.shown.stage == "empty"
    session.send(Turn("user", "a mug"))
    assert session.shown.stage == "searching"
    assert session.talk.stage == "empty"
    session.undo()
    assert session.shown is session.talk


def test_starting_over_can_be_taken_back(responder: SearchResponder):
    session = Session()
    before = say(session, responder, "a handbag")
    session.start_over()

    assert session.talk == Talk()
    assert session.undo()
    assert session.talk == before


def test_of_many_turns_the_last_thirty_can_be_taken_back(
    responder: SearchResponder,
):
    session = Session()
    for turn in range(32):
        say(session, responder, f"a handbag with {turn} dots")

    assert len(session.talk.dialogue.turns) == 32
    assert len(session.talk.hits) == 5
    undone = 0
    while session.undo():
        undone += 1
    assert undone == 30


def test_large_pictures_are_kept_small(
    demo: DiffusionAugmentedRetriever, responder: SearchResponder, tmp_path: Path
):
    class Large(DrawingGenerator):
        def _image(self, request: Any) -> Image.Image:
            return super()._image(request).resize((1500, 1500))

    HUGE.save(tmp_path / "huge.jpg")
    hit = Hit("huge", 0.0, str(tmp_path / "huge.jpg"))
    queries = DARQueryEncoder(demo.query_encoder.encoder, Large(), images_per_turn=1)
    drawing = SearchResponder(DiffusionAugmentedRetriever(queries, demo.store), 5, NoQuestions())

    said = list(drawing.say(Talk(), "a handbag", ()))[-1]
    talk = list(drawing.judge(said, hit, "like"))[-1]

    assert talk.result is not None
    kept = [*talk.dialogue.like, *(made.image for made in talk.result.trace.generated)]
    kept += [made.image for made in talk.result.query.trace.generated]
    assert len(kept) == 3
    assert max(side for image in kept for side in image.size) <= 512


def test_an_answer_is_read_with_its_question(demo: DiffusionAugmentedRetriever):
    session, responder = Session(), SearchResponder(demo)
    question = say(session, responder, "a handbag").question
    assert question is not None
    talk = say(session, responder, "1")

    assert [turn.text for turn in talk.dialogue.turns[1:]] == [question.text, question.choices[0]]


def test_words_that_divide_the_hits_are_turns_to_click(words: DiffusionAugmentedRetriever):
    responder = SearchResponder(words, 8, NoQuestions())
    session = Session()
    talk = say(session, responder, "a handbag")

    assert "handbag" in [name.word for name in talk.names.common]
    chips = [name.word for name in talk.names.divides]
    assert len(chips) >= 2
    shown = view.names(talk)
    assert all(f'data-id="{word}"' in shown for word in chips)
    assert "In common: handbag" in shown
    asked = dataclasses.replace(talk, question=Question("Which look?", tuple(chips)))
    assert "data-id" not in view.names(asked)

    again = say(session, responder, chips[0])

    assert again.dialogue.turns[-1].text == chips[0]
    assert chips[0] in again.result.trace.caption
    assert chips[0] not in [name.word for name in again.names.divides]
    # A talk that is on its way has no names of the step before.
    assert view.names(again.begun(again.dialogue.say("in red"))) == ""


def test_movements_are_against_the_step_before(responder: SearchResponder):
    session = Session()
    before = say(session, responder, "a handbag")
    after = say(session, responder, "in red")

    for place, hit in enumerate(after.hits):
        ids = [other.id for other in before.hits]
        expected = ids.index(hit.id) - place if hit.id in ids else None
        assert after.moved(hit) == expected
    assert any(hit.id not in [other.id for other in before.hits] for hit in after.hits)
    assert "dar-new" in view.hits(after, Opening())


def test_texts_are_made_fit_to_be_sent_on():
    assert readable("a\ud800b") == "a?b"
    with pytest.raises(InvalidInputError, match="20,001 characters"):
        readable("a" * 20_001)


def test_what_is_rendered_is_escaped():
    hostile = '"><script>alert(1)</script>'
    turn = Turn("user", hostile)
    hit = Hit(hostile, 0.5, "nowhere.jpg", hostile, {hostile: hostile})
    assert "<script" not in view.chat((turn,), ())
    assert "<script" not in view.chat((), (Example(hostile),))
    assert "<script" not in view.trouble(hostile)
    assert "<script" not in view.status(hostile)
    assert "<script" not in view._render("details", tile=tile(Talk(), hit, 1), parts=())
    assert "<script" not in view.full_size(hit)
    assert "<script" not in view.paths([hostile])
    opening = Opening((), 1, (hit,), ((hostile, (hostile,)),))
    assert "<script" not in view.hits(Talk(), opening)


def test_details_say_what_a_hit_shows():
    shows = (
        Shown("blue", fits=True, score=0.9),
        Shown("dots", fits=False, score=0.2),
        Shown("red", fits=True, score=0.1, wanted=False),
    )
    hit = Hit("a", 0.5, "nowhere.jpg", "a mug", {}, shows=shows)
    page = view._render("details", tile=tile(Talk(), hit, 1), parts=())
    for name, value in (("blue", "yes"), ("dots", "no"), ("not red", "yes")):
        assert f'<th scope="row">{name}</th><td>{value}</td>' in page
    unknown = dataclasses.replace(hit, shows=())
    assert "What it shows" not in view._render("details", tile=tile(Talk(), unknown, 1), parts=())


def understood(session: Session) -> Meant:
    assert session.talk.result is not None
    return Meant.of(session.talk.result)


def change(session: Session, responder: Any, phrase: str, how: Any, words: str = "") -> Talk:
    meant = understood(session)
    place = [part.phrase for part in meant.parts].index(phrase)
    changed = meant.changed(place, how, words)
    *_, talk = session.step(lambda talk: responder.change(talk, changed))
    return talk


def test_each_part_of_what_was_understood_can_be_changed_and_taken_back(
    responder: SearchResponder,
):
    session = Session()
    say(session, responder, "a blue mug with white dots, no stripes")
    assert [(part.kind, part.phrase) for part in understood(session).parts] == [
        ("wanted", "mug"),
        ("wanted", "blue"),
        ("wanted", "white dots"),
        ("unwanted", "stripes"),
    ]

    change(session, responder, "white dots", "flip")
    assert understood(session) == Meant("a blue mug", ("stripes", "white dots"))
    change(session, responder, "blue", "edit", "green")
    assert understood(session) == Meant("a green mug", ("stripes", "white dots"))
    change(session, responder, "stripes", "remove")
    change(session, responder, "white dots", "flip")
    assert understood(session) == Meant("a green mug, white dots")
    talk = say(session, responder, "on a mint background")
    assert "mint background" in understood(session).caption
    assert "blue" not in understood(session).caption
    assert "mug" in talk.hits[0].title

    for _ in range(4):
        assert session.undo()
    assert understood(session) == Meant("a blue mug", ("stripes", "white dots"))
    assert session.talk.dialogue.turns[-1].text == "a blue mug. not stripes. not white dots"


def test_pictures_stay_when_words_are_changed(responder: SearchResponder):
    session = Session()
    say(session, responder, "a sofa", PICTURE)
    say(session, responder, "something else: a blue handbag", PICTURE)
    hit = session.talk.hits[0]
    *_, talk = session.step(lambda talk: responder.judge(talk, hit, "unlike"))
    assert (len(talk.searched.unlike), len(talk.searched.images)) == (1, 2)
    talk = change(session, responder, "blue", "remove")

    assert understood(session).caption == "handbag"
    # What was shown before the subject changed no longer counts.
    assert (len(talk.searched.unlike), len(talk.searched.images)) == (1, 1)
    assert talk.searched.turns[-1].text == "handbag"
    assert "blue" not in " ".join(turn.text for turn in talk.searched.turns)


def test_a_part_that_cannot_be_changed_says_why():
    meant = Meant("a mug", (), ("under 50 euros",))
    with pytest.raises(InvalidInputError, match="no longer there"):
        meant.changed(2, "remove")
    with pytest.raises(InvalidInputError, match="no opposite"):
        meant.changed(1, "flip")
    assert meant.changed(1, "edit", "under 30 euros").filters == ("under 30 euros",)
    with pytest.raises(InvalidInputError, match="all you have said"):
        meant.changed(1, "remove").changed(0, "remove")


def test_a_store_opens_with_its_number_some_pictures_and_what_to_ask_for(
    words: DiffusionAugmentedRetriever,
):
    opening = opening_of(words.store, ())

    assert opening.count == len(words.store)
    assert 12 < len(opening.samples) <= 24
    assert "red" in dict(opening.facets)["colour"]
    shown = view.hits(Talk(), opening)
    assert "120 pictures" in shown
    assert shown.count("data-hit=") == len(opening.samples)


def test_a_conversation_that_plays_itself_is_a_real_search(
    demo: DiffusionAugmentedRetriever, words: DiffusionAugmentedRetriever
):
    turns = turns_of(words)
    scenes = play(words, turns)

    assert 1 < len(turns) == len(scenes)
    assert [scene.said for scene in scenes] == list(turns)
    assert all(len(scene.hits) == 6 for scene in scenes)
    shown = view.hits(Talk(), opening_of(words.store, (), scenes))
    assert shown.count("understood: <q>") == len(scenes)
    assert play(without_costs(demo), ["a capybara on a skateboard"]) == ()


def test_what_is_opened_ahead_costs_nothing(demo: DiffusionAugmentedRetriever):
    costs = FailingGenerator(RuntimeError("that cost something"))
    queries = DARQueryEncoder(
        demo.query_encoder.encoder, costs, reformulator=LLMReformulator(lambda _: 1 / 0)
    )
    retriever = DiffusionAugmentedRetriever(queries, demo.store, explainer=demo.explainer)

    warm(retriever)
    found = without_costs(retriever).search("a handbag", 3)

    assert costs.calls == []
    assert not found.trace.fallbacks
    assert found.hits[0].shows


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        (
            "teal trousers, plain, cropped legs, charcoal background",
            "teal trousers with cropped legs",
        ),
        ("a man riding a wave", "a man riding a wave"),
        ("a dog, running on a beach", "a dog, running on a beach"),
        ("a mug, blue", "a mug, blue"),
    ],
)
def test_examples_sound_like_people(caption: str, said: str):
    assert spoken(caption) == said


def test_a_hit_whose_file_is_gone_offers_nothing_that_fails():
    hit = Hit("a", 0.5, "/nowhere/secret/mug.jpg", "a mug", {"second_colour": "red"})
    tiles = [tile(Talk(), hit, 1)]
    shown = view._render("hits", tiles=tiles, stage="final", turn=1, close=True, nothing="")

    assert "the file is gone" in shown
    assert "data-action" not in shown
    assert not can_be_opened(hit)
    assert "nowhere" not in view.full_size(hit)
    assert ("second colour", "red") in in_words(hit)


def test_what_is_shown_later_has_the_larger_stamp():
    session = Session()
    stamps = [session.stamp() for _ in range(1000)]

    assert stamps == sorted(set(stamps))
    assert Session().stamp() > stamps[0]


def test_a_turn_that_is_stopped_keeps_what_it_found(responder: SearchResponder):
    session = Session()
    assert not session.stop()
    step = session.step(lambda talk: responder.say(talk, "a handbag", ()))
    next(step), next(step)
    assert session.stop()
    assert list(step) == []
    assert (session.talk.stage, len(session.talk.hits)) == ("final", 5)


def test_a_zip_holds_each_picture_under_a_name_of_its_own(tmp_path: Path):
    for name, image in (("a/mug.png", PICTURE), ("b/Mug.png", HUGE), ("c/mug.png", PICTURE)):
        (tmp_path / name).parent.mkdir()
        image.save(tmp_path / name)
    (tmp_path / "secret.txt").write_text("secret")
    places = [*sorted(tmp_path.glob("*/*.png")), tmp_path / "secret.txt", tmp_path / "gone.png"]
    hits = [Hit(str(number), 0.0, str(place)) for number, place in enumerate(places)]

    content = b"".join(zipped([*hits, Hit("data", 0.0, URL)]))

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = ["mug.png", "Mug (2).png", "mug (3).png", "data.jpg", "left out.txt"]
        assert archive.namelist() == names
        assert archive.read("mug.png") == (tmp_path / "a" / "mug.png").read_bytes()
        left_out = archive.read("left out.txt").decode().splitlines()
    assert [line.split(":")[0] for line in left_out] == ["secret.txt", "gone.png"]
    assert str(tmp_path) not in "".join(left_out)


def test_a_collection_is_written_beside_others(words: DiffusionAugmentedRetriever):
    encoder = words.query_encoder.encoder
    store = ImageStore.in_memory(encoder)
    vector = encoder.encode_images([PICTURE])[0]
    store.add([StoredImage(id_, vector, URL, "a mug", {"colour": "red"}) for id_ in ("a", "b")])

    assert put_into(store, ["a"], "gifts") == 1
    assert put_into(store, ["a", "b", "c"], " for  Ada ") == 2
    found = [(hit.metadata["collection"], hit.metadata["colour"]) for hit in store.get(["a", "b"])]
    assert found == [(["gifts", "for Ada"], "red"), (["for Ada"], "red")]
    with pytest.raises(InvalidInputError, match="1 to 60"):
        put_into(store, ["a"], " ")
    with pytest.raises(InvalidInputError, match="201 pictures"):
        ids_of("\n".join(map(str, range(201))))


def test_a_conversation_is_exported_as_a_page_that_loads_nothing(responder: SearchResponder):
    hostile = "<script>alert(1)</script>"
    session = Session()
    page = view.exported(say(session, responder, f"a handbag {hostile}", PICTURE))

    assert "<script" not in page
    assert page.count("data:image/jpeg") == 1 + len(session.talk.hits)
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=.(?!data:)", page)


def test_turns_are_logged_and_counted_without_words(
    responder: SearchResponder, caplog: pytest.LogCaptureFixture
):
    session = Session()
    with caplog.at_level("INFO", logger="gradio_dar"):
        with watched(None) as turn:
            for talk in session.step(lambda talk: responder.say(talk, "a handbag", ())):
                turn.shows(talk)
        with watched(None) as turn:
            turn.fails(InvalidInputError("no"))
    told = [each for each in caplog.records if each.name == "gradio_dar.turns"]
    first, second = (json.loads(JsonLines().format(each))["turn"] for each in told)
    assert (first["outcome"], first["hits"], second["outcome"]) == ("done", 5, "refused")
    assert 0 < first["first"] <= first["seconds"]
    assert "handbag" not in caplog.text

    prometheus = pytest.importorskip("prometheus_client")
    metrics = Metrics()
    with watched(metrics):
        pass
    assert 'dar_turns_total{outcome="done"} 1.0' in (
        prometheus.generate_latest(metrics.registry).decode()
    )


def test_a_locked_name_filters_also_after_another(demo: DiffusionAugmentedRetriever):
    shop = shop_of(demo)
    dialogue = Dialogue.from_text("a Puma mug").lock(Part("filter", "Puma"))

    result = shop.search(dialogue.say("something else: a handbag"), 3)

    assert result.trace.only == ("brand Puma",)
    assert "handbag" in result.trace.caption


def test_an_agents_searches_keep_what_is_locked(agent: AgentResponder):
    talk = list(agent.say(Talk(), "a blue handbag", ()))[-1].locking(Part("wanted", "blue"))

    talk = list(agent.say(talk, "a mug in red", ()))[-1]

    assert talk.result is not None
    assert "blue" in talk.result.trace.caption


def test_what_words_filter_is_shown(demo: DiffusionAugmentedRetriever):
    responder = SearchResponder(shop_of(demo))

    talk = list(responder.say(Talk(), "a Puma mug under 50 euros, size 99", ()))[-1]

    shown = view.understanding(talk, 1)
    assert "only: brand Puma; price below 50" in shown
    assert [chip.part.phrase for chip in view._chips(talk, talk.result)] == [
        "mug",
        "Puma",
        "under 50 euros",
    ]
    assert "size 99&#39; was left out: no image of the store has size 99" in shown


def test_failed_drawings_are_told(demo: DiffusionAugmentedRetriever):
    queries = DARQueryEncoder(
        demo.query_encoder.encoder, FailingGenerator(RuntimeError("no memory")), images_per_turn=1
    )
    responder = SearchResponder(DiffusionAugmentedRetriever(queries, demo.store))

    talk = list(responder.say(Talk(), "a handbag", ()))[-1]

    assert "no memory" in view.understanding(talk, 1)


def test_a_conversation_comes_back_from_its_file():
    dialogue = Dialogue().say("a handbag", PICTURE).ask("Which colour?").say("red")
    dialogue = dialogue.say(like=[PICTURE], unlike=[PICTURE])
    dialogue = dialogue.lock(Part("wanted", "red"))
    talk = Talk(dialogue, rejected=frozenset({"b", "a"}), restated=2, subject=1)
    loaded = from_file(as_file(talk).encode())
    read = loaded.dialogue

    assert (loaded.rejected, loaded.id) == ({"a", "b"}, talk.id)
    assert (loaded.restated, loaded.subject) == (2, 1)
    assert read.locked == dialogue.locked
    assert [(t.role, t.text) for t in read.turns] == [(t.role, t.text) for t in dialogue.turns]
    assert [len(images) for images in (read.images, read.like, read.unlike)] == [1, 1, 1]
    assert read.images[0].size == PICTURE.size


@given(st.binary())
def test_any_bytes_are_read_or_refused(content: bytes):
    with pytest.raises(InvalidInputError):
        from_file(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]) | JSON, "text": st.text() | JSON},
    optional={
        name: st.lists(st.just(data_url(PICTURE)) | JSON) | JSON for name in ("images", "like")
    },
)


@given(turns=st.lists(TURN | JSON) | JSON, rejected=st.lists(st.text()) | JSON)
def test_any_file_of_the_format_is_read_or_refused(turns: Any, rejected: Any):
    saved = {"format": "dar-conversation", "version": 1, "turns": turns, "rejected": rejected}
    try:
        talk = from_file(json.dumps(saved).encode())
    except InvalidInputError as error:
        str(error).encode()
    else:
        # What is read can be shown, and saved again.
        view.chat(talk.dialogue.turns, ()).encode()
        assert from_file(as_file(talk).encode()).dialogue.turns


@pytest.mark.parametrize("place", ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x.png"])
def test_a_file_opens_neither_paths_nor_urls(place: str):
    turn = {"role": "user", "text": "", "images": [place]}
    saved = {"format": "dar-conversation", "version": 1, "turns": [turn], "rejected": []}

    with pytest.raises(InvalidImageError, match="only data:image"):
        from_file(json.dumps(saved).encode())


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"turns": [{"role": "user", "text": "a"}] * 201}, "201 turns"),
        ({"turns": [{"role": "user", "text": "a", "like": ["x"] * 101}]}, "101 pictures"),
        ({"turns": [{"role": "user", "text": "a" * 20_001}]}, "20,001 characters"),
        ({"rejected": ["a"] * 101}, "are the most"),
        ({"version": 2}, "version 2"),
        ({"turns": [{"role": "assistant", "text": "Which colour?"}]}, "no word and no image"),
        ({"restated": 1}, "no place among 1 turns"),
        ({"locked": [["perhaps", "red"]]}, "nothing that could be locked"),
    ],
)
def test_files_that_are_too_much_or_too_new_are_refused(changed: dict[str, Any], problem: str):
    saved = json.loads(as_file(Talk(Dialogue.from_text("a handbag"))))

    with pytest.raises(InvalidInputError, match=problem):
        from_file(json.dumps(saved | changed).encode())


def test_pictures_of_a_file_are_kept_small():
    turn = {"role": "user", "text": "", "images": [data_url(HUGE)]}
    saved = {"format": "dar-conversation", "version": 1, "turns": [turn], "rejected": []}

    assert max(from_file(json.dumps(saved).encode()).dialogue.images[0].size) == 512


@pytest.fixture
def model() -> Caller:
    return Caller(arguments=lambda said: {"request": said})


@pytest.fixture
def agent(words: DiffusionAugmentedRetriever, model: Caller) -> AgentResponder:
    def build(retriever: DiffusionAugmentedRetriever) -> Any:
        tool = create_image_search_tool(DARRetriever(retriever=retriever, k=5))
        return create_agent(model, [tool])

    return AgentResponder(words, build)


def test_an_agents_hits_come_before_its_answer(agent: AgentResponder):
    talks = list(agent.say(Talk(), "a handbag", ()))

    assert [(talk.stage, len(talk.hits)) for talk in talks] == [
        ("searching", 0),
        ("final", 5),
        ("final", 5),
    ]
    assert [turn.role for turn in talks[-1].dialogue.turns] == ["user", "assistant"]
    assert len(talks[-1].messages) == 4


def test_an_agent_searches_as_the_retriever_is_set_to(words: DiffusionAugmentedRetriever):
    retriever = DiffusionAugmentedRetriever(
        words.query_encoder, words.store, word_filters=False, refine=True
    )
    given: list[DiffusionAugmentedRetriever] = []

    AgentResponder(retriever, given.append)

    assert vars(given[0]) == vars(retriever)


def test_an_agent_is_told_which_hit_is_meant(agent: AgentResponder, model: Caller):
    talk = list(agent.say(Talk(), "a handbag", ()))[-1]
    hit = talk.hits[1]

    liked = list(agent.judge(talk, hit, "like"))[-1]
    turned_down = list(agent.judge(liked, hit, "unlike"))[-1]

    assert len(liked.dialogue.like) == 1
    assert turned_down.rejected == {hit.id}
    said = [str(message.text) for message in model.given[-1] if message.type == "human"]
    assert said[1:] == [f"More like number 2 (id={hit.id}).", said[2]]
    assert said[2].startswith("Not like number")


def test_an_agent_takes_up_a_conversation_at_the_users_last_turn(
    agent: AgentResponder, model: Caller
):
    dialogue = Dialogue().say("like this", like=[PICTURE]).ask("Which colour?").say("red")
    dialogue = dialogue.ask("Here they are.")

    talk = list(agent.again(Talk(dialogue, rejected=frozenset({"x"}))))[-1]

    read = model.given[0]
    assert [(message.type, str(message.text)) for message in read] == [
        ("human", "like thisMore like this:"),
        ("ai", "Which colour?"),
        ("human", "red"),
    ]
    assert "data:image/jpeg" in str(read[0].content)
    assert [turn.text for turn in talk.dialogue.turns][:3] == ["like this", "Which colour?", "red"]
    assert talk.rejected == {"x"}


def test_an_agent_that_fails_ends_the_step(words: DiffusionAugmentedRetriever):
    def fail(_: str) -> dict[str, Any]:
        raise ConnectionError("the model is away")

    def build(retriever: DiffusionAugmentedRetriever) -> Any:
        tool = create_image_search_tool(DARRetriever(retriever=retriever))
        return create_agent(Caller(arguments=fail), [tool])

    with pytest.raises(ConnectionError, match="the model is away"):
        list(AgentResponder(words, build).say(Talk(), "a handbag", ()))


def test_a_page_keeps_conversations_for_a_day_and_offers_no_calls(
    words: DiffusionAugmentedRetriever,
):
    app = create_app(words, users=3)

    (state,) = (block for block in app.blocks.values() if isinstance(block, gr.State))
    assert state.time_to_live == 24 * 3600
    assert not app.analytics_enabled
    assert {function.api_visibility for function in app.fns.values()} == {"private"}
    limits = {function.concurrency_limit for function in app.fns.values() if function.fn}
    assert limits == {3, None}
