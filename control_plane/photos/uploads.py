"""A request's body to one checked picture: bytes counted while they stream in, format and pixels from its header."""

import asyncio
import hashlib
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial

from PIL import Image
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from control_plane.errors import (
    PICTURE_ERRORS,
    EmptyFilename,
    FileTooLarge,
    InvalidImage,
    InvalidRequest,
    NoImageProvided,
    RequestTimeout,
    UnsupportedMediaType,
)
from handlers.preprocessing import UnusableImage, read_header

IMAGE_FIELDS = ("image", "file")
MAX_FIELD_BYTES = 4096  # of a form field, or of a body, that is no picture
MAX_PARTS = 32
SMALL_BYTES = 256 * 1024  # a JPEG up to here is checked faster than a thread is asked
JPEG_START = b"\xff\xd8\xff"
FORM_OVERHEAD_BYTES = 256 * 1024  # boundaries, part headers and the other fields

# The declared pixels are bounded here; Pillow's own warning would only repeat it, on standard error.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True)
class Picture:
    """A picture as it was sent; `format`, `width` and `height` as its header declares them.

    Or, with a `shape`, the network's input itself: float32, little-endian; its format is FP32.
    """

    data: bytes
    sha256: bytes
    format: str
    width: int
    height: int
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Upload:
    data: bytes
    fields: dict[str, str]


async def receive(request: Request, *, max_bytes: int, timeout_seconds: float) -> Upload:
    """Read the body; a raw picture, or a form with a picture in `image` or `file` and text fields.

    Raises:
        FileTooLarge: Before it is read in where the length is declared, else as soon as it is over.
        RequestTimeout: It did not arrive in time.
        UnsupportedMediaType, NoImageProvided, EmptyFilename, InvalidRequest: As they say.
        starlette.requests.ClientDisconnect: The client left.
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    form = media_type == b"multipart/form-data"
    if not form and media_type not in (b"", b"application/octet-stream") and not media_type.startswith(b"image/"):
        raise UnsupportedMediaType(
            "The request's content type is neither multipart/form-data nor image/*. With curl: -F image=@photo.jpg, "
            "or --data-binary @photo.jpg with -H 'Content-Type: image/jpeg'."
        )
    allowed = max_bytes + (FORM_OVERHEAD_BYTES if form else 0)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > allowed:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            stream = body_of(request)
            if form:
                return await _form(stream, options.get(b"boundary", b""), max_bytes=max_bytes, allowed=allowed)
            return Upload(await _raw(stream, max_bytes, declared_type=bool(media_type)), {})
    except TimeoutError:
        raise RequestTimeout from None


async def receive_tensors(request: Request, *, max_bytes: int, timeout_seconds: float) -> bytes:
    """A body of the Open Inference Protocol.

    Raises:
        FileTooLarge: Before it is read in where the length is declared, else as soon as it is over.
        RequestTimeout: It did not arrive in time.
        starlette.requests.ClientDisconnect: The client left.
    """
    too_large = FileTooLarge(f"The body is larger than {max_bytes / 2**20:.1f} MiB. Send fewer or smaller pictures.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise too_large
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _gathered(body_of(request), max_bytes, too_large)
    except TimeoutError:
        raise RequestTimeout from None


async def receive_text(request: Request, *, timeout_seconds: float) -> bytes:
    """A small body that is no picture.

    Raises:
        InvalidRequest: It is longer than any that makes sense.
        RequestTimeout: It did not arrive in time.
        starlette.requests.ClientDisconnect: The client left.
    """
    body = b""
    try:
        async with asyncio.timeout(timeout_seconds):
            async for chunk in body_of(request):
                body += chunk
                if len(body) > MAX_FIELD_BYTES:
                    raise InvalidRequest(f"The body is longer than {MAX_FIELD_BYTES} bytes. Shorten it.")
    except TimeoutError:
        raise RequestTimeout from None
    return body


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body; `cut_off` is why the connection ended it before its end."""
    async for chunk in request.stream():
        yield chunk
    if (error := request.scope.get("state", {}).get("cut_off")) is not None:
        raise error


async def check(upload: Upload, *, max_pixels: int) -> Picture:
    """What the picture declares of itself, without decoding it.

    Raises:
        InvalidImage, TooManyPixels, UnsupportedMediaType: It cannot be used.
    """
    if not upload.data:
        raise InvalidImage("The picture is empty: the file has 0 bytes. Choose another file.")
    try:
        if len(upload.data) <= SMALL_BYTES and upload.data.startswith(JPEG_START):
            return _check(upload.data, max_pixels)
        # In a thread: hashing a large photo, and reading a hostile header of another format, take milliseconds.
        return await asyncio.to_thread(_check, upload.data, max_pixels)
    except UnusableImage as unusable:
        raise PICTURE_ERRORS[unusable.code](str(unusable)) from unusable


