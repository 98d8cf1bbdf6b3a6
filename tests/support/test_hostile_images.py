"""Files made to harm whoever opens them: each is refused, or read as the image it is."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, GifImagePlugin, Image

from dar_retriever.errors import InvalidImageError
from dar_retriever.support.decoding import decode
from dar_retriever.support.images import (
    MAX_BYTES,
    MAX_PIXELS,
    data_url,
    image_from_data_url,
    open_image,
    printable,
    read_file,
    read_image,
)

RED = (220, 20, 30)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MIB = 2**20
PAGE = b"<html><script>alert('owned')</script></html>"
SVG = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><text>&f;</text></svg>"""
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 64 64
%%EndComments
0 0 64 64 rectfill
%%EOF
"""

# Reads a file given on the command line and tells by how much that raised the peak of its memory.
MEASURE = """
import json, resource, sys
from PIL import Image
from dar_retriever.support.images import open_image, read_image
Image.init()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
try:
    found = str(open_image(sys.argv[1]).size)
except Exception as error:
    found = f"{type(error).__name__}: {error}"
print(json.dumps([found, peak() - before]))
"""


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(width: int = 64, height: int = 64) -> Image.Image:
    """A picture whose files are not mostly headers."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def png_with(*chunks: bytes) -> bytes:
    """A red PNG with more chunks behind its header."""
    content = encoded(Image.new("RGB", (8, 8), RED), "PNG")
    return content[:33] + b"".join(chunks) + content[33:]


