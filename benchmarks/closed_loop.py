"""Closed loop: each client asks, waits for the answer and asks again. `python -m benchmarks.closed_loop` < job."""

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.connection import connect
from benchmarks.generator import cpu_seconds, run_generator, stand_apart


@dataclass
class Measured:
    """What the clients saw within the measured time; latencies in milliseconds, of good answers only."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    failures: dict[str, int] = field(default_factory=dict)
    """How often each other status came; "0": no answer."""
    generator_cpu_seconds: float = 0.0

    @property
    def throughput(self) -> float:
        return len(self.latencies) / self.seconds


def ask_for(*, port: int, request: Path, clients: int, warm_up: float, seconds: float) -> Measured:
    """Have the clients ask a port of this machine for the request in a file, in a process of its own."""
    job = {"port": port, "request": str(request), "clients": clients, "warm_up": warm_up, "seconds": seconds}
    return Measured(**run_generator("benchmarks.closed_loop", job, warm_up + seconds))


async def run(job: dict[str, Any]) -> Measured:
    """All requests are answered when this returns: nothing is left for the next measurement to wait for."""
    request = Path(job["request"]).read_bytes()
    begin = monotonic() + job["warm_up"]
    measured = Measured(job["seconds"])
    async with asyncio.TaskGroup() as clients:
        for _ in range(job["clients"]):
            clients.create_task(_client(job["port"], request, begin, begin + job["seconds"], measured))
        await asyncio.sleep(job["warm_up"])
        used = cpu_seconds()
        await asyncio.sleep(begin + job["seconds"] - monotonic())
        measured.generator_cpu_seconds = cpu_seconds() - used
    return measured


async def _client(port: int, request: bytes, begin: float, end: float, measured: Measured) -> None:
    connection = await connect(port)
    while (sent := monotonic()) < end:
        if not connection.is_open:
            connection = await connect(port)
        reply = await connection.ask(request)
        answered = monotonic()
        if begin <= answered < end:
            _note(measured, reply.status, 1000 * (answered - sent))
        if reply.status != 200:
            await asyncio.sleep(0.01)  # a server in trouble is not asked in a frenzy
    connection.close()


def _note(measured: Measured, status: int, milliseconds: float) -> None:
    if status == 200:
        measured.latencies.append(round(milliseconds, 2))
    else:
        measured.failures[str(status)] = measured.failures.get(str(status), 0) + 1


def main() -> None:
    job = json.load(sys.stdin)
    stand_apart()
    json.dump(asdict(asyncio.run(run(job))), sys.stdout)


if __name__ == "__main__":
    main()
