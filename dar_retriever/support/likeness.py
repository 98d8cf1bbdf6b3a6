"""Perceptual hashes: numbers that are close for pictures that look alike."""

from __future__ import annotations

from PIL import Image

from dar_retriever.support.extras import needs_extra


def perceptual_hash(image: Image.Image) -> str:
    """The 64 bits of an image's pHash as 16 hexadecimal digits (Zauner, 2010).

    Raises:
        MissingExtraError: ``imagehash`` is not installed.
    """
    with needs_extra("near-duplicates"):
        import imagehash

    return str(imagehash.phash(image))


def differing_bits(one: str, other: str) -> int:
    """How many bits two perceptual hashes differ in: 0 to 64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