def _check(data: bytes, max_pixels: int) -> Picture:
    header = read_header(data, max_pixels)
    return Picture(data, hashlib.sha256(data).digest(), header.format, header.width, header.height)


async def _raw(stream: AsyncIterator[bytes], max_bytes: int, *, declared_type: bool) -> bytes:
    body = await _gathered(stream, max_bytes, _too_large(max_bytes))
    if not body and not declared_type:
        raise NoImageProvided
    return body


async def _gathered(stream: AsyncIterator[bytes], max_bytes: int, too_large: FileTooLarge) -> bytes:
    chunks: list[bytes] = []  # joined once: a buffer that grows costs a photo milliseconds
    size = 0
    async for chunk in stream:
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise too_large
    return b"".join(chunks)


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0
    name: str = ""
    filename: str | None = None
    is_picture: bool = False  # settled once: its bytes are reported in hundreds of pieces

    @property
    def body(self) -> bytes:
        """Joined once: a buffer that grows with a photo's pieces costs milliseconds."""
        return b"".join(self.chunks)


class _Form:
    """Collects the parts of a form as python-multipart reports them."""

    def __init__(self, max_bytes: int) -> None:
        self.parts: list[_Part] = []
        self.ended = False
        self._max_bytes = max_bytes
        self._name = b""
        self._value = b""

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": partial(self._header, "_name"),
            "on_header_value": partial(self._header, "_value"),
            "on_header_end": self._header_end,
            "on_headers_finished": self._describe,
            "on_part_data": self._data,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts. Send one picture and its few fields.")
        self.parts.append(_Part())

    def _header(self, which: str, data: bytes, start: int, end: int) -> None:
        setattr(self, which, getattr(self, which) + data[start:end])

    def _header_end(self) -> None:
        self.parts[-1].headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _describe(self) -> None:
        part = self.parts[-1]
        _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        part.name = _text(options.get(b"name", b""), "a part's name")
        if (filename := options.get(b"filename", options.get(b"filename*"))) is not None:
            part.filename = filename.decode("utf-8", "replace")
        typed = part.headers.get(b"content-type", b"").startswith((b"image/", b"application/octet-stream"))
        part.is_picture = part.name in IMAGE_FIELDS and (part.filename is not None or typed)

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.chunks.append(data[start:end])
        part.size += end - start
        if part.is_picture and part.size > self._max_bytes:
            raise _too_large(self._max_bytes)
        if not part.is_picture and part.size > MAX_FIELD_BYTES:
            if part.filename is not None:
                raise NoImageProvided(_wrong_field(part.name))
            raise InvalidRequest(
                f"The form field '{part.name[:50]}' is longer than {MAX_FIELD_BYTES} bytes. Shorten it."
            )

    def _end(self) -> None:
        self.ended = True


async def _form(stream: AsyncIterator[bytes], boundary: bytes, *, max_bytes: int, allowed: int) -> Upload:
    form = _Form(max_bytes)
    received = 0
    try:
        parser = MultipartParser(boundary, form.callbacks())
        async for chunk in stream:
            received += len(chunk)
            if received > allowed:
                raise _too_large(max_bytes)
            parser.write(chunk)
    except FormParserError as error:
        raise InvalidRequest("The multipart form is damaged. Let your HTTP library build the form.") from error
    if received == 0:
        raise NoImageProvided
    if not form.ended:
        raise InvalidRequest("The multipart form has no end. Send it again completely.")
    return _pick(form.parts)


def _pick(parts: list[_Part]) -> Upload:
    pictures = [part for part in parts if part.is_picture]
    if not pictures:
        others = [part.name for part in parts if part.filename is not None]
        raise NoImageProvided(_wrong_field(others[0]) if others else None)
    if len(pictures) > 1:
        raise InvalidRequest("The form has more than one picture. Send one picture a request.")
    if pictures[0].filename == "":
        raise EmptyFilename
    fields = {part.name: _text(part.body, part.name) for part in parts if not part.is_picture and part.name}
    return Upload(pictures[0].body, fields)


def _wrong_field(name: str) -> str:
    return f"The file is in the form field '{name[:50]}'. Name that field 'image' (or 'file')."


def _text(value: bytes, name: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"The form field '{name[:50]}' is not UTF-8 text. Send it as UTF-8.") from None


def _too_large(max_bytes: int) -> FileTooLarge:
    return FileTooLarge(
        f"The picture is larger than {max_bytes / 2**20:.1f} MiB. Scale it down or compress it, then send it again."
    )
