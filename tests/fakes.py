"""Stand-ins for what is somebody else's code by design: generators, reformulators, models."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from random import Random
from threading import Event

from PIL import Image

from dar_retriever.conversation.dialogue import Dialogue
from dar_retriever.demo.drawing import draw
from dar_retriever.demo.products import sample_products
from dar_retriever.generation.base import GeneratedImage, ImageRequest
from dar_retriever.query_encoder import DARQueryEncoder, EncodedQuery
from dar_retriever.ranking.closeness import Verdict
from dar_retriever.reformulation.base import Reformulation
from dar_retriever.retriever import DiffusionAugmentedRetriever
from dar_retriever.stores.filters import Filter

_SIZE = 64
_PRODUCTS = sample_products(40, unseen=False, seed=0)


def drawn_image(prompt: str, seed: int) -> Image.Image:
    """A picture that prompt and seed decide alone."""
    random = Random(f"{prompt}/{seed}")
    return draw(random.choice(_PRODUCTS), _SIZE, random)


def blank_image(colour: str = "black") -> Image.Image:
    """What a safety filter leaves."""
    return Image.new("RGB", (_SIZE, _SIZE), colour)


class DrawingGenerator:
    """Draws one picture a request; takes its time where told to, and counts its calls."""

    fingerprint = "drawing"

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls: list[list[ImageRequest]] = []
        self._seconds = seconds

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.calls.append(list(requests))
        time.sleep(self._seconds)
        return [self._answer(request) for request in requests]

    def _answer(self, request: ImageRequest) -> GeneratedImage:
        image = self._image(request)
        return GeneratedImage(image, request.prompt, request.seed)

    def _image(self, request: ImageRequest) -> Image.Image:
        return drawn_image(request.prompt, request.seed)


class BlankGenerator(DrawingGenerator):
    """Gives a blank picture for each number that it is told, for all by default."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self._numbers = numbers

    def _image(self, request: ImageRequest) -> Image.Image:
        if not self._numbers or request.number in self._numbers:
            return blank_image()
        return super()._image(request)


class FailingGenerator(DrawingGenerator):
    """Raises what it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.calls.append(list(requests))
        raise self._error


class HangingGenerator(DrawingGenerator):
    """Does not answer before it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = Event()

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self.released.wait(timeout=30)
        return super().generate(requests)


class GarbageGenerator(DrawingGenerator):
    """Returns what no generator should."""

    def __init__(self, garbage: object) -> None:
        super().__init__()
        self._garbage = garbage

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        return self._garbage  # type: ignore[return-value]


class FixedReformulator:
    """Gives the same reformulation, or whatever else it is told, for every dialogue."""

    def __init__(self, reformulation: object) -> None:
        self._reformulation = reformulation

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        return self._reformulation  # type: ignore[return-value]


class FailingReformulator:
    """Raises what it is told."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def reformulate(self, dialogue: Dialogue) -> Reformulation:
        raise self._error


class PickyEncoder:
    """The encoder given, except that images that a test picks get vectors that are not finite."""

    def __init__(self, encoder: object, spoils: Callable[[Image.Image], bool]) -> None:
        self._encoder = encoder
        self._spoils = spoils

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode_images(self, images: Sequence[Image.Image]) -> object:
        vectors = self._encoder.encode_images(images)  # type: ignore[attr-defined]
        for number, image in enumerate(images):
            if self._spoils(image):
                vectors[number] = float("nan")
        return vectors


class ScriptedModel:
    """A language model that gives its replies in turn, and the last of them from then on.

    Raises replies that are errors, takes its time where told to, and keeps what it was given.
    """

    def __init__(self, *replies: object, seconds: float = 0.0) -> None:
        self.given: list[list[dict[str, str]]] = []
        self.schemas: list[type] = []
        self._replies = replies
        self._seconds = seconds

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: type, /) -> str:
        # The list may grow once this call is over.
        self.given.append([dict(message) for message in messages])
        self.schemas.append(schema)
        time.sleep(self._seconds)
        reply = self._replies[min(len(self.given), len(self._replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply  # type: ignore[return-value]


class HangingModel(ScriptedModel):
    """Does not answer before it is released."""

    def __init__(self, *replies: object) -> None:
        super().__init__(*replies)
        self.released = Event()

    def __call__(self, messages: Sequence[Mapping[str, str]], schema: type, /) -> str:
        self.released.wait(timeout=30)
        return super().__call__(messages, schema)


class FarFrom:
    """Finds nothing close where the caption holds a word."""

    def __init__(self, word: str) -> None:
        self._word = word

    def verdict(self, query: EncodedQuery, where: Filter | None = None) -> Verdict:
        far = self._word in query.trace.caption
        return Verdict(not far, "nothing is close: it is far" if far else "")


def far_from(
    word: str, retriever: DiffusionAugmentedRetriever, generator: object = None
) -> DiffusionAugmentedRetriever:
    """The same models and store, and nothing close to what a caption with a word says."""
    queries = DARQueryEncoder(retriever.query_encoder.encoder, generator, images_per_turn=1)
    return DiffusionAugmentedRetriever(queries, retriever.store, closeness=FarFrom(word))
