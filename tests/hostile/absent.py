"""Requests without a picture, or with an empty one."""

from collections.abc import Iterator

from tests.hostile.pictures import encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part

NO_IMAGE = frozenset({"no_image_provided"})


def absent() -> Iterator[Hostile]:
    picture = encoded("JPEG")
    for field in ("picture", "IMAGE", "image2", "files[]"):
        body = form(part(picture, field=field))
        yield hostile(f"wrong field name {field}", body, NO_IMAGE, content_type=MULTIPART)
    yield hostile("no body, no type", b"", NO_IMAGE | {"unsupported_media_type"}, content_type=None)
    yield hostile("no length", b"", NO_IMAGE | {"invalid_image"}, with_length=False)
    yield hostile("empty form", form(), NO_IMAGE | {"invalid_request"}, content_type=MULTIPART)
    no_name = form(part(picture, filename=""))
    yield hostile("empty file name", no_name, {"empty_filename"}, content_type=MULTIPART)
    nothing = form(part(b"", filename=""))
    yield hostile("no file chosen", nothing, {"empty_filename"} | NO_IMAGE, content_type=MULTIPART)
    empty = form(part(b""))
    yield hostile("empty file in a form", empty, {"invalid_image"}, content_type=MULTIPART)
    yield hostile("empty raw picture", b"", {"invalid_image"} | NO_IMAGE)
    as_text = form(part(b"knotweed.jpg", filename=None))
    allowed = NO_IMAGE | {"invalid_image", "invalid_request"}
    yield hostile("image field holds text", as_text, allowed, content_type=MULTIPART)
