"""Real files of every kind that people have, and everything that is no image."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files_of_images import broken_files, encoded
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.images import (
    data_url,
    image_from_data_url,
    is_blank,
    open_image,
    read_image,
    to_rgb,
)

RED, GREEN, BLUE, WHITE = (220, 20, 30), (20, 200, 40), (10, 30, 210), (255, 255, 255)


def quarters() -> Image.Image:
    """A picture whose four quarters tell how it is turned: red, green / blue, white."""
    image = Image.new("RGB", (64, 32), WHITE)
    image.paste(RED, (0, 0, 32, 16))
    image.paste(GREEN, (32, 0, 64, 16))
    image.paste(BLUE, (0, 16, 32, 32))
    return image


def assert_quarters(image: Image.Image, tolerance: int = 0) -> None:
    assert image.mode == "RGB"
    assert image.size == (64, 32)
    for place, colour in [((8, 8), RED), ((56, 8), GREEN), ((8, 24), BLUE), ((56, 24), WHITE)]:
        np.testing.assert_allclose(image.getpixel(place), colour, atol=tolerance)


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("JPEG", {"quality": 95, "progressive": True, "subsampling": 0}, 6),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 95}, 30),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
    ],
)
def test_common_formats_keep_their_colours(
    kind: str, options: dict[str, Any], tolerance: int
) -> None:
    assert_quarters(read_image(encoded(quarters(), kind, **options)), tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    # What undoes each orientation, applied beforehand.
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = quarters()
    if orientation in turned:
        image = image.transpose(turned[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}, "PNG": {}}
    content = encoded(image, kind, exif=exif, **options[kind])
    upright = read_image(content)
    assert_quarters(upright, tolerance=6)
    assert upright.getexif().get(0x0112, 1) == 1


def test_cmyk_jpeg_becomes_rgb() -> None:
    content = encoded(quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0)
    assert Image.open(io.BytesIO(content)).mode == "CMYK"
    assert_quarters(read_image(content), tolerance=8)


def test_palette_png_becomes_rgb() -> None:
    content = encoded(quarters().quantize(16), "PNG")
    assert Image.open(io.BytesIO(content)).mode == "P"
    assert_quarters(read_image(content), tolerance=4)


def test_transparent_palette_entries_are_laid_on_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.paste(1, (4, 0, 8, 8))
    read = read_image(encoded(image, "PNG", transparency=0))
    assert read.getpixel((1, 1)) == WHITE
    assert read.getpixel((6, 1)) == BLUE


def test_alpha_is_laid_on_white() -> None:
    image = Image.new("RGBA", (8, 8), (*BLUE, 0))
    image.paste((*RED, 255), (4, 0, 8, 8))
    image.paste((0, 0, 0, 128), (0, 4, 4, 8))
    read = read_image(encoded(image, "PNG"))
    assert read.mode == "RGB"
    assert read.getpixel((1, 1)) == WHITE
    assert read.getpixel((6, 1)) == RED
    np.testing.assert_allclose(read.getpixel((1, 6)), (127, 127, 127), atol=2)


def test_a_transparent_colour_of_an_rgb_png_is_laid_on_white() -> None:
    read = read_image(encoded(quarters(), "PNG", transparency=RED))
    assert read.mode == "RGB"
    assert read.getpixel((8, 8)) == WHITE
    assert read.getpixel((56, 8)) == GREEN


def test_grey_with_alpha_is_laid_on_white() -> None:
    image = Image.new("LA", (8, 8), (90, 255))
    image.paste((90, 0), (4, 0, 8, 8))
    read = read_image(encoded(image, "PNG"))
    assert read.getpixel((1, 1)) == (90, 90, 90)
    assert read.getpixel((6, 1)) == WHITE


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    content = encoded(Image.fromarray(np.tile(ramp, (4, 1))), "PNG")
    assert Image.open(io.BytesIO(content)).mode.startswith("I")
    values = np.asarray(read_image(content))[0, :, 0]
    np.testing.assert_allclose(values, np.arange(256), atol=1)


def test_one_bit_images_are_black_and_white() -> None:
    image = Image.new("1", (8, 8), 0)
    image.paste(1, (4, 0, 8, 8))
    read = read_image(encoded(image, "PNG"))
    assert read.getpixel((1, 1)) == (0, 0, 0)
    assert read.getpixel((6, 1)) == WHITE


@pytest.mark.parametrize("top", [1.0, 1000.0])
def test_float_tiff_is_scaled_by_its_largest_value(top: float) -> None:
    ramp = np.linspace(0, top, 256, dtype=np.float32)
    content = encoded(Image.fromarray(np.tile(ramp, (4, 1))), "TIFF")
    assert Image.open(io.BytesIO(content)).mode == "F"
    values = np.asarray(read_image(content))[0, :, 0]
    np.testing.assert_allclose(values, np.arange(256), atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_mode_in_memory_becomes_rgb(mode: str) -> None:
    grey = Image.new("L", (8, 8), 0)
    grey.paste(255, (4, 0, 8, 8))
    read = to_rgb(grey.convert("RGB").convert(mode))
    assert read.mode == "RGB"
    assert read.getpixel((1, 1)) == (0, 0, 0)
    assert read.getpixel((6, 1)) == WHITE


def test_lab_images_become_rgb() -> None:
    lab = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 0, 0)])
    assert to_rgb(lab).mode == "RGB"
    np.testing.assert_allclose(to_rgb(lab).getpixel((1, 1)), WHITE, atol=3)


def test_still_gif_is_read() -> None:
    assert read_image(encoded(quarters().quantize(8), "GIF")).mode == "RGB"


@pytest.mark.parametrize("name", broken_files())
def test_unfit_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(broken_files()[name])
    with pytest.raises(InvalidImageError) as error:
        open_image(tmp_path / name)
    assert name in str(error.value)
    with pytest.raises(InvalidImageError, match="uploaded"):
        read_image(broken_files()[name], "uploaded")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero bytes.jpg", "empty"),
        ("bomb.png", "scale it down"),
        ("large.png", "scale it down"),
    ],
)
def test_refusals_say_why(name: str, reason: str) -> None:
    with pytest.raises(InvalidImageError, match=reason):
        read_image(broken_files()[name], name)


@pytest.mark.parametrize("name", ["missing.png", "folder"])
def test_paths_that_cannot_be_opened_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidImageError, match=name):
        open_image(tmp_path / name)


def raises_nothing_else(read: Callable[[], Image.Image]) -> None:
    try:
        image = read()
    except InvalidImageError:
        return
    assert image.mode == "RGB"


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(content: bytes) -> None:
    raises_nothing_else(lambda: read_image(content))


@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"]),
    st.integers(0, 2000),
    st.binary(min_size=1, max_size=8),
)
def test_damaged_files_raise_nothing_else(kind: str, place: int, damage: bytes) -> None:
    content = encoded(quarters(), kind)
    place %= len(content)
    damaged = content[:place] + damage + content[place + len(damage) :]
    raises_nothing_else(lambda: read_image(damaged))


def url_of(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_data_urls_are_read(kind: str) -> None:
    content = encoded(quarters(), kind, quality=95, subsampling=0)
    assert_quarters(image_from_data_url(url_of(content, f"image/{kind.lower()}")), 6)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/dress.png",
        "https://example.org/dress.png",
        "file:///etc/passwd",
        "/etc/passwd",
        "data:text/plain;base64,aGVsbG8=",
        "data:image/png,plain",
        "data:image/png;base64,no*base64!",
        "data:image/png;base64,aGVsbG8",
        "data:image/png;base64,größe",
        "data:image/png;base64,",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidImageError):
        image_from_data_url(url)


@pytest.mark.parametrize(
    "url", ["http://example.org/dress.png", "file:///etc/passwd", "data:image/png;base64,größe"]
)
def test_refused_urls_are_named(url: str) -> None:
    with pytest.raises(InvalidImageError) as error:
        image_from_data_url(url)
    assert url in str(error.value)


@given(st.text(max_size=60))
def test_arbitrary_data_urls_raise_nothing_else(payload: str) -> None:
    raises_nothing_else(lambda: image_from_data_url(f"data:image/png;base64,{payload}"))


def content_of(url: str) -> bytes:
    head, _, payload = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return base64.b64decode(payload, validate=True)


def test_an_image_becomes_the_data_url_of_a_jpeg() -> None:
    url = data_url(quarters())
    assert Image.open(io.BytesIO(content_of(url))).format == "JPEG"
    # Half the colours' resolution is lost between the quarters, not in their middle.
    assert_quarters(image_from_data_url(url), tolerance=12)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((400, 200), 100, (100, 50)),
        ((200, 400), 100, (50, 100)),
        ((100, 50), 100, (100, 50)),
        ((30, 20), 100, (30, 20)),
        ((1000, 2), 100, (100, 1)),
        ((400, 200), None, (400, 200)),
    ],
)
def test_a_data_url_is_scaled_down_and_never_up(
    size: tuple[int, int], side: int | None, expected: tuple[int, int]
) -> None:
    image = Image.new("RGB", size, RED)
    assert image_from_data_url(data_url(image, side)).size == expected
    assert image.size == size


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_a_scaled_data_url_keeps_its_aspect(width: int, height: int, side: int) -> None:
    url = data_url(Image.new("RGB", (width, height), GREEN), side)
    scale = min(1, side / max(width, height))
    assert max(image_from_data_url(url).size) == min(side, max(width, height))
    np.testing.assert_allclose(
        image_from_data_url(url).size, (width * scale, height * scale), atol=1
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_a_data_url_takes_every_mode(mode: str) -> None:
    image = Image.new(mode, (20, 10))
    assert image_from_data_url(data_url(image, 8)).size == (8, 4)


def test_a_data_url_lays_alpha_on_white() -> None:
    image = Image.new("RGBA", (32, 32), (*BLUE, 0))
    image.paste((*RED, 255), (16, 0, 32, 32))
    read = image_from_data_url(data_url(image))
    np.testing.assert_allclose(read.getpixel((4, 16)), WHITE, atol=4)
    np.testing.assert_allclose(read.getpixel((28, 16)), RED, atol=8)


@pytest.mark.parametrize("side", [None, 16, 500])
def test_a_data_url_tells_nothing_else_of_the_file(side: int | None) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    content = encoded(
        quarters(), "JPEG", exif=exif, comment=b"secret comment", xmp=b"<secret/>", dpi=(300, 300)
    )
    for image in (Image.open(io.BytesIO(content)), read_image(content)):
        written = content_of(data_url(image, side))
        assert content.count(b"secret") == 3
        assert b"secret" not in written
        assert not Image.open(io.BytesIO(written)).getexif()
        # The image itself keeps what it had.
        assert image.info["comment"] == b"secret comment"


def test_blank_images_are_those_of_one_colour() -> None:
    nearly = np.full((16, 16, 3), 100, np.uint8)
    nearly[3, 3] += 4
    assert is_blank(Image.new("RGB", (16, 16)))
    assert is_blank(Image.new("L", (16, 16), 200))
    assert is_blank(Image.fromarray(nearly))
    nearly[3, 3] += 1
    assert not is_blank(Image.fromarray(nearly))
    assert is_blank(Image.fromarray(nearly), tolerance=5)
    assert not is_blank(quarters())


@pytest.mark.parametrize("most_bytes", [100_000, 20_000, 2_000])
def test_a_data_url_stays_below_a_number_of_bytes(most_bytes: int):
    noise = Image.effect_noise((900, 600), 100).convert("RGB")

    url = data_url(noise, 800, most_bytes)

    assert len(base64.b64decode(url.partition(",")[2])) <= most_bytes
    picture = image_from_data_url(url)
    assert max(picture.size) <= 800
    assert picture.width / picture.height == pytest.approx(1.5, abs=0.1)


def test_a_data_url_that_cannot_be_smaller_is_one_pixel():
    url = data_url(Image.effect_noise((90, 60), 100), most_bytes=1)

    assert image_from_data_url(url).size == (1, 1)
