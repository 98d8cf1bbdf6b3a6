"""Image files that tests make: photographs, and what is no image."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dar_retriever.support.images import MAX_PIXELS

RED, GREEN, BLUE = (220, 20, 30), (20, 200, 40), (10, 30, 210)
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)


def chunk(name: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return PNG_SIGNATURE + header + pixels + chunk(b"IEND", b"")


def broken_files() -> dict[str, bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    photo = Image.fromarray(noise)
    jpeg, png, webp = (encoded(photo, kind) for kind in ("JPEG", "PNG", "WEBP"))
    return {
        "zero bytes.jpg": b"",
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "truncated.png": png[: len(png) // 2],
        "truncated.webp": webp[: len(webp) // 2],
        "header only.jpg": jpeg[:20],
        "text.jpg": b"this is no image at all\n" * 20,
        "page.png": b"<!DOCTYPE html><html><body>404</body></html>",
        "bomb.png": claiming(50_000, 50_000),
        "large.png": claiming(10_000, MAX_PIXELS // 10_000 + 1),
    }


def photograph(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A sky, a ground, some things in between, blur and grain: no two alike."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), np.int16)
    grain = random.integers(-12, 13, smooth.shape)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def save_photographs(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(count)]
    for number, path in enumerate(paths):
        photograph(100 + number, (24, 16)).save(path)
    return paths


def write_lines(folder: Path, *entries: dict[str, Any]) -> None:
    lines = "\n".join(json.dumps(entry) for entry in entries)
    (folder / "metadata.jsonl").write_text(lines + "\n", encoding="utf-8")


def settle(folder: Path) -> None:
    """Make files as old as they are in life."""
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, ns=(10**18, 10**18 + number))
