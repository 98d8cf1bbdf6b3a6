"""What comes with a checkpoint is never run, and nothing is reported to anybody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from dar_retriever.encoders import OpenClipEncoder, TransformersEncoder
from dar_retriever.errors import ModelLoadError
from dar_retriever.generation import DiffusersGenerator
from dar_retriever.support.telemetry import OFF

Checkpoint = Callable[[str], str]
FLAG = "pickled_weights=True"
SAFE = "open_clip_model.safetensors"
PICKLED = "open_clip_pytorch_model.bin"
TEXTS = ["a red dress", "blue?"]


class Payload:
    """Leaves a marker when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.marker,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Exists once somebody's code has run."""
    return tmp_path / "code has run"


def pickle_weights(safe: Path, pickled: Path, marker: Path | None = None) -> None:
    """Replace a safetensors file by a pickled one, with a payload where a marker is given."""
    weights: dict[str, Any] = dict(load_file(safe))
    if marker is not None:
        weights["payload"] = Payload(marker)
    torch.save(weights, pickled)
    safe.unlink()


@pytest.fixture
def open_clip_folder(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """A copy of a tiny checkpoint of open_clip."""
    return Path(shutil.copytree(checkpoint("open_clip_vit"), tmp_path / "open_clip"))


@pytest.fixture
def clip_folder(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    """A copy of a tiny checkpoint of transformers."""
    return Path(shutil.copytree(checkpoint("clip"), tmp_path / "clip"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Puts a folder into a hub cache of its own, as a repository."""
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))

    def put(folder: Path) -> str:
        repository = cache / f"models--nobody--{folder.name}"
        commit = "0123456789" * 4
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)
        return f"nobody/{folder.name}"

    return put


@pytest.fixture
def architecture(
    open_clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Makes the checkpoint's architecture, and a tag of it, known to open_clip by name."""
    from open_clip import factory, pretrained

    config = json.loads((open_clip_folder / "open_clip_config.json").read_text())["model_cfg"]
    del config["text_cfg"]["hf_tokenizer_name"]
    config["text_cfg"]["vocab_size"] = 49408
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny", config)

    def tagged(**tag: Any) -> str:
        monkeypatch.setitem(pretrained._PRETRAINED, "tiny", {"trained": pretrained._slpcfg(**tag)})
        return "tiny"

    # The vocabulary of open_clip's own tokenizer, which every named architecture has.
    torch.manual_seed(0)
    model = factory.CLIP(**config)
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, open_clip_folder / SAFE)
    return tagged


def assert_refused(error: pytest.ExceptionInfo[ModelLoadError], file: str) -> None:
    assert file in str(error.value)
    assert FLAG in str(error.value)
    assert "'demo' preset" in str(error.value)


def test_the_payload_runs_where_nobody_takes_care(open_clip_folder: Path, marker: Path) -> None:
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / PICKLED, marker)

    torch.load(open_clip_folder / PICKLED, weights_only=False)

    assert marker.exists()


@pytest.mark.parametrize("name", [PICKLED, "weights.pth"])
def test_a_folder_of_pickled_open_clip_weights_is_refused(
    name: str, open_clip_folder: Path, marker: Path
) -> None:
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / name, marker)

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(f"local-dir:{open_clip_folder}", device="cpu")

    assert_refused(error, name)
    assert not marker.exists()


def test_safetensors_that_open_clip_would_pass_over_for_a_pickle_do_not_open_the_pickle(
    open_clip_folder: Path, marker: Path
) -> None:
    from open_clip.factory import _find_checkpoint_in_dir

    shutil.copy(open_clip_folder / SAFE, open_clip_folder / "model.safetensors")
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / PICKLED, marker)
    assert str(_find_checkpoint_in_dir(open_clip_folder)).endswith(PICKLED)

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(f"local-dir:{open_clip_folder}", device="cpu")

    assert_refused(error, PICKLED)
    assert SAFE in str(error.value)
    assert not marker.exists()


