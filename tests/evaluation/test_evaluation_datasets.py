from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.gallery import gallery_products
from dar_retriever.demo.simulated_user import ROUNDS, simulate
from dar_retriever.errors import InvalidInputError
from dar_retriever.evaluation.datasets import Dataset, load_dataset, missing_images
from dar_retriever.evaluation.demo_dataset import demo_dataset

# Published files; they lie beside a checkout where the project is developed, never in it.
PUBLISHED = Path(__file__).parents[3] / "shared" / "data"
needs_published = pytest.mark.skipif(
    not (PUBLISHED / "search_space_val_50k.json").is_file(),
    reason=f"the published benchmark files are not in {PUBLISHED}",
)

POOL = ["a/1.jpg", "a/2.jpg", "b/3.jpg"]
FIRST = {"img": "b/3.jpg", "dialog": ["a red dress", "striped? yes, blue", "long? no"]}
SECOND = {"img": "a/1.jpg", "dialog": ["a hat", "what colour? grey", ""]}
ENTRIES = [FIRST, SECOND]


def write(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def load(folder: Path, entries: Any = ENTRIES, pool: Any = POOL, **options: Any) -> Dataset:
    dialogues = write(folder / "dialogues.json", entries)
    return load_dataset(dialogues, write(folder / "pool.json", pool), **options)


def refusal(folder: Path, entries: Any = ENTRIES, pool: Any = POOL, **options: Any) -> str:
    with pytest.raises(InvalidInputError) as refused:
        load(folder, entries, pool, **options)
    return str(refused.value)


def refusal_of_content(folder: Path, content: bytes) -> str:
    dialogues = folder / "dialogues.json"
    dialogues.write_bytes(content)
    with pytest.raises(InvalidInputError) as refused:
        load_dataset(dialogues, write(folder / "pool.json", POOL))
    assert str(dialogues) in str(refused.value)
    return str(refused.value)


def test_a_case_is_the_dialogue_after_each_answer(tmp_path: Path):
    dataset = load(tmp_path)

    assert dataset.name == "dialogues"
    assert dataset.rounds == 3
    assert dataset.pool == tuple(POOL)
    assert not dataset.whole_queries
    assert [case.id for case in dataset.cases] == ["0", "1"]
    assert [case.target for case in dataset.cases] == [2, 0]
    for case, entry in zip(dataset.cases, ENTRIES, strict=True):
        assert [state.round for state in case.rounds] == [0, 1, 2]
        for n, state in enumerate(case.rounds):
            assert state == Dialogue.from_visdial(entry["dialog"][: n + 1], case.id)


def test_the_states_of_a_case_share_their_turns(tmp_path: Path):
    first, _, last = load(tmp_path).cases[0].rounds

    assert first.turns[0] is last.turns[0]


def test_whole_queries_stand_alone(tmp_path: Path):
    entries = [{"img": "a/2.jpg", "dialog": ["a dress", "a red dress", "is it? a long one"]}]

    dataset = load(tmp_path, entries, whole_queries=True, name="rewritten")

    assert (dataset.name, dataset.whole_queries, dataset.rounds) == ("rewritten", True, 3)
    assert dataset.cases[0].rounds == tuple(
        Dialogue.from_text(text, "0") for text in entries[0]["dialog"]
    )


def test_paths_are_relative_to_the_pools_folder_unless_told(tmp_path: Path):
    assert load(tmp_path).path(2) == tmp_path / "b" / "3.jpg"
    assert load(tmp_path, root=tmp_path / "coco").path(0) == tmp_path / "coco" / "a" / "1.jpg"
    assert load(tmp_path, root=str(tmp_path / "coco")).root == tmp_path / "coco"


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path):
    dialogues = tmp_path / "dialogues.json"
    dialogues.write_text(json.dumps(ENTRIES), encoding="utf-8-sig")

    assert len(load_dataset(dialogues, write(tmp_path / "pool.json", POOL)).cases) == 2


