"""Which pictures drawings start from, in a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import pytest
from fakes import DrawingGenerator

from dar_retriever import (
    DARQueryEncoder,
    Dialogue,
    DiffusionAugmentedRetriever,
    GeneratedImage,
    ImageRequest,
    InvalidInputError,
    from_preset,
)
from dar_retriever.ranking import Candidates, Ending, HitStarts
from dar_retriever.support.images import open_image

COUNT = 3


class Starting(DrawingGenerator):
    """Draws as the other one does, and says that it began with the picture."""

    def _answer(self, request: ImageRequest) -> GeneratedImage:
        start = request.start.id if request.start else ""
        return dataclasses.replace(super()._answer(request), start=start)


class FirstFit:
    """Says that so many of the first hits fit, or fails."""

    def __init__(self, count: int | None) -> None:
        self._count = count

    def fitting(self, candidates: Candidates) -> int | None:
        if self._count is not None and self._count < 0:
            raise RuntimeError("no idea")
        return self._count


Opener = Callable[..., DiffusionAugmentedRetriever]


@pytest.fixture
def opened(demo: DiffusionAugmentedRetriever) -> Iterator[Opener]:
    def over(
        generator: DrawingGenerator, ending: Ending | None = None, **options: int
    ) -> DiffusionAugmentedRetriever:
        assert demo.ending is not None
        return DiffusionAugmentedRetriever(
            DARQueryEncoder(demo.query_encoder.encoder, generator, images_per_turn=COUNT),
            demo.store,
            second_stage=demo.second_stage,
            starts=HitStarts(ending or demo.ending, **options),
        )

    return over


def starts_of(generator: DrawingGenerator) -> list[str]:
    return [request.start.id if request.start else "" for request in generator.calls[-1]]


def test_each_drawing_starts_from_another_fitting_hit(opened: Opener) -> None:
    generator = Starting()
    first, result = opened(generator).stream("a mug")
    assert starts_of(generator) == [hit.id for hit in first.hits[:COUNT]]
    for request, hit in zip(generator.calls[0], first.hits, strict=False):
        assert request.start is not None
        assert request.start.image.tobytes() == hit.open().tobytes()
        assert hit.metadata["kind"] == "mug"
    assert [image.start for image in result.trace.generated] == starts_of(generator)
    assert "3 of 3 images were drawn from pictures" in result.trace.reasons


@pytest.mark.parametrize("fitting", [0, None])
def test_where_nothing_fits_drawings_start_from_noise(opened: Opener, fitting: int | None) -> None:
    generator = Starting()
    result = opened(generator, FirstFit(fitting)).search("a mug")
    assert starts_of(generator) == [""] * COUNT
    assert not any("from pictures" in reason for reason in result.trace.reasons)


def test_few_hits_are_taken_in_turn(opened: Opener) -> None:
    generator = Starting()
    first, _ = opened(generator, FirstFit(5), most=2).stream("a mug")
    one, two = (hit.id for hit in first.hits[:2])
    assert starts_of(generator) == [one, two, one]


def test_the_last_liked_hit_comes_first(opened: Opener) -> None:
    generator = Starting()
    retriever = opened(generator)
    hits = retriever.search("a mug").hits
    liked = [open_image(hit.uri) for hit in hits[3:5]]
    dialogue = Dialogue.from_text("a mug").say("like these", like=liked)
    retriever.search(dialogue)
    starts = [request.start for request in generator.calls[-1]]
    assert len({start.id for start in starts if start}) == 1
    assert all(start and start.image.tobytes() == liked[1].tobytes() for start in starts)


def test_a_hit_whose_file_is_gone_is_passed_over(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = Starting()
    retriever = opened(generator)
    search = retriever.store.search

    def losing(*arguments: object) -> Sequence[object]:
        first, *rest = search(*arguments)  # type: ignore[arg-type]
        return [dataclasses.replace(first, uri="gone.png"), *rest]

    monkeypatch.setattr(retriever.store, "search", losing)
    first, _ = retriever.stream("a mug")
    there = [hit.id for hit in first.hits if not hit.missing]
    assert starts_of(generator) == there[:COUNT]


def test_a_failure_is_told_and_drawings_start_from_noise(opened: Opener) -> None:
    generator = Starting()
    result = opened(generator, FirstFit(-1)).search("a mug")
    assert starts_of(generator) == [""] * COUNT
    assert any("no picture was found to draw from" in why for why in result.trace.fallbacks)
    assert len(result.trace.generated) == COUNT


def test_the_trace_tells_of_a_generator_that_cannot(opened: Opener) -> None:
    result = opened(DrawingGenerator()).search("a mug")
    assert "0 of 3 images were drawn from pictures" in result.trace.reasons


def test_a_preset_draws_from_hits_where_told_to() -> None:
    assert from_preset("demo").starts is None
    assert isinstance(from_preset("demo", draw_from_hits=True).starts, HitStarts)


@pytest.mark.parametrize(("strength", "most"), [(0.0, 1), (1.5, 1), (0.5, 0)])
def test_meaningless_settings_are_refused(strength: float, most: int) -> None:
    with pytest.raises(InvalidInputError, match=f"strength={strength}, most={most}"):
        HitStarts(FirstFit(1), strength=strength, most=most)