@pytest.mark.parametrize("name", [SAFE, "open_clip_pytorch_model.safetensors"])
def test_a_pickle_beside_safetensors_disturbs_nobody(
    name: str, open_clip_folder: Path, marker: Path
) -> None:
    safe = (open_clip_folder / SAFE).rename(open_clip_folder / name)
    torch.save(Payload(marker), open_clip_folder / PICKLED)

    assert OpenClipEncoder(f"local-dir:{safe.parent}", device="cpu").dimension == 32
    assert not marker.exists()


@pytest.mark.parametrize("name", ["mine.pt", "mine", "mine.bin"])
def test_a_pickled_file_for_a_named_architecture_is_refused(
    name: str, architecture: Callable[..., str], open_clip_folder: Path, marker: Path
) -> None:
    pickled = open_clip_folder / name
    pickle_weights(open_clip_folder / SAFE, pickled, marker)

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(architecture(), str(pickled), device="cpu")

    assert_refused(error, str(pickled))
    assert not marker.exists()


def test_a_safetensors_file_for_a_named_architecture_opens(
    architecture: Callable[..., str], open_clip_folder: Path
) -> None:
    safe = open_clip_folder / SAFE

    assert OpenClipEncoder(architecture(), str(safe), device="cpu").dimension == 32


def test_a_hub_model_of_pickled_open_clip_weights_is_refused(
    hub: Callable[[Path], str], open_clip_folder: Path, marker: Path
) -> None:
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / PICKLED, marker)
    model = f"hf-hub:{hub(open_clip_folder)}"

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(model, device="cpu")

    assert_refused(error, f"nobody/open_clip/{PICKLED}")
    assert not marker.exists()


@pytest.mark.parametrize("file", ["", "other.bin"])
def test_a_tag_with_pickled_weights_on_the_hub_is_refused(
    file: str,
    hub: Callable[[Path], str],
    architecture: Callable[..., str],
    open_clip_folder: Path,
    marker: Path,
) -> None:
    pickled = file or PICKLED
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / pickled, marker)
    model = architecture(hf_hub=f"{hub(open_clip_folder)}/{file}")

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(model, "trained", device="cpu")

    assert_refused(error, f"nobody/open_clip/{pickled}")
    assert not marker.exists()


def test_a_tag_whose_weights_are_elsewhere_than_on_the_hub_is_refused(
    architecture: Callable[..., str],
) -> None:
    url = "https://weights.invalid/tiny.pt"

    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder(architecture(url=url), "trained", device="cpu")

    assert_refused(error, url)


def test_safetensors_on_the_hub_open_as_open_clip_itself_opens_them(
    hub: Callable[[Path], str], architecture: Callable[..., str], open_clip_folder: Path
) -> None:
    # SigLIP's settings, which are none of open_clip's defaults, come with the tag.
    model = architecture(hf_hub=f"{hub(open_clip_folder)}/")
    image = Image.effect_noise((50, 40), 80).convert("RGB")

    ours = OpenClipEncoder(model, "trained", device="cpu")
    theirs = OpenClipEncoder(model, "trained", device="cpu", pickled_weights=True)

    assert ours.fingerprint == theirs.fingerprint
    assert ours.name == theirs.name == "open_clip tiny trained"
    np.testing.assert_array_equal(ours.encode_texts(TEXTS), theirs.encode_texts(TEXTS))
    np.testing.assert_array_equal(ours.encode_images([image]), theirs.encode_images([image]))


def test_a_hub_model_opens_as_open_clip_itself_opens_it(
    hub: Callable[[Path], str], open_clip_folder: Path, checkpoint: Checkpoint
) -> None:
    listing = open_clip_folder / "open_clip_config.json"
    config = json.loads(listing.read_text())
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = checkpoint("open_clip_vit")
    listing.write_text(json.dumps(config))
    model = f"hf-hub:{hub(open_clip_folder)}"

    ours = OpenClipEncoder(model, device="cpu")

    assert ours.name == f"open_clip {model}"
    assert (
        ours.fingerprint == OpenClipEncoder(model, device="cpu", pickled_weights=True).fingerprint
    )
    plain = OpenClipEncoder(f"local-dir:{checkpoint('open_clip_vit')}", device="cpu")
    assert ours.fingerprint == plain.fingerprint


