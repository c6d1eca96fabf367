"""Time and place of a photo are read as the camera wrote them; what is wrong or hostile says nothing."""

import io
import random
from datetime import datetime
from typing import Any

import pytest
from PIL import ExifTags, Image

from control_plane.photos import exif
from control_plane.photos.exif import UNKNOWN, Taken

GPS = {1: "N", 2: (52.0, 30.0, 36.0), 3: "W", 4: (13.0, 24.0, 0.0)}


def photo(gps: dict[int, Any] | None = None, taken: Any = None, kind: str = "JPEG") -> bytes:
    written = Image.Exif()
    if gps is not None:
        written._ifds[ExifTags.IFD.GPSInfo] = gps
        written[ExifTags.IFD.GPSInfo] = gps
    if taken is not None:
        written._ifds[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: taken}
        written[ExifTags.IFD.Exif] = {ExifTags.Base.DateTimeOriginal: taken}
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "green").save(out, kind, exif=written)
    return out.getvalue()


def read(data: bytes) -> Taken:
    with Image.open(io.BytesIO(data)) as image:
        return exif.read(image)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_time_and_place_are_read(kind: str) -> None:
    found = read(photo(GPS, "2026:05:01 10:11:12", kind))
    assert found == Taken(datetime.fromisoformat("2026-05-01T10:11:12"), 52.51, -13.4)


def test_a_photo_without_metadata_says_nothing() -> None:
    assert read(photo()) == UNKNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        {1: "X", 2: (1, 2, 3), 3: "E", 4: (1, 2, 3)},
        {1: "N", 2: (91, 0, 0), 3: "E", 4: (1, 2, 3)},
        {1: "N", 2: (1, 2), 3: "E", 4: (1, 2, 3)},
        {1: "N", 2: (0, 0, 0), 3: "E", 4: (0, 0, 0)},
        {1: "N", 2: (1, 2, 3)},
    ],
)
def test_a_place_that_is_none_is_not_taken(wrong: dict[int, Any]) -> None:
    assert (read(photo(wrong)).latitude, read(photo(wrong)).longitude) == (None, None)


@pytest.mark.parametrize("wrong", ["0000:00:00 00:00:00", "yesterday", "2026:13:01 10:11:12", "", "\x00" * 19])
def test_a_time_that_is_none_is_not_taken(wrong: str) -> None:
    assert read(photo(taken=wrong)).at is None


def opened(data: bytes) -> Image.Image | None:
    try:
        return Image.open(io.BytesIO(data))
    except Exception:  # so broken that it is no picture any more
        return None


@pytest.mark.filterwarnings("ignore")
def test_hostile_metadata_never_raises() -> None:
    chosen, good = random.Random(7), photo(GPS, "2026:05:01 10:11:12")
    begins = good.index(b"Exif")
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chosen.randint(1, 8)):
            data[begins + 6 + chosen.randrange(200)] = chosen.randrange(256)
        if (image := opened(bytes(data))) is None:
            continue
        found = exif.read(image)
        assert (found.latitude is None) == (found.longitude is None)
        assert found.latitude is None or -90 <= found.latitude <= 90


def test_more_metadata_than_a_camera_writes_is_not_read() -> None:
    with Image.open(io.BytesIO(photo(GPS))) as image:
        image.info["exif"] = bytes(exif.MOST_BYTES + 1)
        assert exif.read(image) == UNKNOWN
