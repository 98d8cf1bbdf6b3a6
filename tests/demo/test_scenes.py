"""Scenes are drawn and put into words as they are."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from dar_retriever.demo.products import BACKGROUNDS, COLOURS, KINDS
from dar_retriever.demo.scenes import (
    RELATIONS,
    SCENE_FIELDS,
    Scene,
    draw_scene,
    plural,
    sample_scenes,
    scene_caption,
    scene_description,
)

SCENE = Scene("mug", "red", "two", "left of", "boot", "blue", "sand")


def middle_of(colour: str, scene: Scene) -> np.ndarray:
    """The mean place, x and y, of a colour in the scene's picture."""
    picture = np.asarray(draw_scene(scene, 128, Random(0)), np.float32)
    near = np.abs(picture - np.array(COLOURS[colour], np.float32)).sum(2) < 60
    return np.argwhere(near).mean(0)[::-1]


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_first_things_stand_where_the_relation_says(relation: str):
    scene = Scene("mug", "red", "two", relation, "boot", "blue", "sand")
    way = middle_of("red", scene) - middle_of("blue", scene)

    assert way @ np.array(RELATIONS[relation]) > 30


def test_two_things_fill_more_than_one():
    alone = Scene("mug", "red", "one", "left of", "boot", "blue", "sand")
    red = [
        (np.abs(np.asarray(draw_scene(s, 128, Random(0)), int) - COLOURS["red"]).sum(2) < 60).sum()
        for s in (alone, SCENE)
    ]

    assert red[1] > 1.5 * red[0]


def test_the_same_random_state_draws_the_same_picture():
    first, again, other = (draw_scene(SCENE, 64, Random(n)).tobytes() for n in (1, 1, 2))

    assert first == again != other


def test_scenes_are_distinct_seeded_and_split_into_seen_and_unseen():
    unseen = sample_scenes(200, unseen=True, seed=3)

    assert len(set(unseen)) == 200
    assert sample_scenes(50, unseen=True, seed=3) == unseen[:50]
    assert all(scene.unseen for scene in unseen)
    assert not any(scene.unseen for scene in sample_scenes(50, unseen=False, seed=3))
    for scene in unseen:
        assert {scene.kind, scene.other_kind} <= set(KINDS)
        assert scene.kind != scene.other_kind
        assert scene.colour != scene.other_colour
        assert scene.background in BACKGROUNDS


def test_a_caption_tells_what_it_is_asked_to():
    assert scene_description(SCENE) == "two red mugs left of a blue boot, sand background"
    for seed in range(20):
        text = scene_caption(SCENE, SCENE_FIELDS, Random(seed))
        assert "two red " in text
        assert "left of a blue boot" in text
        assert "sand" in text
        bare = scene_caption(SCENE, (), Random(seed))
        assert not any(word in bare for word in ("two", "red", "left", "blue", "sand"))


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("red mug", "red mugs"),
        ("dress", "dresses"),
        ("blue trousers", "pairs of blue trousers"),
        ("table lamp", "table lamps"),
        ("couch", "couches"),
        ("brolly", "brollies"),
    ],
)
def test_plurals(noun: str, expected: str):
    assert plural(noun) == expected
