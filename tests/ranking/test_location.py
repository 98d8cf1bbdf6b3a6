"""Where in a picture a thing is."""

from __future__ import annotations

from random import Random

import pytest

from dar_retriever import Locator, open_encoder
from dar_retriever.demo.scenes import RELATIONS, draw_scene, sample_scenes
from dar_retriever.encoders.base import JointEncoder
from dar_retriever.errors import InvalidInputError


@pytest.fixture(scope="module")
def encoder() -> JointEncoder:
    return open_encoder("demo")


def test_each_of_two_things_is_found_on_its_side(encoder: JointEncoder) -> None:
    locator = Locator(encoder)
    scenes = [scene for scene in sample_scenes(20, unseen=True, seed=9) if scene.count == "one"]
    for number, scene in enumerate(scenes[:3]):
        image = draw_scene(scene, 128, Random(number))
        across, down = RELATIONS[scene.relation]
        first = locator.box(image, f"{scene.colour} {scene.kind}")
        other = locator.box(image, f"{scene.other_colour} {scene.other_kind}")
        axis = 0 if across else 1
        between = (first[axis] + first[axis + 2]) - (other[axis] + other[axis + 2])
        assert between * (across or down) > 0
        assert all(0 <= share <= 1 + 1e-9 for share in (*first, *other))


def test_what_is_looked_for_has_a_name(encoder: JointEncoder) -> None:
    with pytest.raises(InvalidInputError, match="name the thing"):
        Locator(encoder).box(
            draw_scene(sample_scenes(1, unseen=True, seed=1)[0], 8, Random(0)), " "
        )
