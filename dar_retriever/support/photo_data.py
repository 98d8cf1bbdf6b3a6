"""What cameras write into their files: when and with what a photograph was taken, and where."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from PIL import ExifTags, Image

_MOMENT: Final = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?"
)
# The date of a scan, or of the last change, is only better than none.
_TIMES: Final = (ExifTags.Base.DateTimeOriginal, ExifTags.Base.DateTimeDigitized)
_EARLIEST: Final = 1826
_LONGEST: Final = 120
_GPS: Final = ExifTags.GPS


def photo_data(image: Image.Image) -> dict[str, str | int | float]:
    """What an image's EXIF data tell, if they can be read.

    Returns:
        "taken", the day as a number such as 20190704; "taken_at", the moment as text such as
        "2019-07-04 15:30:00", in the camera's own time; "camera"; "latitude" and "longitude" in
        degrees. What is missing or makes no sense is left out.
    """
    found: dict[str, str | int | float] = {}
    # Files hold EXIF of any quality, and Pillow's reader can raise anything on it.
    with suppress(Exception):
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        texts = [*(details.get(tag) for tag in _TIMES), exif.get(ExifTags.Base.DateTime)]
        moment = next((m for m in map(_moment, texts) if m is not None), None)
        if moment is not None:
            found["taken"] = moment.year * 10000 + moment.month * 100 + moment.day
            found["taken_at"] = moment.isoformat(" ")
        make, model = (_text(exif.get(t)) for t in (ExifTags.Base.Make, ExifTags.Base.Model))
        camera = model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()
        if camera:
            found["camera"] = camera
        with suppress(Exception):
            found |= _place(exif.get_ifd(ExifTags.IFD.GPSInfo))
    return found


def _place(gps: dict[int, Any]) -> dict[str, float]:
    latitude = _degrees(gps.get(_GPS.GPSLatitude), gps.get(_GPS.GPSLatitudeRef), "S")
    longitude = _degrees(gps.get(_GPS.GPSLongitude), gps.get(_GPS.GPSLongitudeRef), "W")
    there = latitude is not None and longitude is not None
    # Cameras without a fix write zeros.
    if not there or (latitude, longitude) == (0, 0):
        return {}
    assert latitude is not None
    assert longitude is not None
    fits = abs(latitude) <= 90 and abs(longitude) <= 180
    return {"latitude": latitude, "longitude": longitude} if fits else {}


def _degrees(parts: Any, side: Any, negative: str) -> float | None:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = round(degrees + minutes / 60 + seconds / 3600, 6)
    return -value if str(side).strip("\0 ").upper() == negative else value


def _moment(value: Any) -> datetime | None:
    found = _MOMENT.match(_text(value))
    if found is None:
        return None
    try:
        moment = datetime(*(int(part or 0) for part in found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
    # Zeros, or no such day.
    except ValueError:
        return None
    return moment if moment.year >= _EARLIEST else None


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return "".join(c for c in text if c.isprintable()).strip()[:_LONGEST]
