"""A form with the files of a model version, written to a folder while it streams in: never whole in memory."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from control_plane.errors import FileTooLarge, InvalidRequest, RequestTimeout
from control_plane.photos.uploads import MAX_FIELD_BYTES, MAX_PARTS, body_of

FILES = {
    "archive": "archive.mar",
    "model": "model.pth",
    "labels": "class_labels.json",
    "card": "model_card.json",
    "signature": "signature.minisig",
}
"""The form's fields that are files, and what they are called in the folder."""
LARGE = frozenset(("archive", "model"))
MAX_SMALL_FILE_BYTES = 2**22
FORM_OVERHEAD_BYTES = 2**20
FLUSH_BYTES = 2**20


@dataclass
class _Part:
    name: str = ""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    file: IO[bytes] | None = None
    text: bytes = b""
    size: int = 0


class _Form:
    """What python-multipart reports, put aside until `flush` writes it; that is done in a thread."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.parts: list[_Part] = []
        self.ended = False
        self.pending: list[tuple[IO[bytes], bytes]] = []
        self.pending_bytes = 0
        self._folder = folder
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

    def flush(self) -> None:
        for file, data in self.pending:
            file.write(data)
        self.pending, self.pending_bytes = [], 0

    def close(self) -> None:
        for part in self.parts:
            if part.file is not None:
                part.file.close()

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts.")
        self.parts.append(_Part())

    def _header(self, which: str, data: bytes, start: int, end: int) -> None:
        setattr(self, which, getattr(self, which) + data[start:end])
        if len(getattr(self, which)) > MAX_FIELD_BYTES:
            raise InvalidRequest("A header of the form's part is too long.")

    def _header_end(self) -> None:
        self.parts[-1].headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _describe(self) -> None:
        part = self.parts[-1]
        _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if sum(each.name == part.name for each in self.parts) > 1:
            raise InvalidRequest(f"The form has the field '{part.name[:50]}' twice.")
        if part.name in FILES:
            part.file = (self._folder / FILES[part.name]).open("wb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part.file is None:
            part.text += data[start:end]
            if len(part.text) > MAX_FIELD_BYTES:
                raise InvalidRequest(f"The form field '{part.name[:50]}' is longer than {MAX_FIELD_BYTES} bytes.")
            return
        limit = self._max_bytes if part.name in LARGE else MAX_SMALL_FILE_BYTES
        if part.size > limit:
            raise too_large(limit)
        self.pending.append((part.file, data[start:end]))
        self.pending_bytes += end - start

    def _end(self) -> None:
        self.ended = True


async def receive_files(request: Request, folder: Path, *, max_bytes: int, timeout_seconds: float) -> Mapping[str, str]:
    """Write the form's files into the folder; gives its other fields.

    Raises:
        FileTooLarge: Before it is read where the length is declared, else as soon as it is over.
        RequestTimeout: It did not arrive in time.
        InvalidRequest: It is no form, or a damaged one.
        starlette.requests.ClientDisconnect: The client left.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes + FORM_OVERHEAD_BYTES:
        raise too_large(max_bytes)
    _, options = parse_options_header(request.headers.get("content-type", ""))
    form = _Form(folder, max_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            parser = MultipartParser(options.get(b"boundary", b""), form.callbacks())
            received = 0
            async for chunk in body_of(request):
                received += len(chunk)
                if received > max_bytes + FORM_OVERHEAD_BYTES:
                    raise too_large(max_bytes)
                parser.write(chunk)
                if form.pending_bytes >= FLUSH_BYTES:
                    await asyncio.to_thread(form.flush)
            await asyncio.to_thread(form.flush)
    except FormParserError as error:
        raise InvalidRequest("The multipart form is damaged. Let your HTTP library build the form.") from error
    except TimeoutError:
        raise RequestTimeout from None
    finally:
        form.close()
    if not form.ended:
        raise InvalidRequest("The multipart form has no end. Send it again completely.")
    return {part.name: part.text.decode("utf-8", "replace").strip() for part in form.parts if part.file is None}


def too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"A file of the upload is larger than {limit / 2**20:,.0f} MiB, which is all that is taken.")
