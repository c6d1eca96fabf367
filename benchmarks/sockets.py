"""`python -m benchmarks.sockets`: a call to TorchServe by a socket beside the same call over loopback.

Two TorchServes with the same archive and one worker each; pairs of calls, the order drawn for each pair.
"""

import asyncio
import random
import shutil
import statistics
import sys
import tempfile
import time
from os import environ
from pathlib import Path

from benchmarks.archive import MODEL, plants_archive
from benchmarks.contestants import programs
from control_plane.exchange import Exchange
from control_plane.torchserve import Item, TorchServe
from standalone import torchserve
from standalone.java import find_java
from standalone.ports import free_ports
from standalone.settings import ROOT
from standalone.torchserve import Addresses

PHOTO = ROOT / "model_store" / "sources" / "plants" / "1" / "samples" / "knotweed.jpg"
PAIRS = 1000
WARM_UP = 50


async def main(pairs: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="wws-"))
    processes, clients = [], {}
    try:
        for name in ("socket", "loopback"):
            private = folder / name
            private.mkdir(mode=0o700)
            loopback = Addresses(*(f"http://127.0.0.1:{port}" for port in free_ports(3)))
            addresses = torchserve.addresses(private) if name == "socket" else loopback
            server = torchserve.TorchServe(find_java(environ), addresses, plants_archive().parent, private)
            processes.append(programs.start(server.program(private, environ)))
            clients[name] = await connected(server)
        times = await compare(clients, PHOTO.read_bytes(), pairs)
        for client in clients.values():
            await client.close()
    finally:
        for process in processes:
            programs.end(process)
        shutil.rmtree(folder, ignore_errors=True)
    report(times)


async def connected(server: torchserve.TorchServe) -> TorchServe:
    client = TorchServe(
        inference_url=server.addresses.inference,
        management_url=server.addresses.management,
        max_answer_seconds=30,
        exchange=Exchange(None),
    )
    await client.open()
    async with asyncio.timeout(180):
        while not await server.is_ready():
            await asyncio.sleep(0.1)
        await client.register(plants_archive().name, 1)
        while not any(worker.ready for version in (await client.versions(MODEL)).values() for worker in version):
            await asyncio.sleep(0.1)
    return client


async def compare(clients: dict[str, TorchServe], photo: bytes, pairs: int) -> dict[str, list[float]]:
    """Milliseconds of each call, by client; the n-th of both are a pair."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    version = plants_archive().stem.removeprefix(f"{MODEL}-")
    for number in range(WARM_UP + pairs):
        for name in random.SystemRandom().sample(list(clients), len(clients)):
            began = time.perf_counter()
            item = Item(photo, {"request_id": f"{number}", "top_k": 3}, time.monotonic() + 30)
            (answer,) = await clients[name].infer(MODEL, version, [item])
            if isinstance(answer, Exception):
                raise answer
            if number >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - began))
    return times


def report(times: dict[str, list[float]]) -> None:
    socket, loopback = times["socket"], times["loopback"]
    for name, each in times.items():
        print(f"{name:<9} median {statistics.median(each):.2f} ms")
    ratios = [a / b for a, b in zip(socket, loopback, strict=True)]
    resampled = sorted(statistics.median(random.choices(ratios, k=len(ratios))) for _ in range(500))  # noqa: S311
    print(f"socket / loopback, median of {len(ratios)} pairs: {statistics.median(ratios):.3f}", end=" ")
    print(f"(95 % of resamples: {resampled[12]:.3f} to {resampled[487]:.3f})")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS))
