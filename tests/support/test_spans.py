"""OpenTelemetry spans of a search."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dar_retriever import DiffusionAugmentedRetriever, EmptyDialogueError
from dar_retriever.support.spans import span

STEPS = {"reformulate", "encode", "fuse", "generate", "sample", "search", "rank", "judge"}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where the spans of a test go."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


def test_a_search_is_one_span_with_its_steps_within(
    demo: DiffusionAugmentedRetriever, exporter: InMemorySpanExporter
):
    with span("around"):
        demo.search("a secret handbag", 5)

    spans = {each.name: each for each in exporter.get_finished_spans()}
    whole = spans["dar.retrieve"]
    assert spans.keys() == {"around", "dar.retrieve", *(f"dar.{step}" for step in STEPS)}
    inner = [spans["dar.retrieve"], *(spans[f"dar.{step}"] for step in STEPS)]
    around = [spans["around"], *[whole] * len(STEPS)]
    assert [s.parent and s.parent.span_id for s in inner] == [a.context.span_id for a in around]
    assert dict(whole.attributes or {}) == {
        "dar.hits": 5,
        "dar.close": True,
        "dar.drawn": 2,
        "dar.cached": whole.attributes and whole.attributes["dar.cached"],
        "dar.fallbacks": 0,
    }
    assert "secret" not in "".join(each.to_json() for each in spans.values())


def test_a_search_that_fails_tells_the_kind_of_error_alone(
    demo: DiffusionAugmentedRetriever, exporter: InMemorySpanExporter
):
    with pytest.raises(EmptyDialogueError):
        demo.search(" ")
    stopped = demo.stream("a handbag")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]

    failed, left = (s for s in exporter.get_finished_spans() if s.name == "dar.retrieve")
    assert dict(failed.attributes or {}) == {"error.type": "EmptyDialogueError"}
    assert not failed.events
    assert left.end_time
    assert not trace.get_current_span().is_recording()


def test_without_opentelemetry_nothing_happens():
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from dar_retriever.support.spans import note, span, spanned\n"
        "with span('a'):\n    note(hits=1)\n"
        "assert list(spanned('b', (n for n in (1, 2)))) == [1, 2]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