def test_a_folder_is_a_pool(tmp_path: Path):
    images = tmp_path / "images"
    for name in ("b/3.jpg", "a/2.JPG", "a/1.jpg", "a-b.png", "notes.txt"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).touch()
    dialogues = write(tmp_path / "dialogues.json", ENTRIES)

    dataset = load_dataset(str(dialogues), str(images))

    assert dataset.pool == ("a-b.png", "a/1.jpg", "a/2.JPG", "b/3.jpg")
    assert dataset.root == images
    assert dataset.path(dataset.cases[0].target) == images / "b" / "3.jpg"
    assert missing_images(dataset) == []
    assert load_dataset(dialogues, images, tmp_path).root == tmp_path


@pytest.mark.parametrize("which", ["dialogues", "pool"])
@pytest.mark.parametrize("name", ["missing.json", "nul\0.json", "long" * 100])
def test_a_missing_file_is_refused(tmp_path: Path, which: str, name: str):
    files = {
        "dialogues": write(tmp_path / "dialogues.json", ENTRIES),
        "pool": write(tmp_path / "pool.json", POOL),
        which: tmp_path / name,
    }

    with pytest.raises(InvalidInputError, match=r"cannot be read .*check the path") as refused:
        load_dataset(**files)
    assert repr(str(tmp_path / name)) in str(refused.value)


def test_a_folder_of_dialogues_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInputError, match="cannot be read"):
        load_dataset(tmp_path, write(tmp_path / "pool.json", POOL))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path):
    dialogues = write(tmp_path / "dialogues.json", ENTRIES)
    dialogues.chmod(0)

    with pytest.raises(InvalidInputError, match="Permission denied"):
        load_dataset(dialogues, write(tmp_path / "pool.json", POOL))


def test_a_folder_without_images_is_no_pool(tmp_path: Path):
    (tmp_path / "images").mkdir()

    with pytest.raises(InvalidInputError, match=r"images'.* holds no image .*\.png"):
        load_dataset(write(tmp_path / "dialogues.json", ENTRIES), tmp_path / "images")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'[\n{"img": 1,}]', "broken JSON at line 2, column 11"),
        (b"<html>\n<p>Not found</p></html>", "broken JSON at line 1, column 1"),
        (b"[] []", "broken JSON at line 1, column 4"),
        (b'["a\n", "b"]', "broken JSON at line 1"),
        (b'[\n"caf\xe9"]', "line 2 is not UTF-8"),
        (b"[" * 200_000, "beyond what can be read"),
        (b"[" + b"1" * 5000 + b"]", "beyond what can be read"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes, said: str):
    assert said in refusal_of_content(tmp_path, content)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_file_that_was_cut_off_anywhere_is_called_so(tmp_path: Path, indent: int | None):
    text = json.dumps(
        [{"img": "b/3.jpg", "dialog": ['caf\u00e9 "x"\\'], "n": [1.5e-3, None, True, -2]}],
        indent=indent,
    )
    content = text.replace('"x', '"\u00e9').encode()
    assert b"\\u00e9" in content
    assert "é".encode() in content

    for length in range(1, len(content)):
        begun = content[:length]
        message = refusal_of_content(tmp_path, begun)
        # Nothing but a line's break may be left of the last line.
        lines = {part.count(b"\n") + 1 for part in (begun, begun.rstrip())}
        assert any(f"cut off at line {line}," in message for line in lines), begun


