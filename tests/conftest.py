"""What the tests share: no network, small checkpoints built when first asked for, a server."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from tiny_models import BUILDERS

from dar_retriever.encoders import OpenClipEncoder

settings.register_profile(
    "dar",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("dar")

Checkpoint = Callable[[str], str]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """Gives the folder of a tiny checkpoint by its builder's name, built when first asked for."""
    folders: dict[str, str] = {}

    def folder_of(name: str) -> str:
        if name not in folders:
            folder = tmp_path_factory.mktemp(name)
            BUILDERS[name](folder)
            folders[name] = str(folder)
        return folders[name]

    return folder_of


@pytest.fixture(scope="session")
def tiny_encoder(checkpoint: Checkpoint) -> OpenClipEncoder:
    """A joint encoder that costs next to nothing."""
    return OpenClipEncoder(f"local-dir:{checkpoint('open_clip_vit')}", device="cpu")
