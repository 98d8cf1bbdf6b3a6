"""A Chroma server that tests stop and start again."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import free_port


class ChromaServer:
    """A Chroma server that can be stopped and started again on its port and its data."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(Path(sys.executable).parent / "chroma"), "run"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--path", str(self._folder / "data"), "--port", str(self.port)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(600):
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            with socket.socket() as attempt:
                if attempt.connect_ex(("localhost", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail((self._folder / "server.log").read_text())

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(30)
            self._process = None


@contextmanager
def restartable_server(folder: Path) -> Iterator[ChromaServer]:
    server = ChromaServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(signal.SIGKILL)