def zeros(size: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    packer = zlib.compressobj()
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush a block stands for itself, and may be said again.
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (size // MIB) + packer.flush()


def measured(path: Path) -> tuple[str, int]:
    """What reading a file gave in a fresh process, and the bytes that its memory grew by."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True
    )
    found, grown = json.loads(done.stdout.splitlines()[-1])
    return found, grown


def many_frames(count: int) -> bytes:
    """An animated GIF made of one frame again and again."""
    frame = Image.new("P", (16, 16))
    still = encoded(frame, "GIF")
    image = still[still.index(b"\x2c") : -1]
    return still[: still.index(b"\x2c")] + image * count + b";"


def test_the_frames_of_an_animation_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    content = many_frames(10_000)
    assert Image.open(io.BytesIO(content)).n_frames == 10_000
    sought: list[int] = []
    seek = GifImagePlugin.GifImageFile._seek

    def counting(self: GifImagePlugin.GifImageFile, frame: int, *update: bool) -> None:
        sought.append(frame)
        seek(self, frame, *update)

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "_seek", counting)
    decoded = decode(content, "many.gif")
    assert (decoded.image.size, decoded.animated) == ((16, 16), True)
    assert len(sought) < 5


def claiming(kind: str, width: int, height: int) -> bytes:
    """A file of a few bytes whose header claims a size."""
    if kind == "GIF":
        still = encoded(Image.new("P", (16, 16)), "GIF")
        return still[:6] + struct.pack("<HH", width, height) + still[10:]
    if kind == "BMP":
        still = encoded(Image.new("RGB", (16, 16)), "BMP")
        return still[:18] + struct.pack("<ii", width, height) + still[26:]
    if kind == "JPEG":
        still = encoded(Image.new("RGB", (16, 16)), "JPEG")
        place = still.index(b"\xff\xc0") + 5
        return still[:place] + struct.pack(">HH", height, width) + still[place + 4 :]
    if kind == "WEBP":
        extended = b"VP8X" + struct.pack("<I", 10) + bytes(4)
        extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = b"WEBP" + extended + encoded(Image.new("RGB", (16, 16)), "WEBP")[12:]
        return b"RIFF" + struct.pack("<I", len(body)) + body
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(100)))
    return PNG_SIGNATURE + header + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_000, 10_000), (16_383, 16_383), (65_000, 65_000)])
def test_headers_that_claim_too_much_cost_no_memory(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    if kind == "WEBP" and size[0] > 16_383:
        size = (2**24 - 1, 255)
    path = tmp_path / f"bomb.{kind.lower()}"
    path.write_bytes(claiming(kind, *size))
    assert path.stat().st_size < 2_000

    with pytest.raises(InvalidImageError, match=path.name):
        open_image(path)
    if size == (16_383, 16_383):
        found, grown = measured(path)
        assert found.startswith("InvalidImageError")
        assert grown < 100 * MIB


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_of_a_hundred_megapixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(Image.new("L", (10_000, 10_000)), "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))

    with pytest.raises(InvalidImageError, match=r"large\.png: 10000 x 10000 .*scale it down"):
        read_image(content, "large.png")


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_where_warnings_are_errors_a_bomb_is_still_one_of_this_package() -> None:
    with pytest.raises(InvalidImageError, match="scale it down"):
        read_image(claiming("PNG", 10_000, 10_000))


def test_the_largest_image_that_is_promised_is_read() -> None:
    side = int(MAX_PIXELS**0.5)

    assert read_image(encoded(Image.new("L", (side, side)), "PNG")).size == (side, side)


BOMBS = {
    "ztxt": lambda: chunk(b"zTXt", b"Comment\0\0" + zeros(1024 * MIB)),
    "itxt": lambda: chunk(b"iTXt", b"Comment\0\1\0\0\0" + zeros(1024 * MIB)),
    "iccp": lambda: chunk(b"iCCP", b"Profile\0\0" + zeros(1024 * MIB)),
    "many ztxt": lambda: chunk(b"zTXt", b"Comment\0\0" + zeros(MIB)) * 1_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_compressed_texts_and_profiles_do_not_unpack_to_gigabytes(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.png"
    path.write_bytes(png_with(BOMBS[name]()))
    assert path.stat().st_size < 3 * MIB

    found, grown = measured(path)

    assert found.startswith("InvalidImageError") or found == "(8, 8)"
    assert grown < 150 * MIB


def jpeg_of_crumbs() -> bytes:
    content = encoded(noise(), "JPEG")
    return content[:2] + b"\xff\xe5\x00\x02" * 1_000_000 + content[2:]


def png_of_crumbs() -> bytes:
    return png_with(chunk(b"prVt", b"") * 500_000)


def gif_of_crumbs() -> bytes:
    content = encoded(noise().quantize(8), "GIF")
    place = content.index(b"\x2c", 13)
    return content[:place] + b"\x21\xfe\x01a\x00" * 500_000 + content[place:]


@pytest.mark.parametrize("make", [jpeg_of_crumbs, png_of_crumbs, gif_of_crumbs])
def test_millions_of_tiny_pieces_are_not_gathered(
    make: Callable[[], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "crumbs.img"
    path.write_bytes(make())

    found, grown = measured(path)

    assert "crumbs.img: made of too many small pieces" in found
    # The file itself, and what a hundred thousand pieces cost.
    assert grown < path.stat().st_size + 40 * MIB


def run_length_coded(side: int) -> bytes:
    """A BMP of RLE8 in which every pixel is a run of its own."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    rows = b"".join(b"".join(b"\1%c" % value for value in row) + b"\0\0" for row in pixels)
    body, palette = rows + b"\0\1", b"".join(bytes((n, n, n, 0)) for n in range(256))
    start = 14 + 40 + len(palette)
    file = struct.pack("<2sIHHI", b"BM", start + len(body), 0, 0, start)
    about = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(body), 0, 0, 256, 0)
    return file + about + palette + body


def test_files_that_pillow_itself_reads_in_crumbs_are_read() -> None:
    assert np.asarray(read_image(run_length_coded(300))).std() > 50
    # An interlaced GIF with many blocks, a PNG of many chunks, a TIFF of many strips.
    large = noise(1200, 1000)
    for kind, options in (("GIF", {}), ("PNG", {}), ("TIFF", {"strip_size": 64})):
        picture = large.quantize(256) if kind == "GIF" else large
        assert read_image(encoded(picture, kind, **options)).size == large.size


def test_a_jpeg_that_passes_over_its_pixels_again_and_again_is_refused() -> None:
    content = encoded(Image.new("RGB", (4000, 4000), RED), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    again = content[:-2] + last * 5_000 + content[-2:]
    assert len(again) < MIB

    assert read_image(content).size == (4000, 4000)
    with pytest.raises(InvalidImageError, match=r"slow\.jpg: 50\d\d scans .*save it as a usual"):
        read_image(again, "slow.jpg")


def test_a_huge_colour_profile_is_not_passed_on() -> None:
    content = encoded(noise(), "JPEG", icc_profile=os.urandom(4 * MIB))
    assert len(content) > 4 * MIB

    image = read_image(content)

    assert image.size == (64, 64)
    assert len(data_url(image)) < MIB // 4


@pytest.mark.parametrize("name", ["picture.svg", "picture.png", "picture.jpg"])
@pytest.mark.parametrize(
    "content",
    [SVG, EPS, PAGE, b"%PDF-1.7\n%%EOF", b"P6 1 1 255 abc", b"8BPS" + bytes(40), b"#!/bin/sh\n"],
    ids=["svg", "eps", "html", "pdf", "ppm", "psd", "script"],
)
def test_other_files_under_an_images_name_are_refused(
    name: str, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidImageError, match=rf"{name}: cannot be read as an image"):
        open_image(tmp_path / name)


def test_no_program_is_started_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ghostscript, started = tmp_path / "gs", tmp_path / "started"
    ghostscript.write_text(f"#!/bin/sh\ntouch {started}\necho 10\n")
    ghostscript.chmod(ghostscript.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)

    with pytest.raises(InvalidImageError, match="cannot be read as an image"):
        read_image(EPS, "picture.jpg")
    assert not started.exists()

    # Pillow left to itself starts it.
    with suppress(OSError):
        Image.open(io.BytesIO(EPS)).load()
    assert started.exists()


def polyglots() -> dict[str, bytes]:
    picture = Image.new("RGB", (16, 16), RED)
    jpeg, png = encoded(picture, "JPEG", quality=95), encoded(picture, "PNG")
    comment = b"\xff\xfe" + (len(PAGE) + 2).to_bytes(2, "big") + PAGE
    gif = encoded(picture.quantize(4), "GIF")
    return {
        "jpeg and zip": jpeg + b"PK\x03\x04" + PAGE + b"PK\x05\x06" + bytes(18),
        "gif and html": gif + PAGE,
        "png and php": png + b"<?php system('id'); ?>" + PAGE,
        "png and pdf": png + b"%PDF-1.7\n" + PAGE + b"%%EOF",
        "jpeg with a comment": jpeg[:2] + comment + jpeg[2:],
        "png with a text": png_with(chunk(b"tEXt", b"Comment\0" + PAGE)),
    }


@pytest.mark.parametrize("name", polyglots())
def test_what_else_a_file_is_does_not_leave_with_its_image(name: str) -> None:
    content = polyglots()[name]
    assert PAGE in content

    image = read_image(content, name)
    sent = base64.b64decode(data_url(image).partition(",")[2])

    assert image.mode == "RGB"
    np.testing.assert_allclose(image.getpixel((4, 4)), RED, atol=4)
    assert b"owned" not in sent
    assert sent.endswith(b"\xff\xd9")
    assert read_image(sent).size == image.size


@pytest.mark.parametrize("first", [PAGE, b"\0", b"\n", b"PK\x03\x04"])
def test_an_image_behind_something_else_is_no_image(first: bytes) -> None:
    with pytest.raises(InvalidImageError, match="cannot be read"):
        read_image(first + encoded(noise(), "JPEG"))


@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["plain", "progressive"])
def test_a_jpeg_cut_off_at_any_percent_is_refused_by_name(
    options: dict[str, bool], tmp_path: Path
) -> None:
    content = encoded(noise(96, 80), "JPEG", quality=90, **options)
    path = tmp_path / "cut.jpg"
    for percent in range(100):
        path.write_bytes(content[: len(content) * percent // 100])
        with pytest.raises(InvalidImageError, match=r"cut\.jpg"):
            open_image(path)
        with pytest.raises(InvalidImageError, match=r"cut\.jpg"):
            decode(path.read_bytes(), path.name, 8)
    path.write_bytes(content)
    assert open_image(path).size == (96, 80)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_other_formats_cut_off_raise_nothing_else(kind: str) -> None:
    content = encoded(noise(), kind)
    for percent in range(0, 90, 3):
        with pytest.raises(InvalidImageError, match=r"cut\.img"):
            read_image(content[: len(content) * percent // 100], "cut.img")
    assert read_image(content).size == (64, 64)


def test_avif_and_the_first_picture_of_a_stereo_pair_are_read() -> None:
    left, right = noise(), Image.new("RGB", (64, 64))
    pair = encoded(left, "MPO", save_all=True, append_images=[right], quality=95)
    assert Image.open(io.BytesIO(pair)).n_frames == 2

    assert np.asarray(read_image(pair)).std() > 20
    assert read_image(encoded(left, "AVIF")).size == (64, 64)


def refused_at_once(path: Path, reason: str) -> None:
    """Refused in a thread, so that waiting for ever would fail the test instead of hanging it."""
    outcome: list[str] = []

    def read() -> None:
        for call in (read_file, open_image):
            try:
                call(path)
            except InvalidImageError as error:
                outcome.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(20)
    assert len(outcome) == 2, "it waits, or was read"
    for message in outcome:
        assert path.name in message
        assert reason in message


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")

    refused_at_once(tmp_path / "pipe.png", "name the image file itself")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Their paths must be short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        refused_at_once(tmp_path / "socket.png", "check the path")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/tty", "/dev/random"])
def test_devices_are_not_read(device: str, tmp_path: Path) -> None:
    (tmp_path / "device.png").symlink_to(device)

    refused_at_once(tmp_path / "device.png", "")


def test_a_folder_under_an_images_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()

    refused_at_once(tmp_path / "folder.png", "directory")


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")

    refused_at_once(tmp_path / "circle.png", "check the path")


def test_a_file_of_too_many_bytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.write(PNG_SIGNATURE)
        # A hole: it takes no room on the disk.
        file.truncate(64 * 1024 * MIB)

    refused_at_once(path, f"{64 * 1024 * MIB:,} bytes are more than {MAX_BYTES:,}")
    found, grown = measured(path)
    assert "huge.png" in found
    assert grown < 50 * MIB


def test_content_of_too_many_bytes_is_refused() -> None:
    with pytest.raises(InvalidImageError, match=r"upload: .*bytes are more than"):
        read_image(bytes(MAX_BYTES + 1), "upload")


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0\xff\n" * 1000)
    (tmp_path / "empty.bin").touch()

    assert read_file(tmp_path / "a.bin") == b"\0\xff\n" * 1000
    assert read_file(str(tmp_path / "empty.bin")) == b""
    (tmp_path / "link.bin").symlink_to("a.bin")
    assert len(read_file(tmp_path / "link.bin")) == 3000


@pytest.mark.parametrize("path", ["", "\0", "a\0b.png", "\ud800.png", "x" * 5000])
def test_paths_that_no_file_can_have_are_refused(path: str) -> None:
    with pytest.raises(InvalidImageError, match=r"check (it|the path)") as error:
        open_image(path)
    assert len(str(error.value)) < 400
    str(error.value).encode()


def test_the_names_of_files_can_always_be_printed(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"no image")

    with pytest.raises(InvalidImageError, match="caf") as error:
        open_image(path)
    str(error.value).encode()
    assert printable("a dress.png") == "a dress.png"
    assert printable("x" * 5000) == "x" * 100 + "..." + "x" * 100


def test_data_urls_are_read_with_the_same_care() -> None:
    for content in (EPS, SVG, jpeg_of_crumbs()):
        url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        with pytest.raises(InvalidImageError, match="the image of a data URL"):
            image_from_data_url(url)