def test_an_architecture_of_another_activation_than_its_weights_is_told(
    hub: Callable[[Path], str], architecture: Callable[..., str], open_clip_folder: Path
) -> None:
    model = architecture(hf_hub=f"{hub(open_clip_folder)}/", quick_gelu=True)

    with pytest.warns(UserWarning, match="quick_gelu"):
        OpenClipEncoder(model, "trained", device="cpu")


@pytest.mark.parametrize("preset", ["fast", "quality"])
def test_the_presets_take_safetensors_of_the_hub(preset: str) -> None:
    import open_clip

    from dar_retriever import PRESETS

    chosen = PRESETS[preset]
    tag = open_clip.get_pretrained_cfg(chosen.encoder, chosen.pretrained)

    # Without a file's name: open_clip's own name for safetensors is asked for.
    assert tag["hf_hub"].startswith("timm/")
    assert tag["hf_hub"].endswith("/")


def test_with_the_flag_a_harmless_pickle_opens_and_gives_the_same_vectors(
    open_clip_folder: Path, clip_folder: Path
) -> None:
    plain = OpenClipEncoder(f"local-dir:{open_clip_folder}", device="cpu").encode_texts(TEXTS)
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / PICKLED)
    opened = OpenClipEncoder(f"local-dir:{open_clip_folder}", device="cpu", pickled_weights=True)
    np.testing.assert_array_equal(opened.encode_texts(TEXTS), plain)

    plain = TransformersEncoder(str(clip_folder), device="cpu").encode_texts(TEXTS)
    pickle_weights(clip_folder / "model.safetensors", clip_folder / "pytorch_model.bin")
    other = TransformersEncoder(str(clip_folder), device="cpu", pickled_weights=True)
    np.testing.assert_array_equal(other.encode_texts(TEXTS), plain)


def test_not_even_with_the_flag_a_pickle_runs_code(
    open_clip_folder: Path, clip_folder: Path, marker: Path
) -> None:
    pickle_weights(open_clip_folder / SAFE, open_clip_folder / PICKLED, marker)
    pickle_weights(clip_folder / "model.safetensors", clip_folder / "pytorch_model.bin", marker)

    with pytest.raises(ModelLoadError):
        OpenClipEncoder(f"local-dir:{open_clip_folder}", device="cpu", pickled_weights=True)
    with pytest.raises(ModelLoadError):
        TransformersEncoder(str(clip_folder), device="cpu", pickled_weights=True)

    assert not marker.exists()


@pytest.mark.parametrize("place", ["folder", "hub"])
def test_pickled_weights_of_transformers_are_refused(
    place: str, clip_folder: Path, hub: Callable[[Path], str], marker: Path
) -> None:
    pickle_weights(clip_folder / "model.safetensors", clip_folder / "pytorch_model.bin", marker)
    model = str(clip_folder) if place == "folder" else hub(clip_folder)

    with pytest.raises(ModelLoadError) as error:
        TransformersEncoder(model, device="cpu")

    assert_refused(error, "pytorch_model.bin")
    assert not marker.exists()


def test_a_description_cannot_name_pickled_weights(clip_folder: Path, marker: Path) -> None:
    shutil.copy(clip_folder / "model.safetensors", clip_folder / "spare.safetensors")
    pickle_weights(clip_folder / "model.safetensors", clip_folder / "adapter_model.bin")
    (clip_folder / "spare.safetensors").rename(clip_folder / "model.safetensors")
    rewrite(clip_folder / "config.json", transformers_weights="adapter_model.bin")

    with pytest.raises(ModelLoadError) as error:
        TransformersEncoder(str(clip_folder), device="cpu")

    assert_refused(error, "adapter_model.bin")