@pytest.mark.parametrize("value", [{}, {"0": FIRST}, "text", 3, None, True, []])
def test_only_a_filled_list_is_a_dataset(tmp_path: Path, value: Any):
    message = refusal(tmp_path, value)
    assert "dialogues.json" in message
    assert "a JSON list of dialogues" in message
    message = refusal(tmp_path, pool=value)
    assert "pool.json" in message
    assert "a JSON list of image paths" in message


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("a/1.jpg", "'a/1.jpg' is no object"),
        ([], "[] is no object"),
        ({"dialog": FIRST["dialog"]}, "is no object with 'img' and 'dialog'"),
        ({"img": "a/1.jpg"}, "is no object with 'img' and 'dialog'"),
        ({**FIRST, "img": 7}, "img=7"),
        ({**FIRST, "img": None}, "img=None"),
        ({**FIRST, "dialog": "a red dress"}, "dialog='a red dress'"),
        ({**FIRST, "dialog": {}}, "dialog={}"),
        ({**FIRST, "dialog": []}, "dialog=[]"),
        ({**FIRST, "dialog": ["a", "b", 3]}, "dialog=['a', 'b', 3]"),
        ({**FIRST, "dialog": ["a", ["q?", "a"], "c"]}, "dialog=['a', ['q?', 'a'], 'c']"),
        ({**FIRST, "dialog": ["a", "b"]}, "has 2 rounds, but entry 0 has 3"),
        ({**FIRST, "dialog": [*FIRST["dialog"], "b"]}, "has 4 rounds, but entry 0 has 3"),
        ({**FIRST, "dialog": [" \n", "b", "c"]}, "round 0 is blank (' \\n')"),
        ({**FIRST, "dialog": ["a", "b", "\ud83d"]}, "'\\ud83d', half of a character"),
        ({**FIRST, "img": "3.jpg"}, "target '3.jpg' is not in the pool"),
    ],
)
def test_an_unfit_entry_is_refused_by_its_number(tmp_path: Path, entry: Any, said: str):
    message = refusal(tmp_path, [FIRST, entry, SECOND])

    assert "dialogues.json" in message
    assert "entry 1 (counted from 0)" in message
    assert said in message


def test_a_target_outside_the_pool_is_refused_with_the_pools_spelling(tmp_path: Path):
    message = refusal(tmp_path, [{**FIRST, "img": "val/9.jpg"}])

    assert "entry 0" in message
    assert "'val/9.jpg'" in message
    assert "pool.json" in message
    assert "'a/1.jpg'" in message


def test_a_blank_whole_query_is_refused_in_any_round(tmp_path: Path):
    assert load(tmp_path, [SECOND]).rounds == 3
    assert "round 2 is blank" in refusal(tmp_path, [SECOND], whole_queries=True)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (["a/1.jpg", 2], "entry 1 (counted from 0): 2 is not a path"),
        ([["a/1.jpg"]], "entry 0 (counted from 0): ['a/1.jpg'] is not a path"),
        (["a/1.jpg", " "], "entry 1 (counted from 0): ' ' is not a path"),
        ([*POOL, "a/2.jpg"], "entry 3 (counted from 0): 'a/2.jpg' stands at entry 1 already"),
        (ENTRIES, "entry 0"),
    ],
)
def test_an_unfit_pool_is_refused(tmp_path: Path, pool: Any, said: str):
    message = refusal(tmp_path, pool=pool)

    assert "pool.json" in message
    assert said in message


def test_a_long_value_is_told_in_short(tmp_path: Path):
    assert len(refusal(tmp_path, [{"img": "x" * 10_000, "dialog": ["a"]}])) < 800
    assert len(refusal(tmp_path, [["x" * 10_000] * 1000])) < 2000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(POOL),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["img", "dialog", "x"]), inner)
    ),
    max_leaves=12,
)
texts = st.text(st.characters(), max_size=8)
near_entries = st.fixed_dictionaries(
    {
        "img": st.sampled_from(POOL) | json_values,
        "dialog": st.lists(texts, min_size=1, max_size=3) | json_values,
    }
)


@given(value=json_values | st.lists(near_entries, max_size=3), whole=st.booleans())
def test_any_json_is_loaded_or_refused(tmp_path: Path, *, value: Any, whole: bool):
    try:
        dataset = load(tmp_path, value, whole_queries=whole)
    except InvalidInputError as error:
        str(error).encode()
        return
    assert len(dataset.cases) == len(value)
    assert len(dataset.fingerprint) == 16
    for case, entry in zip(dataset.cases, value, strict=True):
        assert POOL[case.target] == entry["img"]
        assert len(case.rounds) == len(entry["dialog"]) == dataset.rounds
        assert [state.round for state in case.rounds] == (
            [0] * dataset.rounds if whole else list(range(dataset.rounds))
        )


@given(json_values | st.lists(st.text(max_size=4), unique=True))
def test_any_json_is_a_pool_or_refused(tmp_path: Path, value: Any):
    for pool in (value, [*POOL, *value] if isinstance(value, list) else value):
        try:
            dataset = load(tmp_path, pool=pool)
        except InvalidInputError as error:
            str(error).encode()
            continue
        assert list(dataset.pool) == pool
        assert len(dataset.fingerprint) == 16
        assert missing_images(dataset, limit=len(pool) + 1)


