"""When and where a photo was taken, as the camera wrote it; nothing else of its metadata is read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from PIL import ExifTags, Image

MOST_BYTES = 256 * 1024  # of EXIF; a camera writes less than 64 KiB
_FORMAT = "%Y:%m:%d %H:%M:%S"


@dataclass(frozen=True)
class Taken:
    """`at`: by the camera's own clock, which names no zone; the place in degrees north and east, both or none."""

    at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None


UNKNOWN = Taken()


def read(image: Image.Image) -> Taken:
    """What can be read of it; a file that lies or is damaged says nothing."""
    try:
        if len(image.info.get("exif") or b"") > MOST_BYTES:
            return UNKNOWN
        exif = image.getexif()
    except Exception:  # decoders of hostile files raise nearly anything
        return UNKNOWN
    return Taken(_moment(exif), *_place(exif))


def _moment(exif: Image.Exif) -> datetime | None:
    try:
        text = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
        return datetime.strptime(str(text).strip("\0 ")[:19], _FORMAT)  # noqa: DTZ007 - the camera names no zone
    except Exception:
        return None


def _place(exif: Image.Exif) -> tuple[float | None, float | None]:
    try:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        north = _degrees(gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLatitudeRef], "NS", 90)
        east = _degrees(gps[ExifTags.GPS.GPSLongitude], gps[ExifTags.GPS.GPSLongitudeRef], "EW", 180)
    except Exception:
        return None, None
    # Cameras without a fix write zeros; nobody photographs weeds there, in the open sea.
    return (None, None) if north == east == 0 else (north, east)


def _degrees(parts: Sequence[float], reference: str | bytes, letters: str, most: int) -> float:
    """Degrees, minutes and seconds as one number; raises on what is none."""
    letter = reference.decode() if isinstance(reference, bytes) else reference
    letter = letter.strip("\0 ")
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if letter not in letters or not math.isfinite(value) or not 0 <= value <= most:
        raise ValueError("no place on the earth")
    return round(-value if letter == letters[1] else value, 7)
