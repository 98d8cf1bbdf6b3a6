from __future__ import annotations

import warnings
from typing import Any

import pytest

from dar_retriever.support.progress import progress_bar, quiet_libraries


def test_a_bar_that_never_moved_prints_nothing(capsys: pytest.CaptureFixture[str]):
    with progress_bar("reading"):
        pass
    assert capsys.readouterr().err == ""

    with progress_bar("reading") as move:
        move(1, 3)
        move(3, 3)
    assert "3/3" in capsys.readouterr().err


def library_loggings() -> tuple[Any, Any]:
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    return diffusers_logging, transformers_logging


def states() -> list[tuple[int, bool]]:
    return [
        (library.get_verbosity(), library.is_progress_bar_enabled())
        for library in library_loggings()
    ]


@pytest.fixture(params=[True, False], ids=["bars", "no bars"])
def chosen(request: pytest.FixtureRequest) -> Any:
    """The libraries as somebody set them up, and put back afterwards."""
    before = states()
    for library in library_loggings():
        library.set_verbosity_info()
        (library.enable_progress_bar if request.param else library.disable_progress_bar)()
    yield states()
    for library, (verbosity, bar) in zip(library_loggings(), before, strict=True):
        library.set_verbosity(verbosity)
        (library.enable_progress_bar if bar else library.disable_progress_bar)()


def test_libraries_are_quiet_for_a_while(chosen: list[tuple[int, bool]]):
    with quiet_libraries():
        assert states() == [(library.ERROR, False) for library in library_loggings()]
        with quiet_libraries():
            pass
        assert states() == [(library.ERROR, False) for library in library_loggings()]
    assert states() == chosen


def test_libraries_speak_again_after_an_error(chosen: list[tuple[int, bool]]):
    filters = list(warnings.filters)

    with pytest.raises(LookupError), quiet_libraries():
        raise LookupError

    assert states() == chosen
    assert warnings.filters == filters
