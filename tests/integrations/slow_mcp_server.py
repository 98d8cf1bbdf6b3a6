"""A server over stdio whose generator works until nobody waits; run by the tests."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mcp_dar import create_server, serve_stdio

from dar_retriever import (
    DARQueryEncoder,
    DiffusionAugmentedRetriever,
    GeneratedImage,
    ImageRequest,
    ImageStore,
    open_encoder,
)
from dar_retriever.support.threads import stop_requested


class UntilStopped:
    """Says in a file when it began and when it was stopped."""

    fingerprint = "until stopped"

    def __init__(self, log: Path) -> None:
        self._log = log

    def generate(self, requests: Sequence[ImageRequest]) -> list[GeneratedImage]:
        self._log.write_text("began")
        for _ in range(1000):
            if stop_requested():
                self._log.write_text("stopped")
                raise RuntimeError("stopped")
            time.sleep(0.02)
        self._log.write_text("ran to its end")
        return []


def main(store: str, log: str) -> None:
    """Serve a store."""
    encoder = open_encoder("demo")
    query_encoder = DARQueryEncoder(encoder, UntilStopped(Path(log)))
    retriever = DiffusionAugmentedRetriever(query_encoder, ImageStore.on_disk(store, encoder))
    serve_stdio(create_server(retriever))


if __name__ == "__main__":
    main(*sys.argv[1:])
