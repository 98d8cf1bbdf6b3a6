"""Images of any mode and colour space as RGB that looks the same."""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image, ImageCms

_WHITE: Final = (255, 255, 255, 255)
# Modes whose colours a profile describes, and what they become in sRGB.
_PROFILED: Final = {"RGB": "RGB", "RGBA": "RGBA", "CMYK": "RGB"}
_LOG: Final = logging.getLogger(__name__)


def in_srgb(image: Image.Image) -> Image.Image:
    """Convert an image with a colour profile, such as Display P3, to sRGB; others stay as they are.

    A profile that cannot be read is ignored, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not profile:
        return image
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode not in _PROFILED:
        return image
    try:
        transform = _transform(profile, image.mode)
        converted = image if transform is None else ImageCms.applyTransform(image, transform)
    # Profiles come from anywhere; lcms and Pillow raise different errors for broken ones.
    except Exception as error:
        _LOG.debug("a colour profile is ignored: %s", error)
        return image
    assert converted is not None
    # Who saves the image must not say that the profile still holds.
    converted.info.pop("icc_profile", None)
    return converted


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode to RGB so that it looks the same."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        top = 65535 if image.mode != "F" else max(1.0, float(values.max(initial=0)))
        scaled = (values.clip(0, top) * (255 / top)).astype(np.uint8)
        return Image.fromarray(scaled).convert("RGB")
    if "A" in image.mode or "transparency" in image.info:
        layers = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layers.size, _WHITE), layers).convert("RGB")
    return image.convert("RGB")


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> Any:
    """The conversion from a profile to sRGB; None if it is sRGB already."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if "sRGB" in (source.profile.profile_description or ""):
        return None
    target = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.buildTransform(source, target, mode, _PROFILED[mode], intent)
