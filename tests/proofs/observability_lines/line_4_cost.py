"""Line 4: what counting and logging cost, in the control plane and in the workers, while traces are off."""

import math
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import timeit
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from control_plane.telemetry import tracing
from tests.changing import changing
from tests.faults.postgres import own_postgres
from tests.faults.processes import frozen
from tests.proofs.harness import Context
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_least, at_most, for_the_record, none_of
from tests.proofs.samples import samples
from tests.versions import Change
from tests.waiting import wait_until

FULL_PAIRS = 600
LEAST_PAIRS = 300  # a pair tells it within 23 %: so many of them within 1.3 %
IN_A_BLOCK = 80
CLIENTS = 2  # as many as there are workers for them: no more wait, and batches are no matter of chance
COST = 1.03
WORKERS = 2
VERSION = "2"
READY_SECONDS = 120.0
SPANS_ASKED_FOR = 20  # a prediction asks whether its trace is recorded, about half as often
ALONE_SECONDS = 14.0  # a replica that says nothing counts as dead after ten


def run(context: Context) -> list[Figure]:
    context.folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    pairs = context.count(FULL_PAIRS, at_least=LEAST_PAIRS)
    quiet = context.folder / "quiet"
    with (
        own_postgres(context.folder / "database") as postgres,
        changing(context.root, DATABASE_URL=postgres.url, WEEDWATCH_WORKERS=str(WORKERS)) as place,
    ):
        place.add(VERSION, _quietable(quiet))
        assert place.change({"stable": VERSION})["state"] == "done"
        own = [place.stack.process("control plane").pid]
        like = Replica(place.stack, "measured", postgres.url, place.stack.state)
        # The service's own control plane stands aside, and its share of the workers falls to this one.
        with _switchable(like, quiet) as one, frozen(own):
            time.sleep(ALONE_SECONDS)
            return _measure(context, one, pairs)


def _quietable(switch: Path) -> dict[str, Change]:
    """Changes of an archive: while the file is there the handler counts and logs nothing."""

    def change(content: bytes) -> bytes:
        counts, logs = (
            b"        self.tally.add(pictures)\n",
            b"        for picture in pictures:\n            self.lines.add({",
        )
        assert content.count(counts) == content.count(logs) == 1
        asked = f"        quiet = os.path.exists({str(switch)!r})\n        if not quiet:\n    ".encode()
        content = content.replace(counts, asked + counts)
        return content.replace(logs, logs.replace(b"in pictures:", b"in ([] if quiet else pictures):"))

    return {"plant_classifier.py": change}


@dataclass(frozen=True)
class Switchable:
    """A control plane that can stop counting and logging, and its clients, whose connections stay open."""

    pid: int
    clients: list[httpx2.Client]
    quiet: Path

    def watch(self, wanted: bool) -> None:
        if wanted:
            self.quiet.unlink(missing_ok=True)
        else:
            self.quiet.touch()
        os.kill(self.pid, signal.SIGUSR2 if wanted else signal.SIGUSR1)
        time.sleep(0.02)  # until its loop has seen it


@contextmanager
def _switchable(like: Replica, quiet: Path) -> Iterator[Switchable]:
    command = [sys.executable, "-m", "tests.proofs.observability_lines.switchable"]
    with like.output.open("ab") as output, ExitStack() as stack:
        process = subprocess.Popen(
            command,
            cwd=like.stack.root,
            env=like.environment_of_start(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        stack.callback(_end, process)
        if wait_until(like.is_ready, READY_SECONDS) is None:
            raise RuntimeError(f"It is not ready: {like.said()}")
        url = f"http://127.0.0.1:{like.port}"
        clients = [stack.enter_context(httpx2.Client(base_url=url, timeout=60)) for _ in range(CLIENTS)]
        yield Switchable(process.pid, clients, quiet)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def _measure(context: Context, one: Switchable, pairs: int) -> list[Figure]:
    photos = list(samples(context.root).values())
    bad: list[str] = []
    for state in (True, False):  # warm
        _block(one, photos, bad, watched=state)
    chance = random.Random(4)
    took: list[tuple[float, float]] = []
    for number in range(pairs):
        order = [True, False] if chance.random() < 0.5 else [False, True]
        seconds = {state: _block(one, photos, bad, watched=state) for state in order}
        took.append((seconds[True], seconds[False]))
        if number % 20 == 19:
            context.say(f"{number + 1} of {pairs} pairs: {math.exp(_mean(took)):.3f} times as long")
    one.watch(True)
    error = statistics.stdev(_logs(took)) / math.sqrt(len(took))
    mean = _mean(took)
    per_second = IN_A_BLOCK / statistics.median(each[0] for each in took)
    traces = 1 + _seconds_of_traces() * per_second  # they cannot be taken out, so they are counted on top
    return [
        at_least("interleaved pairs", pairs, 20),
        at_most(
            "time with metrics, logs and switched-off traces ÷ without, upper end of the 95 % interval",
            traces * math.exp(mean + 1.98 * error),  # Student's t at 120 degrees of freedom; less with more
            COST,
        ),
        for_the_record("of that the traces", f"{traces:.5f}"),
        for_the_record("time with them ÷ without", f"{math.exp(mean):.3f}"),
        for_the_record("requests a second, with them", f"{per_second:.0f}"),
        none_of("requests of these that failed", bad, 2 * pairs * IN_A_BLOCK, context.say),
    ]


def _seconds_of_traces() -> float:
    """What a request asks of traces that nobody sends: is it recorded, and under which name."""
    request, rounds = uuid.uuid4(), 20_000

    def ask() -> None:
        for _ in range(SPANS_ASKED_FOR):
            tracing.current.get()
        tracing.own(request)

    return min(timeit.repeat(ask, number=rounds, repeat=3)) / rounds


def _block(one: Switchable, photos: list[bytes], bad: list[str], *, watched: bool) -> float:
    """The seconds that some requests take, of clients which ask without a pause."""
    one.watch(watched)
    left = list(range(IN_A_BLOCK))

    def ask(http: httpx2.Client) -> None:
        while left:
            try:
                number = left.pop()
            except IndexError:
                return
            headers = {"Content-Type": "image/jpeg"}
            answer = http.post("/predict", content=photos[number % len(photos)], headers=headers)
            if answer.status_code != 200:
                bad.append(f"{answer.status_code} {answer.text[:100]}")

    threads = [threading.Thread(target=ask, args=(http,), daemon=True) for http in one.clients]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return time.perf_counter() - started


def _logs(took: list[tuple[float, float]]) -> list[float]:
    return [math.log(watched / alone) for watched, alone in took]


def _mean(took: list[tuple[float, float]]) -> float:
    return statistics.fmean(_logs(took))
