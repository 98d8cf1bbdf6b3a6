"""dar presets and dar doctor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dar_retriever import Acceleration
from dar_retriever.cli import checks
from dar_retriever.cli.checks import CHECKS, Finding, Subject, examine
from dar_retriever.cli.common import APP
from dar_retriever.errors import ModelLoadError
from dar_retriever.presets import DRAWING_KEY, PRESETS

DEMO = Subject("demo", "cpu")


def test_presets_are_listed_with_what_they_need() -> None:
    done = CliRunner().invoke(APP, ["presets"])
    assert done.exit_code == 0, done.output
    for name in PRESETS:
        assert name in done.stdout
    assert "estimated" in done.stdout
    listed = json.loads(CliRunner().invoke(APP, ["presets", "--json"]).stdout)
    assert list(listed) == list(PRESETS)
    assert listed["laptop"]["memory"] == PRESETS["laptop"].needs.memory
    assert listed["laptop"]["hosted"]


def test_the_doctor_looks_at_everything_and_times_the_models() -> None:
    done = CliRunner().invoke(APP, ["doctor", "--device", "cpu", "--json"])
    findings = json.loads(done.stdout)["findings"]
    assert len(findings) == len(CHECKS)
    by_name = {finding["name"]: finding for finding in findings}
    assert done.exit_code == 0, findings
    assert by_name["Device"]["found"].startswith("cpu")
    assert "an image in" in by_name["Drawing"]["found"]
    assert "a text and an image in" in by_name["Encoding"]["found"]
    assert "demo" in by_name["Presets"]["found"]
    assert all(finding["advice"] for finding in findings if finding["state"] != "good")


def test_what_is_wrong_ends_with_an_error_and_an_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Subject) -> Finding:
        raise ModelLoadError("the encoder cannot be opened; check the name")

    monkeypatch.setattr("dar_retriever.cli.models.CHECKS", (checks.python, broken))
    done = CliRunner().invoke(APP, ["doctor"])
    assert done.exit_code == 1
    assert "wrong Broken: demo: does not work" in done.stdout
    assert "check the name" in done.stdout


def test_a_check_that_breaks_is_a_finding() -> None:
    def breaks(_: Subject) -> Finding:
        raise ZeroDivisionError("by zero")

    finding = examine(breaks, DEMO)
    assert (finding.name, finding.state) == ("Breaks", "wrong")
    assert "ZeroDivisionError: by zero" in finding.found


def test_a_hub_that_is_not_there_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HF_HUB_OFFLINE" in checks.hub(DEMO).found
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    finding = checks.hub(DEMO)
    assert finding.state == "note"
    assert "HTTPS_PROXY" in finding.advice


def test_a_cache_without_room_or_rights_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert "0 models" in checks.cache(DEMO).found
    monkeypatch.setattr(checks, "_LITTLE_DISK", 1e9)
    assert "HF_HOME" in checks.cache(DEMO).advice
    monkeypatch.setattr("os.access", lambda *_: False)
    assert checks.cache(DEMO).state == "wrong"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DRAWING_KEY, raising=False)
    assert "nothing is sent" in checks.key(DEMO).found
    monkeypatch.setenv(DRAWING_KEY, "hf_secret")
    assert "hosted model draws" in checks.key(DEMO).found
    assert "secret" not in str(checks.key(DEMO))


def test_a_driver_without_a_gpu_in_torch_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    finding = checks.torch(DEMO)
    assert finding.state == "wrong"
    assert "pytorch.org" in finding.advice


def test_the_doctor_knows_the_runtimes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda _: None)
    assert "dar-retriever[openvino]" in checks.runtime(DEMO).advice
    monkeypatch.setattr(checks, "find_spec", lambda _: "there")
    monkeypatch.setattr(checks, "version", lambda _: "2026.4")
    assert "--runtime openvino" in checks.runtime(DEMO).advice
    chosen = Subject("demo", "cpu", acceleration=Acceleration(runtime="openvino"))
    assert checks.runtime(chosen) == Finding("Runtime", "good", "OpenVINO 2026.4")
    done = CliRunner().invoke(APP, ["doctor", "--runtime", "onnx"])
    assert "is not one of torch, openvino" in str(done.exception)