def rewrite(file: Path, **entries: Any) -> None:
    """Change entries of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


@pytest.fixture
def code(clip_folder: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint with a module of its own, named wherever one can be named."""
    modules = str(tmp_path / "modules")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", modules)
    monkeypatch.setattr("transformers.utils.hub.HF_MODULES_CACHE", modules)
    (clip_folder / "own.py").write_text(
        f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
        "import transformers\n"
        # Classes of its own: those of transformers would remember that they came from here.
        "class Config(transformers.CLIPConfig): pass\n"
        "class Model(transformers.CLIPModel): pass\n"
        "class Processor(transformers.CLIPProcessor): pass\n"
        "class Tokenizer(transformers.CLIPTokenizer): pass\n"
    )
    places = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    rewrite(clip_folder / "config.json", auto_map=places)
    own = {"AutoProcessor": "own.Processor", "AutoTokenizer": ["own.Tokenizer", None]}
    rewrite(clip_folder / "processor_config.json", auto_map=own)
    rewrite(clip_folder / "tokenizer_config.json", auto_map=own)
    return clip_folder


def test_the_code_of_a_checkpoint_runs_where_it_is_asked_for(code: Path, marker: Path) -> None:
    from transformers import AutoConfig

    AutoConfig.from_pretrained(code, trust_remote_code=True)

    assert marker.exists()


def test_the_code_of_a_checkpoint_is_never_run(code: Path, marker: Path) -> None:
    assert TransformersEncoder(str(code), device="cpu").dimension == 24
    assert not marker.exists()


def test_a_checkpoint_that_is_nothing_without_its_code_is_refused_unasked(
    code: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(code / "config.json", model_type="own")
    # At a terminal transformers would ask, and take a "y" for a yes.
    monkeypatch.setattr("builtins.input", lambda _: "y")

    with pytest.raises(ModelLoadError):
        TransformersEncoder(str(code), device="cpu")

    assert not marker.exists()


def test_an_open_clip_description_cannot_have_its_tokenizers_code_run(
    code: Path, open_clip_folder: Path, marker: Path
) -> None:
    import open_clip

    for name in ("own.py", "tokenizer_config.json"):
        shutil.copy(code / name, open_clip_folder / name)
    listing = open_clip_folder / "open_clip_config.json"
    config = json.loads(listing.read_text())
    config["model_cfg"]["text_cfg"]["tokenizer_kwargs"] = {"trust_remote_code": True}
    listing.write_text(json.dumps(config))
    model = f"local-dir:{open_clip_folder}"

    assert OpenClipEncoder(model, device="cpu").dimension == 32
    assert not marker.exists()
    # What open_clip itself makes of it.
    open_clip.get_tokenizer(model)
    assert marker.exists()


def test_a_description_cannot_name_a_kernel_of_the_hub(clip_folder: Path) -> None:
    rewrite(clip_folder / "config.json", attn_implementation="kernels-community/flash-attn2")

    assert TransformersEncoder(str(clip_folder), device="cpu").dimension == 24


def test_a_pipeline_of_pickled_weights_is_refused(
    checkpoint: Checkpoint, tmp_path: Path, marker: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint("stable_diffusion"), tmp_path / "pipeline"))
    unet = folder / "unet"
    safe = unet / "diffusion_pytorch_model.safetensors"
    pickle_weights(safe, unet / "diffusion_pytorch_model.bin", marker)

    with pytest.raises(ModelLoadError, match="safetensors"):
        DiffusersGenerator(str(folder), device="cpu")

    assert not marker.exists()


