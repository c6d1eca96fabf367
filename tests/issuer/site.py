"""A provider of which every byte can be chosen, and ways in which one is hostile."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from control_plane.access.oidc import Issuer, scope_map
from control_plane.errors import Unauthorized
from tests.issuer.issuing import AUDIENCE, Key
from tests.issuer.tokens import ALGORITHMS, KEYS, RSA

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A provider's documents, answered as bytes; `asked` counts."""

    port: int = 0
    keys: list[Key] = field(default_factory=lambda: [*KEYS.values()])
    write: Write | None = None
    described: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def document(self, path: str) -> bytes:
        if path == "/jwks":
            return json.dumps({"keys": [key.public_jwk for key in self.keys]}).encode()
        places = {"jwks_uri": "/jwks", "authorization_endpoint": "/auth", "token_endpoint": "/token"}
        described = {"issuer": self.url, **{name: self.url + place for name, place in places.items()}}
        return json.dumps(described | self.described).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            if self.write and path == "/jwks":
                await self.write(writer)
            else:
                await respond(writer, self.document(path))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def respond(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


@asynccontextmanager
async def site(**facts: Any) -> AsyncIterator[Site]:
    made = Site(**facts)
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


def issuer_of(where: Site) -> Issuer:
    return Issuer(
        where.url,
        AUDIENCE,
        algorithms=ALGORITHMS,
        leeway_seconds=30,
        scopes_claim="scope",
        scopes=scope_map("weedwatch:predict=predict,biologist=predict+read"),
    )


@contextmanager
def refused(error: type[Exception] = Unauthorized) -> Iterator[None]:
    with pytest.raises(error) as caught:
        yield
    assert "Traceback" not in str(caught.value)


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    while True:
        writer.write(b"[" * 65536)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


def answered(body: bytes, status: str = "200 OK", *headers: str) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        await respond(writer, body, status, *headers)

    return write


EC = KEYS["ES256"].public_jwk
HOSTILE: dict[str, Write] = {
    "endless": endless,
    "drip": drip,
    "silent": silent,
    "redirect": answered(b"", "302 Found", "Location: http://127.0.0.1:8081/"),
    "not found": answered(b"{}", "404 Not Found"),
    "failed": answered(b"{}", "500 Internal Server Error"),
    "switch": answered(b"", "101 Switching Protocols", "Upgrade: h2c"),
    "empty": answered(b""),
    "bad UTF-8": answered(b'{"keys": ["\xff\xfe"]}'),
    "gzip bomb": answered(gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip"),
    "deep": answered(b"[" * 200_000),
    "a list": answered(b"[]"),
    "no keys": answered(b'{"keys": []}'),
    "keys are text": answered(b'{"keys": "all"}'),
    "a thousand keys": answered(json.dumps({"keys": [EC] * 1000}).encode()),
    "a shared secret": answered(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "key-RS256"}]}).encode()),
    "broken keys": answered(
        json.dumps(
            {"keys": [7, {}, {"kty": "RSA"}, {**EC, "x": "!"}, {**EC, "kid": []}, {**EC, "crv": "P-0"}]}
        ).encode()
    ),
    "private keys": answered(json.dumps({"keys": [RSA.jwk]}).encode()),
    "keys for encryption": answered(json.dumps({"keys": [RSA.public_jwk | {"use": "enc"}]}).encode()),
    "nonsense": answered(b"", "nonsense"),
}
