"""OpenTelemetry spans, for whoever has set up a tracer; without the library, nothing happens.

Spans say how long each step took and how much was found. Nobody's words are in them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, Final, TypeVar

from dar_retriever.support.extras import needs_extra

Step = TypeVar("Step")

_NAME: Final = "dar_retriever"
# An error's message may hold what somebody said.
_QUIET: Final = {"record_exception": False, "set_status_on_exception": False}


@contextmanager
def span(name: str) -> Iterator[None]:
    """A block as a span within the current one."""
    api = _api()
    if api is None:
        yield
        return
    with api.get_tracer(_NAME).start_as_current_span(name, **_QUIET) as made, _marking(made):
        yield


def spanned(name: str, steps: Generator[Step, None, None]) -> Iterator[Step]:
    """The steps of a generator, each taken within one span that ends with the last."""
    api = _api()
    if api is None:
        yield from steps
        return
    whole = api.get_tracer(_NAME).start_span(name)
    try:
        with closing(steps):
            while True:
                # Only while a step is taken: between two, the thread may do other work.
                with api.use_span(whole, end_on_exit=False, **_QUIET), _marking(whole):
                    try:
                        step = next(steps)
                    except StopIteration:
                        return
                yield step
    finally:
        whole.end()


def note(**values: float) -> None:
    """Write numbers into the current span."""
    api = _api()
    if api is not None:
        api.get_current_span().set_attributes({f"dar.{name}": v for name, v in values.items()})


def send_spans(address: str) -> None:
    """Send all spans of this program to a collector.

    Args:
        address: Where it listens for OTLP over gRPC, such as http://localhost:4317.

    Raises:
        MissingExtraError: OpenTelemetry's SDK is not installed.
    """
    with needs_extra("spans"):
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    provider = TracerProvider(resource=Resource.create({"service.name": "dar"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    trace.set_tracer_provider(provider)


@contextmanager
def _marking(made: Any) -> Iterator[None]:
    """Mark a span as failed by the kind of error alone."""
    try:
        yield
    except Exception as error:
        made.set_attribute("error.type", type(error).__name__)
        raise


@cache
def _api() -> Any:
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace
