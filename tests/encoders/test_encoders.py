"""Every kind of joint encoder, opened from small checkpoints in the published formats."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dar_retriever.encoders import OpenClipEncoder, TransformersEncoder
from dar_retriever.encoders.torch_encoder import TorchEncoder
from dar_retriever.errors import InvalidInputError, ModelLoadError

OPEN_CLIP = ["open_clip_vit", "open_clip_siglip"]
TRANSFORMERS = ["clip", "siglip", "siglip2", "siglip2_naflex", "blip"]
ALL = OPEN_CLIP + TRANSFORMERS
DIMENSIONS = {"open_clip_vit": 32, "open_clip_siglip": 64, "clip": 24, "blip": 24}
LENGTHS = {"open_clip_vit": 77, "clip": 77, "blip": 48}
TEXTS = ["a red dress with white dots", "blue?", "the tall green chair, not the low one"]

Checkpoint = Callable[[str], str]


def open_encoder(name: str, folder: str, **options: Any) -> TorchEncoder:
    options = {"device": "cpu", **options}
    if name in OPEN_CLIP:
        return OpenClipEncoder(f"local-dir:{folder}", **options)
    return TransformersEncoder(folder, **options)


def pictures() -> list[Image.Image]:
    """A noisy, a plain and a striped picture, of different shapes."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    stripes = np.zeros((64, 30, 3), np.uint8)
    stripes[::8, :, 2] = 255
    return [Image.fromarray(noise), Image.new("RGB", (64, 30), "red"), Image.fromarray(stripes)]


@pytest.fixture(scope="module")
def encoders(checkpoint: Checkpoint) -> Callable[[str], TorchEncoder]:
    """Opens each encoder once."""

    @functools.cache
    def opened(name: str) -> TorchEncoder:
        return open_encoder(name, checkpoint(name))

    return opened


@pytest.fixture(params=ALL)
def encoder(request: pytest.FixtureRequest, encoders: Callable[[str], TorchEncoder]) -> Any:
    return encoders(request.param)


def cosines(left: torch.Tensor, right: torch.Tensor) -> np.ndarray:
    left, right = (torch.nn.functional.normalize(v.float(), dim=-1) for v in (left, right))
    return (left @ right.T).numpy()


@pytest.mark.parametrize("name", ALL)
def test_dimension_and_length_are_those_of_the_checkpoint(
    name: str, encoders: Callable[[str], TorchEncoder]
) -> None:
    encoder = encoders(name)
    assert encoder.dimension == DIMENSIONS.get(name, 32)
    assert encoder.max_tokens == LENGTHS.get(name, 64)


def test_batches_are_split_without_a_trace(checkpoint: Checkpoint) -> None:
    whole = open_encoder("clip", checkpoint("clip"))
    split = open_encoder("clip", checkpoint("clip"), batch_size=2)
    images = pictures() + pictures()[:2]
    np.testing.assert_allclose(split.encode_images(images), whole.encode_images(images), atol=1e-5)


