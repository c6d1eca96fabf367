"""Two hundred connections that send next to nothing are closed, while honest clients are served."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

from benchmarks.contestants.contestant import request_bytes
from benchmarks.open_loop import Flow, Phase, ask_steadily
from benchmarks.pictures import Kind, make
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, is_true, none_of
from tests.proofs.stack import Stack

CONNECTIONS = 200
HEADERS_SECONDS = 10.0
BODY_SECONDS = 20.0
GRACE_SECONDS = 3.0
WATCH_SECONDS = 30.0
DRIP = 100  # bytes a second: a tenth of what a body must bring
HONEST_BYTES_PER_SECOND = 16 * 1024
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
# About 3 MB at full share: three minutes at the honest client's pace.
UPLOADS = {True: Kind("upload", "3 MB", (4000, 3000), 5.0, 90), False: Kind("upload", "600 KB", (1800, 1350), 5.0, 90)}


def slow_clients(context: Context, stack: Stack, request: Path, *, rate: float) -> list[Figure]:
    """Slow heads, slow bodies, an honest upload over a poor line and usual clients, all at once."""
    upload = request_bytes("/predict", "image/jpeg", make(UPLOADS[context.share >= 1]))
    with ThreadPoolExecutor(1) as pool:
        phases = [Phase(rate, WATCH_SECONDS)]
        usual: Future[Flow] = pool.submit(ask_steadily, port=stack.port, request=request, phases=phases)
        heads, bodies, status = asyncio.run(_all_at_once(stack.port, upload))
        asked = usual.result().asked
    refused = [f"status {each.status} at {each.at:.1f} s" for each in asked if each.status != 200]
    return [
        at_most(
            f"{len(heads)} connections with slow headers closed within",
            max(heads),
            HEADERS_SECONDS + GRACE_SECONDS,
            "s",
        ),
        at_most(
            f"{len(bodies)} connections with slow bodies closed within", max(bodies), BODY_SECONDS + GRACE_SECONDS, "s"
        ),
        none_of("others not served meanwhile", refused, len(asked), context.say),
        is_true(f"honest upload of {len(upload) // 1000} KB at 16 KiB/s succeeds", status == 200, f"status {status}"),
    ]


async def _all_at_once(port: int, upload: bytes) -> tuple[list[float], list[float], int]:
    """Seconds until each slow one was closed, inf when never; and the status of the honest upload."""
    half = CONNECTIONS // 2
    body = HEAD + b"Content-Length: 100000\r\n\r\n"
    # One byte of an endless header a second; a trickle of a body.
    heads = [until_closed(port, HEAD + b"X-Slow: ", b"x") for _ in range(half)]
    bodies = [until_closed(port, body, b"x" * DRIP) for _ in range(half)]
    honest = asyncio.create_task(upload_slowly(port, upload))
    closed = await asyncio.gather(*heads, *bodies)
    return closed[:half], closed[half:], await honest


async def until_closed(port: int, start: bytes, drip: bytes) -> float:
    began = monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    try:
        dripping = asyncio.create_task(_drip(writer, drip))
        async with asyncio.timeout(WATCH_SECONDS):
            while await reader.read(4096):
                pass  # a last answer, such as 408
        return monotonic() - began
    except ConnectionError:
        return monotonic() - began
    except TimeoutError:
        return float("inf")
    finally:
        dripping.cancel()
        writer.close()


async def _drip(writer: asyncio.StreamWriter, drip: bytes) -> None:
    with suppress(ConnectionError):
        while True:
            await asyncio.sleep(1)
            writer.write(drip)
            await writer.drain()


async def upload_slowly(port: int, request: bytes) -> int:
    """Send a request as a poor line would; gives the answer's status, 0 when there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for start in range(0, len(request), HONEST_BYTES_PER_SECOND // 4):
            writer.write(request[start : start + HONEST_BYTES_PER_SECOND // 4])
            await writer.drain()
            await asyncio.sleep(0.25)
        async with asyncio.timeout(30):
            line = await reader.readline()
        return int(line.split()[1]) if line else 0
    except (ConnectionError, TimeoutError, IndexError):
        return 0
    finally:
        writer.close()
