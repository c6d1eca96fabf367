"""Open loop: requests go out at their times, whatever becomes of those before. `python -m benchmarks.open_loop` < job.

Latency counts from the intended time, so that waiting is never left out. (`h2load --rps` paces each connection and
counts from the moment of sending: a server that stalls would slow the questions down and hide its own delay.)
"""

import asyncio
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.connection import Connection, Reply, connect
from benchmarks.generator import cpu_seconds, run_generator, stand_apart

MAX_CONNECTIONS = 4000
DRAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """One request; times in seconds. `at`: the intended time since the start; `late`: how much later it was sent."""

    at: float
    late: float
    seconds: float
    status: int
    attempts: int = 1


@dataclass(frozen=True)
class Phase:
    """How many a second are asked, and for how long."""

    rate: float
    seconds: float


@dataclass
class Flow:
    """All that was asked (status 0: no answer), and the CPU seconds of asking, phase by phase."""

    phases: Sequence[Phase]
    asked: list[Asked] = field(default_factory=list)
    generator_cpu_seconds: list[float] = field(default_factory=list)

    def during(self, number: int) -> list[Asked]:
        """What was meant to be asked in a phase; its times count from the start of that phase."""
        begin = sum(phase.seconds for phase in self.phases[:number])
        end = begin + self.phases[number].seconds
        return [replace(each, at=each.at - begin) for each in self.asked if begin <= each.at < end]


def ask_steadily(*, port: int, request: Path, phases: Sequence[Phase], patience: float = 0.0) -> Flow:
    """Ask a port of this machine at steady rates, one phase after another, in a process of its own.

    With `patience`, who is refused asks again when it was told to, for at most so many seconds.
    """
    rates = [(phase.rate, phase.seconds) for phase in phases]
    job = {"port": port, "request": str(request), "phases": rates, "patience": patience}
    seconds = sum(phase.seconds for phase in phases) + patience + DRAIN_SECONDS
    raw = run_generator("benchmarks.open_loop", job, seconds)
    return Flow(phases, [Asked(*each) for each in raw["asked"]], raw["generator_cpu_seconds"])


class Clients:
    """Asks on any idle connection, opens another when there is none."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port = port
        self._request = request
        self._idle: deque[Connection] = deque()
        self._open = 0

    async def ask(self) -> Reply:
        connection = await self._connection()
        if connection is None:
            return Reply(0)
        reply = await connection.ask(self._request)
        if connection.is_open:
            self._idle.append(connection)
        else:
            self._open -= 1
        return reply

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    async def _connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()  # the one used last: fewer stay warm, as behind a proxy
            if connection.is_open:
                return connection
            self._open -= 1
        if self._open >= MAX_CONNECTIONS:
            return None
        self._open += 1
        try:
            return await connect(self._port)
        except OSError:
            self._open -= 1
            return None


async def run(job: dict[str, Any]) -> Flow:
    clients = Clients(job["port"], Path(job["request"]).read_bytes())
    flow, begin = Flow([Phase(*each) for each in job["phases"]]), monotonic()
    tasks: set[asyncio.Task[None]] = set()
    used = cpu_seconds()
    for at in times(flow.phases):
        if at is None:
            flow.generator_cpu_seconds.append(cpu_seconds() - used)
            used = cpu_seconds()
            continue
        if (wait := begin + at - monotonic()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(_one(clients, flow, begin, at, job["patience"]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=DRAIN_SECONDS + job["patience"])
    for task in tasks:
        task.cancel()  # it notes that there was no answer
    await asyncio.gather(*tasks, return_exceptions=True)
    clients.close()
    return flow


def times(phases: Sequence[Phase]) -> Iterator[float | None]:
    """The intended times, in seconds since the start; None at the end of each phase."""
    begin = 0.0
    for phase in phases:
        for number in range(round(phase.rate * phase.seconds)):
            yield begin + number / phase.rate
        yield None
        begin += phase.seconds


async def _one(clients: Clients, flow: Flow, begin: float, at: float, patience: float) -> None:
    late, attempts, status = monotonic() - begin - at, 0, 0
    try:
        while True:
            attempts += 1
            reply = await clients.ask()
            if reply.status != 429 or monotonic() - begin - at + reply.retry_after > patience:
                status = reply.status
                return
            await asyncio.sleep(reply.retry_after)
    finally:
        flow.asked.append(Asked(at, late, monotonic() - begin - at, status, attempts))


def main() -> None:
    job = json.load(sys.stdin)
    stand_apart()
    flow = asyncio.run(run(job))
    rows = [(each.at, each.late, each.seconds, each.status, each.attempts) for each in flow.asked]
    json.dump({"asked": rows, "generator_cpu_seconds": flow.generator_cpu_seconds}, sys.stdout)


if __name__ == "__main__":
    main()
