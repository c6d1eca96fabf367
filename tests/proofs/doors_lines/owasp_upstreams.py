"""Item 10: a TorchServe and a provider of keys that lie: a documented refusal in time, and nothing of it is recorded.

What lies stands between a control plane of its own and the real TorchServe, which cannot be made to answer so.
"""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from unittest.mock import patch

import psutil

from control_plane.access import provider
from control_plane.errors import ProviderUnavailable
from handlers import frame
from tests.issuer.issuing import claims
from tests.issuer.site import HOSTILE, Write, answered, drip, endless, issuer_of, silent, site
from tests.issuer.tokens import RSA
from tests.proofs.doors_lines.owasp_ground import Ground, Trap, in_a_thread
from tests.proofs.replicas import replica, torchserve_addresses
from tests.proofs.results import Figure, at_least, at_most, none_of
from tests.proofs.wire import predict

DEADLINE_SECONDS = 3.0
SLACK_SECONDS = 2.0
GROWTH_MIB = 200.0


def run(ground: Ground, snare: Trap) -> list[Figure]:
    return [*_of_torchserve(ground, snare), *asyncio.run(_of_keys(ground))]


@dataclass
class Liar:
    """Passes calls on to the real TorchServe until `lie` is set."""

    real: str
    port: int = 0
    lie: Write | None = None
    told: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                if self.lie:
                    self.told += 1
                    await self.lie(writer)
                    return
                writer.write(await self._pass_on(head + body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(self.real)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
            )
            return head + await reader.readexactly(length)
        finally:
            writer.close()


@asynccontextmanager
async def lying(real: str) -> AsyncIterator[Liar]:
    liar = Liar(real)
    server = await asyncio.start_server(liar.answer, "127.0.0.1", 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()


def lies(trap: int) -> Mapping[str, Write]:
    label = "Japanese knotweed"
    return {
        "endless": endless,
        "a drip": drip,
        "silence": silent,
        "one gigabyte at once": _gigabyte,
        "redirect": answered(b"", "302 Found", f"Location: http://127.0.0.1:{trap}/"),
        "redirect that keeps the body": answered(b"", "307 Temporary Redirect", f"Location: http://127.0.0.1:{trap}/"),
        "switch": answered(b"", "101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"),
        "nothing in it": answered(b""),
        "no content": answered(b"", "204 No Content"),
        "nonsense": answered(b"", "nonsense"),
        "a length that is too long": answered(b"", "200 OK", "Content-Length: 1000"),
        "gzip bomb": answered(gzip.compress(bytes(50_000_000)), "200 OK", "Content-Encoding: gzip"),
        "bad UTF-8": _framed(b'{"predictions": [{"label": "\xff", "confidence": 0.5}], "seconds": {}}'),
        "a page": answered(b"<html>" + b"x" * 10_000, "500 Internal Server Error"),
        "a trace": answered(b'{"code": 500, "message": "java.lang.Secret at /opt/x"}', "500 Internal Server Error"),
        "unauthorized": answered(b'{"code": 401}', "401 Unauthorized"),
        "not found": answered(b'{"code": 404, "message": "Model not found"}', "404 Not Found"),
        "no frame": answered(b"\xff" * 50),
        "a frame that is cut": answered(frame.pack([frame.Part({"status": 200}, b"{}")])[:-2]),
        "a frame of 2^32 parts": answered(b"\xff\xff\xff\xff"),
        "two answers to one": answered(frame.pack([frame.Part({"status": 200}, b"{}")] * 2)),
        "status is a word": answered(frame.pack([frame.Part({"status": "fine"}, b"{}")])),
        "deep": _framed(b"[" * 100_000),
        "deep header": answered(b"\0\0\0\1" + (100_000).to_bytes(4, "big") + bytes(4) + b"[" * 100_000),
        "no labels": _said([]),
        "wrong label": _said([("Weed of nowhere", 0.9)]),
        "a label twice": _said([(label, 0.5), (label, 0.4)]),
        "not in order": _said([(label, 0.1), ("Weed of nowhere", 0.9)]),
        "confidence of 2": _said([(label, 2.0)]),
        "confidence nan": _framed(
            b'{"predictions": [{"label": "Japanese knotweed", "confidence": NaN}], "seconds": {}}'
        ),
        "confidence is a list": _framed(b'{"predictions": [{"label": "a", "confidence": [1]}], "seconds": {}}'),
        "seconds are text": _framed(b'{"predictions": [{"label": "a", "confidence": 1}], "seconds": "all"}'),
        "a million labels": _said([(f"l{number}", 0.0) for number in range(200_000)]),
    }


async def _gigabyte(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        writer.write(bytes(2**20))
        await writer.drain()


def _framed(body: bytes) -> Write:
    return answered(frame.pack([frame.Part({"status": 200}, body)]))


def _said(predictions: list[tuple[str, float]]) -> Write:
    listed = [{"label": label, "confidence": confidence} for label, confidence in predictions]
    return _framed(json.dumps({"predictions": listed, "seconds": {"inference": 0.1}}).encode())


def _of_torchserve(ground: Ground, snare: Trap) -> list[Figure]:
    real = torchserve_addresses(ground.place.stack).inference.removeprefix("unix://")
    caught, faults, before = len(snare.caught), list[str](), _records(ground)
    with in_a_thread(lambda: lying(real)) as liar:
        with replica(
            ground.place.stack,
            "lied-to",
            ground.postgres.url,
            WEEDWATCH_TORCHSERVE_INFERENCE=f"http://127.0.0.1:{liar.port}",
            WEEDWATCH_AUTH="off",
            WEEDWATCH_WORKER_TIMEOUT_SECONDS="4",
            WEEDWATCH_DEADLINE_SECONDS=str(DEADLINE_SECONDS),
        ) as one:
            assert predict(one.port, ground.photo).is_ok
            before, process = before + 1, psutil.Process(one.pid)
            size, most = process.memory_info().rss, 0
            for name, lie in lies(snare.port).items():
                told, liar.lie = liar.told, lie
                answer = predict(one.port, ground.photo, timeout_seconds=60)
                most = max(most, process.memory_info().rss)
                liar.lie = None
                if answer.status not in (502, 503, 504) or answer.seconds > DEADLINE_SECONDS + SLACK_SECONDS:
                    faults.append(f"{name}: {answer.status} {answer.code} after {answer.seconds:.1f} s")
                if liar.told == told:
                    faults.append(f"{name}: it was not asked")
                _again(one.is_ready)
            good = predict(one.port, ground.photo, timeout_seconds=60)
        asked = len(lies(0))
        made = _records(ground) - before - good.is_ok
    return [
        none_of("lies of TorchServe that were not answered 502, 503 or 504 in time", faults, asked, ground.context.say),
        none_of("lies that were recorded", ["record"] * made, asked, ground.context.say),
        none_of("redirects that were followed", [str(each) for each in snare.caught[caught:]], 2, ground.context.say),
        at_most("memory that the control plane took for them", (most - size) / 2**20, GROWTH_MIB, "MiB"),
        at_least("good answers afterwards", int(good.is_ok), 1),
    ]


def _records(ground: Ground) -> int:
    return int(ground.postgres.ask("SELECT count(*) FROM predictions"))


def _again(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not ready() and time.monotonic() < deadline:
        time.sleep(0.1)


async def _of_keys(ground: Ground) -> list[Figure]:
    faults = []
    with patch.object(provider, "FETCH_SECONDS", 0.5):
        for name, lie in HOSTILE.items():
            async with site(write=lie) as where:
                started = time.monotonic()
                try:
                    await issuer_of(where).verify(RSA.sign(claims(where.url)))
                    faults.append(f"{name}: let in")
                except ProviderUnavailable:
                    pass
                if time.monotonic() - started > DEADLINE_SECONDS + SLACK_SECONDS:
                    faults.append(f"{name}: after {time.monotonic() - started:.1f} s")
    return [none_of("lies about keys that let somebody in or took too long", faults, len(HOSTILE), ground.context.say)]
