"""One hostile request as bytes, and how to write one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BOUNDARY = "weedwatch-boundary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Hostile:
    """A request and the codes that may answer it."""

    name: str
    head: bytes
    body: bytes
    allowed: frozenset[str]

    def pieces(self) -> Iterator[bytes]:
        """The bytes for the socket, in pieces that it can take."""
        yield self.head
        for start in range(0, len(self.body), CHUNK_BYTES):
            yield self.body[start : start + CHUNK_BYTES]


def hostile(
    name: str,
    body: bytes,
    allowed: frozenset[str] | set[str],
    *,
    content_type: str | None = "image/jpeg",
    target: str = "/predict",
    method: str = "POST",
    chunked: bool = False,
    with_length: bool = True,
    headers: Sequence[str] = (),
) -> Hostile:
    """A well-formed HTTP request around whatever the body is."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", "Accept: */*", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
        body = as_chunks(body)
    elif with_length:
        lines.append(f"Content-Length: {len(body)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return Hostile(name, head, body, frozenset(allowed))


def as_chunks(body: bytes) -> bytes:
    """The body in HTTP chunked framing."""
    parts = []
    for start in range(0, len(body), CHUNK_BYTES):
        piece = body[start : start + CHUNK_BYTES]
        parts.append(b"%x\r\n%b\r\n" % (len(piece), piece))
    return b"".join(parts) + b"0\r\n\r\n"


def part(data: bytes, *, field: str = "image", filename: str | None = "a.jpg", kind: str = "image/jpeg") -> bytes:
    """One part of a multipart form, without the closing boundary."""
    disposition = f'form-data; name="{field}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    header = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
    if filename is not None:
        header += f"Content-Type: {kind}\r\n"
    return header.encode() + b"\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A complete multipart form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
