"""Bytes that are no picture, half a picture, or a picture under a wrong name."""

import io
from collections.abc import Iterator

from PIL import Image

from tests.hostile.contract import OK, PICTURE_REFUSALS, UNREADABLE
from tests.hostile.pictures import CONTENT_TYPES, canvas, encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part

TEXT = b"This is a letter, not a picture.\n" * 40
WRONG_TYPES = ("text/plain", "application/json", "video/mp4", "application/zip", "text/html; charset=utf-8")


def unreadable() -> Iterator[Hostile]:
    yield from _not_pictures()
    yield from _truncated()
    yield from _wrong_types()
    yield from _off_the_list()


def _not_pictures() -> Iterator[Hostile]:
    for name, data in {
        "text": TEXT,
        "html": b"<!doctype html><script>alert(1)</script>",
        "one byte": b"\xff",
        "jpeg magic only": b"\xff\xd8\xff",
        "png magic only": b"\x89PNG\r\n\x1a\n",
        "zeros": bytes(5000),
        "null-terminated path": b"../../etc/passwd\x00",
    }.items():
        yield hostile(f"{name} named .jpg", form(part(data)), {"invalid_image"}, content_type=MULTIPART)
        yield hostile(f"{name}, raw", data, {"invalid_image"})


def _truncated() -> Iterator[Hostile]:
    for kind in ("JPEG", "PROGRESSIVE", "PNG", "WEBP", "TIFF", "BMP", "HEIF"):
        whole = encoded(kind)
        for percent in (10, 50, 90):
            data = whole[: len(whole) * percent // 100]
            name = f"{kind} cut at {percent} %"
            yield hostile(name, data, UNREADABLE, content_type=CONTENT_TYPES[kind])


def _wrong_types() -> Iterator[Hostile]:
    for content_type in WRONG_TYPES:
        name = f"JPEG declared {content_type}"
        yield hostile(name, encoded("JPEG"), {"unsupported_media_type"}, content_type=content_type)
    for odd in (
        "image/jpeg; charset=utf-8",
        "IMAGE/JPEG",
        "image/png",
        "image/",
        "image/x" * 500,
        "application/octet-stream",
    ):
        yield hostile(f"JPEG declared {odd[:30]}", encoded("JPEG"), {OK, "unsupported_media_type"}, content_type=odd)
    yield hostile("JPEG without a type", encoded("JPEG"), PICTURE_REFUSALS | {OK}, content_type=None)
    yield hostile("JPEG declared nonsense", encoded("JPEG"), PICTURE_REFUSALS, content_type="nonsense")


def _off_the_list() -> Iterator[Hostile]:
    for kind in ("ICO", "TGA", "PPM", "PCX", "PDF", "JPEG2000", "DDS", "EPS"):
        target = io.BytesIO()
        canvas(64, 64).save(target, kind)
        name = f"{kind} declared image/jpeg"
        yield hostile(name, target.getvalue(), UNREADABLE)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    yield hostile("SVG", svg, UNREADABLE, content_type="image/svg+xml")
    cmyk = io.BytesIO()
    Image.new("CMYK", (64, 64), (10, 200, 30, 0)).save(cmyk, "JPEG")
    yield hostile("CMYK JPEG", cmyk.getvalue(), {OK})