@given(st.binary(max_size=20))
def test_any_bytes_are_refused(tmp_path: Path, content: bytes):
    assert refusal_of_content(tmp_path, content)


def test_the_fingerprint_does_not_know_where_the_files_lie(tmp_path: Path):
    here = load(tmp_path / "here")
    there = load(tmp_path / "there", root=tmp_path, name="other")

    assert len(here.fingerprint) == 16
    assert int(here.fingerprint, 16) >= 0
    assert here.fingerprint == there.fingerprint


def test_a_folder_and_a_list_of_it_have_one_fingerprint(tmp_path: Path):
    for name in POOL:
        write(tmp_path / "images" / name, "")
    listed = load(tmp_path)

    assert load_dataset(tmp_path / "dialogues.json", tmp_path / "images").fingerprint == (
        listed.fingerprint
    )


def test_whatever_changes_the_figures_changes_the_fingerprint(tmp_path: Path):
    single = [{**FIRST, "dialog": ["a red dress"]}]
    datasets = [
        load(tmp_path),
        load(tmp_path, [SECOND, FIRST]),
        load(tmp_path, [FIRST]),
        load(tmp_path, [{**FIRST, "img": "a/2.jpg"}, SECOND]),
        load(tmp_path, [{**FIRST, "dialog": ["a red dress", "striped? yes", "long? no"]}, SECOND]),
        load(tmp_path, [FIRST, {**SECOND, "dialog": ["a hat", "what colour? grey", "x"]}]),
        load(tmp_path, pool=[*POOL, "c/4.jpg"]),
        load(tmp_path, pool=POOL[::-1]),
        load(tmp_path, [FIRST], whole_queries=True),
        load(tmp_path, single),
        load(tmp_path, single, whole_queries=True),
    ]

    assert len({dataset.fingerprint for dataset in datasets}) == len(datasets)


def test_missing_images_are_the_first_of_the_pool(tmp_path: Path):
    pool = [f"{n % 3}/{n}.jpg" for n in range(30)]
    entries = [{"img": pool[0], "dialog": ["a dress"]}]
    dataset = load(tmp_path, entries, pool)
    absent = {4, 5, 9, 20, 21, 22, 29}
    for n, name in enumerate(pool):
        if n not in absent:
            write(tmp_path / name, "")
    # A folder of that name is no image.
    (tmp_path / pool[4]).mkdir(parents=True)

    assert missing_images(dataset) == [tmp_path / pool[n] for n in (4, 5, 9, 20, 21)]
    assert missing_images(dataset, limit=1) == [tmp_path / pool[4]]
    assert len(missing_images(dataset, limit=100)) == len(absent)
    moved = dataclasses.replace(dataset, root=tmp_path / "nowhere")
    assert missing_images(moved, 2) == [moved.path(0), moved.path(1)]


def test_images_given_by_absolute_or_indirect_paths_are_found(tmp_path: Path):
    image = write(tmp_path / "elsewhere" / "1.jpg", "")
    pool = [str(image), "../elsewhere/./1.jpg"]
    entries = [{"img": str(image), "dialog": ["a dress"]}]

    dataset = load(tmp_path / "here", entries, pool)

    assert missing_images(dataset) == []
    assert dataset.path(0) == image


def test_at_least_one_missing_image_is_looked_for(tmp_path: Path):
    with pytest.raises(InvalidInputError, match="limit=0"):
        missing_images(load(tmp_path), 0)


