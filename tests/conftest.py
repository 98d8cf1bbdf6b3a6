"""What the tests share: no network, small checkpoints built when first asked for, a server."""

from __future__ import annotations

import ipaddress
import os

os.environ["HF_HUB_OFFLINE"] = "1"
# Two test processes share the cores; threads of tiny models would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["TRANSFORMERS_OFFLINE"] = "1"
# What ranx does here in milliseconds, Numba would compile for half a minute first.
os.environ["NUMBA_DISABLE_JIT"] = "1"

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from image_service import Service, running_service

from dar_retriever import (
    PRESETS,
    BatchingGenerator,
    CachedGenerator,
    DiffusersGenerator,
    DiffusionAugmentedRetriever,
    OpenClipEncoder,
    from_preset,
    ingest,
)
from dar_retriever.demo.gallery import draw_gallery

settings.register_profile(
    "dar",
    deadline=None,
    max_examples=35,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("dar")

Checkpoint = Callable[[str], str]


# Files that take longest begin first, so that no process is left alone with one at the end.
LONGEST = ("test_page", "test_examples", "test_ingest_faults", "test_mcp", "test_ray")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse every connection that would leave the machine."""
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not is_loopback(str(address[0])):
            raise ConnectionRefusedError(f"a test tried to reach {address!r}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_to_loopback)
        yield


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Gives the folder of a tiny checkpoint by its builder's name, built when first asked for."""
    folders: dict[str, str] = {}

    def folder_of(name: str) -> str:
        if name not in folders:
            # Here, so that tests without a model start at once.
            from tiny_models import BUILDERS

            folder = tmp_path_factory.mktemp(name)
            BUILDERS[name](folder)
            folders[name] = str(folder)
        return folders[name]

    return folder_of


@pytest.fixture(scope="session")
def tiny_encoder(checkpoint: Checkpoint) -> OpenClipEncoder:
    """A joint encoder that costs next to nothing."""
    return OpenClipEncoder(f"local-dir:{checkpoint('open_clip_vit')}", device="cpu")


@pytest.fixture(scope="session")
def gallery_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 120 products of the demo's gallery, drawn, with their metadata."""
    folder = tmp_path_factory.mktemp("gallery")
    draw_gallery(folder, 120)
    return folder


@pytest.fixture(scope="session")
def demo(gallery_folder: Path) -> DiffusionAugmentedRetriever:
    """The demo preset over the gallery of 120, in memory; two rough drawings a turn are quicker."""
    opened = from_preset("demo")
    opened.query_encoder.images_per_turn = 2
    rough = DiffusersGenerator(PRESETS["demo"].generator, steps=4, guidance=2.0)
    opened.query_encoder.generator = CachedGenerator(BatchingGenerator(rough))
    ingest(gallery_folder, opened.store, opened.query_encoder.encoder)
    return opened


@pytest.fixture(scope="session")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Chroma server."""
    with running_server(tmp_path_factory.mktemp("chroma_server")) as (port, _):
        yield port


@contextmanager
def running_server(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A Chroma server of one's own: its port and its process."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "chroma"), "run"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--path", str(folder / "data"), "--port", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            assert server.poll() is None, (folder / "log").read_text()
            with socket.socket() as attempt:
                if attempt.connect_ex(("localhost", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail(f"the Chroma server does not answer: {(folder / 'log').read_text()}")
        yield port, server
    finally:
        server.terminate()
        server.wait(30)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def image_service() -> Iterator[Service]:
    """A local image service, with the clients of services turned to it."""
    with running_service() as service:
        yield service
