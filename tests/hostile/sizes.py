"""Bodies beyond the limit of 32 MiB, in every framing."""

from collections.abc import Iterator
from functools import cache

from tests.hostile.pictures import encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part

TOO_LARGE = frozenset({"file_too_large"})
SIZE_BYTES = 33 * 1024 * 1024


@cache
def padded_picture() -> bytes:
    """A valid JPEG with zeros behind it, 33 MiB in all."""
    return encoded("JPEG").ljust(SIZE_BYTES, b"\x00")


def sizes() -> Iterator[Hostile]:
    picture = padded_picture()
    yield hostile("33 MiB, raw", picture, TOO_LARGE)
    yield hostile("33 MiB, raw and chunked", picture, TOO_LARGE, chunked=True)
    yield hostile("33 MiB, form", form(part(picture)), TOO_LARGE, content_type=MULTIPART)
    yield hostile("33 MiB, form and chunked", form(part(picture)), TOO_LARGE, content_type=MULTIPART, chunked=True)
    other = form(part(picture, field="notes", filename=None), part(encoded("JPEG")))
    yield hostile("33 MiB in another field", other, TOO_LARGE | {"invalid_request"}, content_type=MULTIPART)
