"""A body becomes one checked picture or one documented error, and is not read in beyond its limit."""

import asyncio
import io
from collections.abc import Iterable

import pytest
from PIL import Image
from starlette.requests import Request

from control_plane import errors
from control_plane.photos import uploads

LIMIT = 100_000


def jpeg(width: int = 40, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(out, "JPEG")
    return out.getvalue()


def form(*parts: tuple[str, str, bytes], end: bool = True) -> bytes:
    body = b""
    for name, rest, content in parts:
        body += f'--sep\r\nContent-Disposition: form-data; name="{name}"{rest}\r\n\r\n'.encode() + content + b"\r\n"
    return body + (b"--sep--\r\n" if end else b"")


MULTIPART = "multipart/form-data; boundary=sep"


class Body:
    """A request whose body arrives in chunks; counts how many were taken."""

    def __init__(self, chunks: Iterable[bytes], content_type: str | None, declared: int | None = None) -> None:
        self.chunks = list(chunks)
        self.taken = 0
        headers = [(b"content-type", content_type.encode())] if content_type is not None else []
        if declared is not None:
            headers.append((b"content-length", str(declared).encode()))
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._receive)

    async def _receive(self) -> dict[str, object]:
        if self.taken == len(self.chunks):
            return {"type": "http.request", "body": b"", "more_body": False}
        self.taken += 1
        return {"type": "http.request", "body": self.chunks[self.taken - 1], "more_body": True}


async def receive(body: bytes | Body, content_type: str | None = MULTIPART) -> uploads.Upload:
    sent = body if isinstance(body, Body) else Body([body], content_type)
    return await uploads.receive(sent.request, max_bytes=LIMIT, timeout_seconds=5)


async def test_a_form_gives_picture_and_fields() -> None:
    upload = await receive(form(("image", '; filename="a.jpg"', jpeg()), ("top_k", "", b"2")))
    assert upload.data == jpeg()
    assert upload.fields == {"top_k": "2"}


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_form_may_arrive_in_pieces_of_any_size(size: int) -> None:
    whole = form(("file", '; filename="a.jpg"', jpeg()), ("subject", "", "Ufer süd".encode()))
    upload = await receive(Body([whole[at : at + size] for at in range(0, len(whole), size)], MULTIPART))
    assert (upload.data, upload.fields) == (jpeg(), {"subject": "Ufer süd"})


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/x-unusual", "application/octet-stream", None])
async def test_a_raw_picture_is_taken(content_type: str | None) -> None:
    assert (await receive(jpeg(), content_type)).data == jpeg()


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", None, errors.NoImageProvided),
        (b"", MULTIPART, errors.NoImageProvided),
        (form(), MULTIPART, errors.NoImageProvided),
        (form(("picture", '; filename="a.jpg"', jpeg())), MULTIPART, errors.NoImageProvided),
        (form(("picture", '; filename="a.jpg"', bytes(9000))), MULTIPART, errors.NoImageProvided),
        (form(("image", "", b"only text")), MULTIPART, errors.NoImageProvided),
        (form(("image", '; filename=""', b"")), MULTIPART, errors.EmptyFilename),
        (form(("image", '; filename="a"', b"1"), ("file", '; filename="b"', b"2")), MULTIPART, errors.InvalidRequest),
        (form(("image", '; filename="a.jpg"', jpeg()), end=False), MULTIPART, errors.InvalidRequest),
        (form(("image", '; filename="a"', b"1"), ("subject", "", b"\xff")), MULTIPART, errors.InvalidRequest),
        (form(*[("x", "", b"1")] * 40), MULTIPART, errors.InvalidRequest),
        (form(("subject", "", bytes(9000))), MULTIPART, errors.InvalidRequest),
        (b"no form at all", MULTIPART, errors.InvalidRequest),
        (b"x", "multipart/form-data", errors.InvalidRequest),
        (b"a=b", "application/x-www-form-urlencoded", errors.UnsupportedMediaType),
        (b"{}", "application/json", errors.UnsupportedMediaType),
    ],
)
async def test_a_body_that_cannot_be_used_gets_its_documented_error(
    body: bytes, content_type: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await receive(body, content_type)


@pytest.mark.parametrize("content_type", ["image/jpeg", MULTIPART])
async def test_a_declared_length_over_the_limit_is_refused_before_anything_is_read(content_type: str) -> None:
    body = Body([bytes(10)] * 3, content_type, declared=LIMIT + 300_000)
    with pytest.raises(errors.FileTooLarge):
        await receive(body)
    assert body.taken == 0


async def test_an_undeclared_length_is_refused_as_soon_as_it_is_over_the_limit() -> None:
    body = Body([bytes(40_000)] * 50, "image/jpeg")
    with pytest.raises(errors.FileTooLarge):
        await receive(body)
    assert body.taken == 3


async def test_a_picture_in_a_form_is_refused_as_soon_as_it_is_over_the_limit() -> None:
    start = form(("image", '; filename="a.jpg"', b""), end=False).removesuffix(b"\r\n")
    body = Body([start] + [bytes(40_000)] * 50, MULTIPART)
    with pytest.raises(errors.FileTooLarge):
        await receive(body)
    assert body.taken == 4


async def test_a_body_that_does_not_arrive_is_a_request_timeout() -> None:
    async def never() -> dict[str, object]:
        await asyncio.sleep(60)
        raise AssertionError

    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", b"image/jpeg")]}, never)
    with pytest.raises(errors.RequestTimeout):
        await uploads.receive(request, max_bytes=LIMIT, timeout_seconds=0.05)


async def test_a_picture_is_described_by_its_header() -> None:
    picture = await uploads.check(uploads.Upload(jpeg(64, 48), {}), max_pixels=10_000)
    assert (picture.format, picture.width, picture.height) == ("JPEG", 64, 48)
    assert len(picture.sha256) == 32


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.InvalidImage),
        (b"this is text", errors.InvalidImage),
        (jpeg(200, 200), errors.TooManyPixels),
        (b"%PDF-1.7 ...", errors.UnsupportedMediaType),
    ],
)
async def test_bytes_that_are_no_usable_picture_get_their_documented_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        await uploads.check(uploads.Upload(data, {}), max_pixels=10_000)