def test_texts_beyond_the_limit_are_cut_off(encoder: TorchEncoder) -> None:
    text = "abc " * encoder.max_tokens
    vectors = encoder.encode_texts([text, text + "and something else"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_tokens_are_counted_before_anything_is_cut_off(encoder: TorchEncoder) -> None:
    short, long = encoder.count_tokens("abc"), encoder.count_tokens("abc " * 200)
    assert 3 <= short <= 6  # every tiny tokenizer has one token a letter
    assert long >= 600 > encoder.max_tokens


def test_clip_counts_letters_and_two_special_tokens(
    encoders: Callable[[str], TorchEncoder],
) -> None:
    for name in ("open_clip_vit", "clip"):
        assert encoders(name).count_tokens("red dress") == len("reddress") + 2
        assert encoders(name).count_tokens("") == 2


def test_open_clip_counts_without_a_hugging_face_tokenizer(tmp_path: Path) -> None:
    from tiny_models import open_clip_vit

    open_clip_vit(tmp_path)
    listing = tmp_path / "open_clip_config.json"
    config = json.loads(listing.read_text())
    del config["model_cfg"]["text_cfg"]["hf_tokenizer_name"]
    listing.write_text(json.dumps(config))
    # CLIP's own vocabulary has both words whole.
    assert OpenClipEncoder(f"local-dir:{tmp_path}", device="cpu").count_tokens("red dress") == 4


@pytest.mark.parametrize("name", OPEN_CLIP)
def test_open_clip_vectors_are_those_of_its_own_model(name: str, checkpoint: Checkpoint) -> None:
    import open_clip

    source = f"local-dir:{checkpoint(name)}"
    model, preprocess = open_clip.create_model_from_pretrained(source)
    tokens = open_clip.get_tokenizer(source)(TEXTS)
    pixels = torch.stack([preprocess(image) for image in pictures()])
    with torch.inference_mode():
        expected = cosines(model.eval().encode_text(tokens), model.encode_image(pixels))
    encoder = OpenClipEncoder(source, device="cpu")
    actual = encoder.encode_texts(TEXTS) @ encoder.encode_images(pictures()).T
    np.testing.assert_allclose(actual, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip2", "siglip2_naflex"])
def test_scores_are_the_logits_of_the_transformers_model(
    name: str, checkpoint: Checkpoint, encoders: Callable[[str], TorchEncoder]
) -> None:
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(checkpoint(name)).eval()
    processor = AutoProcessor.from_pretrained(checkpoint(name))
    padding = {"padding": True} if name == "clip" else {"padding": "max_length", "max_length": 64}
    tokens = processor.tokenizer(TEXTS, return_tensors="pt", **padding)
    if name != "clip":
        tokens = {"input_ids": tokens.input_ids}  # trained without a mask
    pixels = processor.image_processor(pictures(), return_tensors="pt")
    with torch.inference_mode():
        logits = model(**tokens, **pixels).logits_per_text
        bias = getattr(model, "logit_bias", torch.zeros(1))
        expected = ((logits - bias) / model.logit_scale.exp()).numpy()
    encoder = encoders(name)
    actual = encoder.encode_texts(TEXTS) @ encoder.encode_images(pictures()).T
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_scores_are_those_of_blip_without_its_matching_head(
    checkpoint: Checkpoint, encoders: Callable[[str], TorchEncoder]
) -> None:
    from transformers import AutoProcessor, BlipForImageTextRetrieval

    model = BlipForImageTextRetrieval.from_pretrained(checkpoint("blip")).eval()
    processor = AutoProcessor.from_pretrained(checkpoint("blip"))
    inputs = processor(text=TEXTS, images=pictures(), padding=True, return_tensors="pt")
    with torch.inference_mode():
        by_image = model(**inputs, use_itm_head=False).itm_score.numpy()
    encoder = encoders("blip")
    actual = encoder.encode_images(pictures()) @ encoder.encode_texts(TEXTS).T
    np.testing.assert_allclose(actual, by_image, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_fingerprint_follows_the_files_not_their_place_nor_the_precision(
    name: str, checkpoint: Checkpoint, encoders: Callable[[str], TorchEncoder], tmp_path: Path
) -> None:
    copy = shutil.copytree(checkpoint(name), tmp_path / "copy")
    fingerprint = encoders(name).fingerprint
    assert open_encoder(name, str(copy)).fingerprint == fingerprint
    half = open_encoder(name, checkpoint(name), dtype="bfloat16")
    assert half.fingerprint == fingerprint
    assert half.dtype == torch.bfloat16
    close = (half.encode_images(pictures()) * encoders(name).encode_images(pictures())).sum(1)
    assert close.min() > 0.98


@pytest.mark.parametrize("name", ALL)
def test_fingerprint_changes_with_a_weight(
    name: str, checkpoint: Checkpoint, encoders: Callable[[str], TorchEncoder], tmp_path: Path
) -> None:
    copy = shutil.copytree(checkpoint(name), tmp_path / "copy")
    file = next(copy.glob("*.safetensors"))
    weights = load_file(file)
    # The last one in the file's order, half as large.
    changed = max(weight for weight, value in weights.items() if value.ndim > 1)
    save_file(weights | {changed: weights[changed] / 2}, file, {"format": "pt"})
    assert open_encoder(name, str(copy)).fingerprint != encoders(name).fingerprint


@pytest.mark.parametrize(
    ("name", "file", "path", "value"),
    [
        ("open_clip_vit", "open_clip_config.json", ["preprocess_cfg", "mean"], [0.1, 0.2, 0.3]),
        ("open_clip_vit", "open_clip_config.json", ["preprocess_cfg", "resize_mode"], "shortest"),
        (
            "open_clip_vit",
            "open_clip_config.json",
            ["preprocess_cfg", "interpolation"],
            "bilinear",
        ),
        ("clip", "processor_config.json", ["image_processor", "image_mean"], [0.1, 0.2, 0.3]),
        ("blip", "processor_config.json", ["image_processor", "resample"], 0),
    ],
)
def test_fingerprint_changes_with_the_preprocessing(
    name: str,
    file: str,
    path: list[str],
    value: Any,
    checkpoint: Checkpoint,
    encoders: Callable[[str], TorchEncoder],
    tmp_path: Path,
) -> None:
    copy = shutil.copytree(checkpoint(name), tmp_path / "copy")
    config = json.loads((copy / file).read_text())
    config[path[0]][path[1]] = value
    (copy / file).write_text(json.dumps(config))
    assert open_encoder(name, str(copy)).fingerprint != encoders(name).fingerprint


@pytest.mark.parametrize("name", OPEN_CLIP)
def test_what_the_fingerprint_digests_holds_no_address_of_this_process(
    name: str, encoders: Callable[[str], TorchEncoder]
) -> None:
    encoder = encoders(name)
    assert isinstance(encoder, OpenClipEncoder)
    assert "Normalize" in str(encoder._preprocess)
    assert " at 0x" not in str(encoder._preprocess)


def assert_helps(error: pytest.ExceptionInfo[ModelLoadError], value: str) -> None:
    assert value in str(error.value)
    assert "'demo' preset" in str(error.value)
    assert "no download" in str(error.value)


@pytest.mark.parametrize(
    "opener", [OpenClipEncoder, TransformersEncoder], ids=["open_clip", "transformers"]
)
def test_a_missing_folder_is_named(opener: Callable[[str], TorchEncoder], tmp_path: Path) -> None:
    folder = str(tmp_path / "nothing here")
    with pytest.raises(ModelLoadError) as error:
        opener(f"local-dir:{folder}" if opener is OpenClipEncoder else folder)
    assert_helps(error, folder)


def test_a_hub_id_without_network_is_named() -> None:
    for opener, model in [
        (OpenClipEncoder, "hf-hub:nobody/no-such-model"),
        (TransformersEncoder, "nobody/no-such-model"),
    ]:
        with pytest.raises(ModelLoadError) as error:
            opener(model)
        assert_helps(error, model)


def test_an_unknown_architecture_is_named() -> None:
    with pytest.raises(ModelLoadError) as error:
        OpenClipEncoder("ViT-Z-99", "laion9b")
    assert_helps(error, "ViT-Z-99")


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    for opener, model in [
        (OpenClipEncoder, f"local-dir:{tmp_path}"),
        (TransformersEncoder, str(tmp_path)),
    ]:
        with pytest.raises(ModelLoadError) as error:
            opener(model)
        assert_helps(error, model)


@pytest.mark.parametrize("name", ["bert", "siglip2"])
def test_broken_weights_are_refused(name: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    copy = shutil.copytree(checkpoint(name), tmp_path / "copy")
    next(copy.glob("*.safetensors")).write_bytes(b"not weights")
    with pytest.raises(ModelLoadError, match="copy"):
        TransformersEncoder(str(copy), device="cpu")


def test_a_model_of_another_type_is_named(checkpoint: Checkpoint) -> None:
    with pytest.raises(ModelLoadError, match="'bert'") as error:
        TransformersEncoder(checkpoint("bert"))
    assert_helps(error, checkpoint("bert"))
    assert "siglip2" in str(error.value)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"dtype": "float17"}, {"device": "gpu!"}])
def test_meaningless_options_are_refused(options: dict[str, Any], checkpoint: Checkpoint) -> None:
    with pytest.raises(InvalidInputError, match=str(next(iter(options.values())))):
        open_encoder("clip", checkpoint("clip"), **options)