def test_the_demos_dialogues_are_those_of_the_benchmark(tmp_path: Path):
    calls: list[tuple[int, int]] = []

    dataset = demo_dataset(
        tmp_path, dialogues=5, products=60, progress=lambda *done: calls.append(done)
    )

    products = gallery_products(60)
    targets = Random(1).sample(range(60), 5)
    assert (dataset.name, dataset.rounds, dataset.whole_queries) == ("demo", ROUNDS + 1, False)
    assert dataset.root == tmp_path / "pictures"
    assert dataset.pool == tuple(f"{n:05d}.jpg" for n in range(60))
    assert [case.target for case in dataset.cases] == targets
    assert [case.id for case in dataset.cases] == list("01234")
    for seed, (case, target) in enumerate(zip(dataset.cases, targets, strict=True)):
        played = simulate(products[target], seed).dialogue
        assert case.rounds == tuple(played.at_round(n) for n in range(ROUNDS + 1))
        assert case.rounds[-1] == played
    assert calls[-1] == (60, 60)
    assert missing_images(dataset) == []
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_the_demos_pictures_are_drawn_once(tmp_path: Path):
    first = demo_dataset(tmp_path, dialogues=2, products=6)
    kept, lost = first.path(0), first.path(3)
    before, drawn = kept.stat().st_mtime_ns, lost.read_bytes()
    lost.unlink()

    again = demo_dataset(tmp_path, dialogues=3, products=6)

    assert kept.stat().st_mtime_ns == before
    assert lost.read_bytes() == drawn
    assert again.cases[:2] == first.cases
    assert again.fingerprint != first.fingerprint
    larger = demo_dataset(tmp_path, dialogues=2, products=8)
    assert larger.path(0) == kept
    assert kept.stat().st_mtime_ns == before
    assert gallery_products(8)[:6] == gallery_products(6)
    assert demo_dataset(tmp_path, dialogues=2, products=6) == first


@pytest.mark.parametrize("listing", [None, "no JSON\n", "3\n3\n", "{}\n{}\n"])
def test_pictures_of_unknown_origin_are_not_searched(tmp_path: Path, listing: str | None):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "00000.jpg").touch()
    if listing is not None:
        (tmp_path / "pictures" / "metadata.jsonl").write_text(listing)

    with pytest.raises(InvalidInputError, match="not the demo's; name another folder"):
        demo_dataset(tmp_path, dialogues=1, products=2)


def test_a_stopped_drawing_goes_on(tmp_path: Path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo_dataset(tmp_path / "stopped", dialogues=1, products=9, progress=stop)

    dataset = demo_dataset(tmp_path / "stopped", dialogues=1, products=3)

    fresh = demo_dataset(tmp_path / "fresh", dialogues=1, products=3)
    assert [dataset.path(n).read_bytes() for n in range(3)] == [
        fresh.path(n).read_bytes() for n in range(3)
    ]


@pytest.mark.parametrize(
    ("dialogues", "gallery"), [(0, 5), (-1, 5), (6, 5), (0, 0), (1, 0), (1, 1_000_000)]
)
def test_impossible_demo_sizes_are_refused(tmp_path: Path, dialogues: int, gallery: int):
    with pytest.raises(InvalidInputError, match=f"products={gallery}"):
        demo_dataset(tmp_path, dialogues, gallery)
    assert not list(tmp_path.iterdir())


@needs_published
def test_the_published_dialogues_are_read():
    dataset = load_dataset(
        PUBLISHED / "visdial_val_dialogues.json", PUBLISHED / "search_space_val_50k.json"
    )

    assert (len(dataset.cases), dataset.rounds, len(dataset.pool)) == (2064, 11, 50_000)
    first, last = dataset.cases[0], dataset.cases[-1]
    assert (first.id, last.id) == ("0", "2063")
    assert dataset.pool[first.target] == "unlabeled2017/000000185565.jpg"
    assert dataset.path(first.target) == PUBLISHED / "unlabeled2017" / "000000185565.jpg"
    for case in dataset.cases:
        assert [state.round for state in case.rounds] == list(range(11))
    assert [turn.text for turn in first.rounds[1].turns] == [
        "a bedroom is filled with lots of posters and a busy computer desk",
        "is the photo in color?",
        "yes",
    ]


@needs_published
def test_the_published_rewritten_dialogues_are_read():
    pool = PUBLISHED / "search_space_val_50k.json"
    plain = load_dataset(PUBLISHED / "visdial_val_dialogues.json", pool)

    dataset = load_dataset(PUBLISHED / "visdial_val_reformulated.json", pool, whole_queries=True)

    assert (len(dataset.cases), dataset.rounds, len(dataset.pool)) == (2064, 11, 50_000)
    assert [(c.id, c.target) for c in dataset.cases] == [(c.id, c.target) for c in plain.cases]
    assert {len(state.turns) for case in dataset.cases for state in case.rounds} == {1}
    assert dataset.fingerprint != plain.fingerprint
