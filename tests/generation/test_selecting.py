"""Drawing several images for each request and keeping the most faithful one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dar_retriever import (
    DiffusionAugmentedRetriever,
    InvalidInputError,
    from_preset,
    open_generator,
)
from dar_retriever.generation import (
    Faithfulness,
    GeneratedImage,
    ImageRequest,
    NotGenerated,
    Outcome,
    SelectingGenerator,
)
from dar_retriever.presets import PRESETS
from dar_retriever.presets.beside import Beside
from dar_retriever.ranking import EncodedFaithfulness, MatchedFaithfulness

REQUESTS = [ImageRequest("a red dress", seed=4), ImageRequest("a blue mug", seed=5)]


class Greys:
    """Paints a grey that its seed decides, and nothing for the seeds that it refuses."""

    fingerprint = "greys"

    def __init__(self, refused: Sequence[int] = ()) -> None:
        self.asked: list[int] = []
        self._refused = refused

    def generate(self, requests: Sequence[ImageRequest]) -> Sequence[Outcome]:
        self.asked += [request.seed for request in requests]
        return [
            NotGenerated(request.prompt, request.seed, "refused")
            if request.seed in self._refused
            else GeneratedImage(grey(request.seed), request.prompt, request.seed)
            for request in requests
        ]


class Brightness:
    """Bright images are taken for faithful ones."""

    name = "brightness"

    def scores(self, prompts: Sequence[str], images: Sequence[Image.Image]) -> NDArray[np.float64]:
        assert len(prompts) == len(images)
        return np.array([np.asarray(image).mean() for image in images])


def grey(seed: int) -> Image.Image:
    image = Image.new("RGB", (8, 8), (seed * 37 % 251,) * 3)
    # A picture of one colour would be dropped as blank.
    image.putpixel((0, 0), (0, 255, 0))
    return image


def test_the_most_faithful_try_is_kept_with_the_seed_of_its_request() -> None:
    greys = Greys()
    made = SelectingGenerator(greys, Brightness(), tries=3).generate(REQUESTS)
    assert greys.asked == [12, 13, 14, 15, 16, 17]
    assert [(each.prompt, each.seed) for each in made] == [("a red dress", 4), ("a blue mug", 5)]
    brightest = [
        max(tries, key=lambda seed: seed * 37 % 251) for tries in ([12, 13, 14], [15, 16, 17])
    ]
    for each, seed in zip(made, brightest, strict=True):
        assert isinstance(each, GeneratedImage)
        assert each.image.tobytes() == grey(seed).tobytes()


def test_a_request_without_a_drawing_says_why() -> None:
    made = SelectingGenerator(Greys(refused=[12, 13, 14, 16]), Brightness()).generate(REQUESTS)
    assert made[0] == NotGenerated("a red dress", 4, "refused")
    assert isinstance(made[1], GeneratedImage)


def test_nothing_is_drawn_for_no_request() -> None:
    assert SelectingGenerator(Greys(), Brightness()).generate([]) == []


def test_the_fingerprint_tells_how_images_are_chosen() -> None:
    one, two = (SelectingGenerator(Greys(), Brightness(), tries=n) for n in (1, 2))
    assert len({one.fingerprint, two.fingerprint, Greys.fingerprint}) == 3


def test_tries_below_one_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="tries=0"):
        SelectingGenerator(Greys(), Brightness(), tries=0)


@pytest.mark.parametrize("kind", ["matched", "encoded"])
def test_pictures_of_a_caption_are_told_from_others(
    demo: DiffusionAugmentedRetriever, kind: str
) -> None:
    encoder = demo.query_encoder.encoder
    hits = demo.store.search(encoder.encode_texts(["a mug"])[0], 120)
    pairs = [(hit.caption, Image.open(hit.uri)) for hit in hits[:30]]
    head = Beside(PRESETS["demo"].encoder).matching
    faithful: Faithfulness = EncodedFaithfulness(encoder)
    if kind == "matched":
        faithful = MatchedFaithfulness(encoder, head)
    captions, pictures = zip(*pairs, strict=True)
    own = faithful.scores(captions, pictures)
    others = faithful.scores(captions, pictures[1:] + pictures[:1])
    assert (own > others).mean() > 0.9
    assert faithful.name
    assert len(faithful.scores([], [])) == 0


def test_a_preset_chooses_among_tries() -> None:
    query_encoder = from_preset("demo", tries=2).query_encoder
    plain = open_generator("demo")
    assert query_encoder.generator is not None
    assert plain is not None
    assert query_encoder.generator.fingerprint.startswith(f"{plain.fingerprint}, best of 2")