@pytest.mark.parametrize("part", ["pipeline", "component"])
def test_the_code_of_a_pipeline_is_never_run(
    part: str,
    checkpoint: Checkpoint,
    tmp_path: Path,
    marker: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from diffusers import DiffusionPipeline

    modules = str(tmp_path / "modules")
    monkeypatch.setattr("diffusers.utils.dynamic_modules_utils.HF_MODULES_CACHE", modules)
    folder = Path(shutil.copytree(checkpoint("stable_diffusion"), tmp_path / "own_pipeline"))
    lines = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    if part == "pipeline":
        name = "StableDiffusionPipeline"
        rewrite(folder / "model_index.json", _class_name=["own", name])
        (folder / "own.py").write_text(f"{lines}from diffusers import {name}\n")
    else:
        rewrite(folder / "model_index.json", unet=["own", "UNet2DConditionModel"])
        (folder / "unet" / "own.py").write_text(
            f"{lines}from diffusers import UNet2DConditionModel"
        )

    with pytest.raises(ModelLoadError):
        DiffusersGenerator(str(folder), device="cpu")
    assert not marker.exists()

    DiffusionPipeline.from_pretrained(folder, trust_remote_code=True)
    assert marker.exists()


# Records whatever wants to leave the machine, and lets none of it go.
WATCHED = """
import json, sys

seen = []

def watch(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host or "localhost")
    if host != "localhost" and not host.startswith("127.") and host != "::1":
        seen.append(host)
        raise OSError("nothing leaves this machine")

sys.addaudithook(watch)
"""

REPORTS = """
from huggingface_hub.utils import send_telemetry
from huggingface_hub.utils._telemetry import _TELEMETRY_QUEUE
send_telemetry("a test")
_TELEMETRY_QUEUE.join()
"""


def watched(code: str, **variables: str) -> Any:
    """What a fresh interpreter prints last, under a watch, with variables of the user's."""
    ours = {*OFF, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "DO_NOT_TRACK", "DISABLE_TELEMETRY"}
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.lower().endswith("_proxy")
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCHED + code],
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_whole_search_tells_nobody(tmp_path: Path, gallery_folder: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for file in sorted(gallery_folder.glob("*.jpg"))[:4]:
        shutil.copy(file, pictures)

    found = watched(
        f"""
from dar_retriever import from_preset, ingest
import chromadb, diffusers, huggingface_hub, open_clip, transformers

retriever = from_preset("demo", {str(tmp_path / "store")!r}, device="cpu")
ingest({str(pictures)!r}, retriever.store, retriever.query_encoder.encoder)
result = retriever.search("a striped mug")
{REPORTS}
chroma = chromadb.config.Settings().anonymized_telemetry
hub = huggingface_hub.constants
print(json.dumps([seen, len(result.hits), len(result.trace.generated),
                  chroma, hub.HF_HUB_DISABLE_TELEMETRY, hub.HF_HUB_OFFLINE]))
"""
    )

    assert found == [[], 4, 4, False, True, False]


def test_the_watch_sees_who_is_told_where_the_user_says_so() -> None:
    code = f"import dar_retriever\n{REPORTS}\nprint(json.dumps(seen))"

    assert "huggingface.co" in watched(code, HF_HUB_DISABLE_TELEMETRY="0")
    assert watched(code) == []


def test_ray_hears_that_it_is_off() -> None:
    pytest.importorskip("ray", reason="no Ray is installed")
    code = (
        "import dar_retriever\n"
        "from ray._common.usage.usage_lib import usage_stats_enabled\n"
        "print(json.dumps(usage_stats_enabled()))"
    )

    assert watched(code) is False
    assert watched(code, RAY_USAGE_STATS_ENABLED="1") is True


def test_what_the_user_has_set_stays() -> None:
    mine = dict.fromkeys(OFF, "mine")
    code = f"import os, dar_retriever\nprint(json.dumps([os.environ.get(n) for n in {list(OFF)}]))"

    assert watched(code) == list(OFF.values())
    assert watched(code, **mine) == list(mine.values())


def test_the_model_hub_stays_open() -> None:
    assert not {name for name in OFF if "OFFLINE" in name}
