"""The training code runs, stops, goes on, and writes folders that the public loaders open."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dar_retriever import (
    Candidates,
    DARQueryEncoder,
    DiffusersGenerator,
    FlowPrior,
    Hit,
    ImageRequest,
    MatchingReranker,
    OpenClipEncoder,
)
from dar_retriever.demo.scenes import Scene
from dar_retriever.demo.training import __main__ as training
from dar_retriever.demo.training import fidelity
from dar_retriever.demo.training.loop import Schedule, train
from dar_retriever.demo.training.pool import Pool
from dar_retriever.support.caption_reader import CaptionReader


def fit_a_line(state: Path, steps: int, stop_after: int | None = None) -> torch.nn.Linear:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    taken = 0

    def loss_of(model: torch.nn.Linear, random: object) -> torch.Tensor:
        nonlocal taken
        taken += 1
        if stop_after is not None and taken > stop_after:
            raise KeyboardInterrupt
        inputs = torch.randn(16, 3)
        return (model(inputs).float() - inputs.sum(1, keepdim=True)).square().mean()

    return train(model, loss_of, Schedule(steps, 16, 0.05), state)


def test_a_stopped_training_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dar_retriever.demo.training.loop._SAVE_EVERY_SECONDS", 0)
    whole = fit_a_line(tmp_path / "whole.pt", 30)
    with pytest.raises(KeyboardInterrupt):
        fit_a_line(tmp_path / "parts.pt", 30, stop_after=12)
    parts = fit_a_line(tmp_path / "parts.pt", 30)
    assert torch.equal(whole.weight, parts.weight)


def test_the_pool_holds_groups_of_seen_products_and_scenes_only(tmp_path: Path) -> None:
    pool = Pool.open(tmp_path, 40)
    assert pool.pictures.shape == (40, 128, 128, 3)
    assert not any(subject.unseen for subject in pool.subjects)
    assert sum(isinstance(subject, Scene) for subject in pool.subjects) == 8
    for start in range(0, 40, 4):
        assert len({subject.kind for subject in pool.subjects[start : start + 4]}) == 1
    again = Pool.open(tmp_path, 40)
    assert again.subjects == pool.subjects


def weights_of(pipeline: Path) -> dict[str, torch.Tensor]:
    [file] = (pipeline / "unet").glob("*.safetensors")
    return load_file(file)


def test_all_stages_end_in_folders_that_the_loaders_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {name: Schedule(2, 8, 1e-3) for name in training.SCHEDULES}
    monkeypatch.setattr(training, "SCHEDULES", small)
    # Compiling takes a minute and changes nothing of what is computed.
    monkeypatch.setattr(torch, "compile", lambda module: module)
    arguments = ["training", "--folder", str(tmp_path), "--pictures", "64"]
    monkeypatch.setattr("sys.argv", arguments)
    training.main()
    before = weights_of(tmp_path / "generator")
    # Trained further from there, in a folder of its own with the same pictures.
    monkeypatch.setattr(training, "_FURTHER", Schedule(2, 8, 1e-3))
    shutil.copytree(tmp_path / "pool", tmp_path / "further" / "pool")
    options = ["--folder", str(tmp_path / "further"), "--stages", "generator"]
    options += ["--further", str(tmp_path / "generator")]
    monkeypatch.setattr("sys.argv", [*arguments, *options])
    training.main()
    after = weights_of(tmp_path / "further" / "generator")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    monkeypatch.setattr("sys.argv", arguments)
    training.main()
    encoder = OpenClipEncoder(f"local-dir:{tmp_path / 'encoder'}")
    assert encoder.encode_texts(["a red dress"]).shape == (1, encoder.dimension)
    made = DiffusersGenerator(str(tmp_path / "generator"), steps=2, guidance=2.0).generate(
        [ImageRequest("a red dress")]
    )
    assert made[0].image.size == (128, 128)
    # The judge looks at what the generator draws.
    monkeypatch.setattr("sys.argv", [*arguments[:3], "--captions", "8", "--tries", "1"])
    fidelity.main()
    table = capsys.readouterr().out
    assert "catalogue" in table
    reader = CaptionReader(tmp_path / "reader")
    prior = FlowPrior(tmp_path / "prior", reader)
    text = encoder.encode_texts(["a red dress"])[0]
    samples = prior.sample("a red dress", text, 5, seed=0)
    assert samples.shape == (5, encoder.dimension)
    head = MatchingReranker(tmp_path / "matching", reader)
    query = DARQueryEncoder(encoder).encode("a red dress")
    hits = [Hit(str(number), 0.0, "") for number in range(5)]
    assert head.scores(Candidates(query, hits, samples)).shape == (5,)
