"""Photographs as phones, cameras and editors write them."""

from __future__ import annotations

import io
import struct
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pillow_heif
import pytest
from files_of_images import BLUE, RED, animated, encoded
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.decoding import MAX_PIXELS, decode
from dar_retriever.support.image_kinds import is_image_by_content
from dar_retriever.support.images import data_url, image_from_data_url, read_image

pillow_heif.register_heif_opener()


def halves(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def profile(red: Any, green: Any, blue: Any, gamma: float = 2.2) -> bytes:
    """A colour profile of three primaries, as ICC writes them: XYZ under D50."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"a wide one"
    text = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    text += bytes(-len(text) % 4)
    tags = {
        b"desc": text,
        b"cprt": b"text" + bytes(4) + b"none" + bytes(4),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        b"rXYZ": b"XYZ " + bytes(4) + fixed(*red),
        b"gXYZ": b"XYZ " + bytes(4) + fixed(*green),
        b"bXYZ": b"XYZ " + bytes(4) + fixed(*blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", offset + len(body), len(content))
        body += content
    head = bytearray(128)
    size = 128 + 4 + len(table) + len(body)
    head[0:4], head[8:12] = struct.pack(">I", size), b"\x02\x10\0\0"
    head[12:24], head[36:40] = b"mntrRGB XYZ ", b"acsp"
    head[68:80] = fixed(0.9642, 1.0, 0.8249)
    return bytes(head) + struct.pack(">I", len(tags)) + table + body


DISPLAY_P3 = profile((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_wide_colour_profile_is_converted(kind: str) -> None:
    """What a phone stores as (210, 58, 49) in Display P3 is (230, 30, 30) on other screens."""
    image = Image.new("RGB", (32, 32), (210, 58, 49))
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(image, kind, icc_profile=DISPLAY_P3, **options)
    read = read_image(content)
    np.testing.assert_allclose(read.getpixel((9, 9)), (230, 30, 30), atol=9)
    # What is made of it does not say that it still is in the other colours.
    np.testing.assert_allclose(
        image_from_data_url(data_url(read)).getpixel((9, 9)), (230, 30, 30), atol=12
    )
    assert Image.open(io.BytesIO(encoded(read, "PNG"))).info.get("icc_profile") is None


def test_transparency_survives_a_profile_and_srgb_changes_nothing() -> None:
    image = Image.new("RGBA", (8, 8), (210, 58, 49, 0))
    read = read_image(encoded(image, "PNG", icc_profile=DISPLAY_P3))
    assert read.getpixel((3, 3)) == (255, 255, 255)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = read_image(encoded(Image.new("RGB", (8, 8), RED), "PNG", icc_profile=srgb))
    assert same.getpixel((3, 3)) == RED


@given(st.binary(max_size=200), st.integers(0, 600), st.binary(min_size=1, max_size=6))
def test_a_broken_profile_is_ignored(content: bytes, place: int, damage: bytes) -> None:
    image = Image.new("RGB", (8, 8), RED)
    assert read_image(encoded(image, "PNG", icc_profile=content)).size == (8, 8)
    place %= len(DISPLAY_P3)
    damaged = DISPLAY_P3[:place] + damage + DISPLAY_P3[place + len(damage) :]
    assert read_image(encoded(image, "PNG", icc_profile=damaged)).mode == "RGB"


def test_heic_is_read_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    read = decode(encoded(halves(), "HEIF", exif=exif.tobytes(), quality=95), "IMG_1.HEIC")
    assert (read.width, read.height, read.image.size) == (48, 64, (48, 64))
    np.testing.assert_allclose(read.image.getpixel((24, 8)), RED, atol=20)
    np.testing.assert_allclose(read.image.getpixel((24, 56)), BLUE, atol=20)


def test_without_its_package_heic_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = encoded(halves(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InvalidImageError, match=r"IMG_1\.HEIC: .*dar-retriever\[heif\]"):
        read_image(content, "IMG_1.HEIC")


@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
def test_a_damaged_heic_raises_nothing_else(place: int, damage: bytes) -> None:
    content = encoded(halves((16, 16)), "HEIF")
    place %= len(content)
    with suppress(InvalidImageError):
        read_image(content[:place] + damage + content[place + len(damage) :])


def test_a_photograph_of_200_megapixels_is_read_at_a_reduced_size() -> None:
    content = encoded(Image.new("L", (16_320, 12_240), 90), "JPEG", quality=30)
    read = decode(content, "huge.jpg")
    assert (read.width, read.height) == (16_320, 12_240)
    assert read.image.size == (8160, 6120)
    assert read.image.width * read.image.height <= MAX_PIXELS
    assert decode(content, "huge.jpg", side=224).image.size == (2040, 1530)


def test_what_no_jpeg_reader_can_reduce_is_refused() -> None:
    side = 8_100
    image = Image.new("L", (side, side))
    with pytest.raises(InvalidImageError, match=r"huge\.jpg: a progressive JPEG of 8100 x 8100"):
        read_image(encoded(image, "JPEG", progressive=True), "huge.jpg")
    with pytest.raises(InvalidImageError, match=r"huge\.png: .*more than 64,000,000"):
        read_image(encoded(image, "PNG"), "huge.png")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    read = decode(animated(kind))
    assert read.animated
    np.testing.assert_allclose(read.image.getpixel((5, 5)), RED, atol=12)
    assert not decode(encoded(halves(), kind)).animated


def photograph(**tags: Any) -> bytes:
    exif = Image.Exif()
    for name, value in tags.items():
        if name in ("Make", "Model", "DateTime"):
            exif[ExifTags.Base[name]] = value
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details |= {
        ExifTags.Base[name]: value
        for name, value in tags.items()
        if name in ("DateTimeOriginal", "DateTimeDigitized")
    }
    if "gps" in tags:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(tags["gps"])
    return encoded(halves(), "JPEG", exif=exif)


ROME = {1: "N", 2: (41.0, 53.0, 24.8), 3: "E", 4: (12.0, 29.0, 32.3)}


def test_what_the_camera_wrote_is_read() -> None:
    content = photograph(
        DateTimeOriginal="2019:07:04 15:30:07",
        DateTime="2024:01:01 00:00:00",
        Make="Canon",
        Model="Canon EOS R5",
        gps=ROME,
    )
    assert decode(content).photo == {
        "taken": 20190704,
        "taken_at": "2019-07-04 15:30:07",
        "camera": "Canon EOS R5",
        "latitude": 41.890222,
        "longitude": 12.492306,
    }


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({}, {}),
        ({"DateTimeOriginal": "0000:00:00 00:00:00"}, {}),
        ({"DateTimeOriginal": "    :  :     :  :  "}, {}),
        ({"DateTimeOriginal": "2019:13:40 10:00:00"}, {}),
        ({"DateTime": "2019:07:04 15:30"}, {"taken": 20190704, "taken_at": "2019-07-04 15:30:00"}),
        ({"Make": "NIKON\0\0", "Model": "D5"}, {"camera": "NIKON D5"}),
        ({"gps": {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}}, {}),
        (
            {"gps": {1: "S", 2: (33.5, 0.0, 0.0), 3: "W", 4: (70.5, 0.0, 0.0)}},
            {"latitude": -33.5, "longitude": -70.5},
        ),
        ({"gps": {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)}}, {}),
        ({"gps": {1: "N"}}, {}),
    ],
)
def test_camera_data_that_make_no_sense_are_left_out(
    tags: dict[str, Any], found: dict[str, Any]
) -> None:
    assert decode(photograph(**tags)).photo == found


@given(st.integers(20, 260), st.binary(min_size=1, max_size=8))
def test_damaged_camera_data_raise_nothing_else(place: int, damage: bytes) -> None:
    content = photograph(DateTimeOriginal="2019:07:04 15:30:07", Make="Canon", gps=ROME)
    with suppress(InvalidImageError):
        decode(content[:place] + damage + content[place + len(damage) :])


def test_files_without_a_suffix_are_known_by_their_first_bytes(tmp_path: Any) -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "HEIF"):
        (tmp_path / kind).write_bytes(encoded(halves(), kind))
        assert is_image_by_content(tmp_path / kind), kind
    (tmp_path / "text").write_bytes(b"a text")
    (tmp_path / "empty").write_bytes(b"")
    assert not is_image_by_content(tmp_path / "text")
    assert not is_image_by_content(tmp_path / "empty")
    assert not is_image_by_content(tmp_path / "missing")
    assert not is_image_by_content(tmp_path)
