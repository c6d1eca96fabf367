"""Runs a plan: starts the contestants, asks them in turn, ends them, sums up."""

import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks import family, pictures
from benchmarks.contestants.bare import BareLoop
from benchmarks.contestants.contestant import Contestant, Load
from benchmarks.contestants.lit import LitServe
from benchmarks.contestants.platform import Platform
from benchmarks.contestants.torchserve import DirectTorchServe, StockTorchServe
from benchmarks.measurement import Cell, Measurement, Summary, summarise
from benchmarks.plan import Plan

Say = Callable[[str], None]


def contestants() -> list[Contestant]:
    """The platform first: its start builds the archive that the others take."""
    return [Platform(), DirectTorchServe(), StockTorchServe(), BareLoop(), LitServe()]


def benchmark(plan: Plan, say: Say, chosen: Sequence[Contestant] | None = None) -> Summary:
    """Measure all contestants in one run.

    Raises:
        RuntimeError: One of them could not be started; holds the end of its log.
    """
    all_of_them = contestants() if chosen is None else chosen
    begun, load = monotonic(), os.getloadavg()[0]
    with ExitStack() as stack:
        # A short path: sockets live below it.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wwb-")))
        say("Drawing the pictures.")
        paths = pictures.write_all(folder)
        for each in all_of_them:
            say(f"Starting ({each.key}) {each.name}.")
            stack.callback(each.stop)
            each.start(folder / each.key, paths)
        say(f"All are up after {monotonic() - begun:.0f} s.")
        for each in all_of_them:
            for kind in plan.seconds:
                each.measure(Load(kind, clients=8, warm_up=0, seconds=plan.first))
        say("All are warm.")
        measurements = list(_measure(plan, all_of_them, say))
        memory = {each.key: float(round(family.memory_mib(each.roots()))) for each in all_of_them}
        sizes = {kind: path.stat().st_size for kind, path in paths.items()}
    about = {**_about(plan, load), "picture_bytes": sizes, "minutes": round((monotonic() - begun) / 60, 1)}
    return Summary(about, {each.key: each.name for each in all_of_them}, memory, summarise(measurements))


def _measure(plan: Plan, chosen: Sequence[Contestant], say: Say) -> Iterator[Measurement]:
    by_key = {each.key: each for each in chosen}
    for number, cell, order in plan.order(list(by_key)):
        found = {key: _one(plan, number, cell, by_key[key]) for key in order}
        said = ", ".join(f"({key}) {found[key].throughput:.1f}" for key in by_key)
        say(f"Round {number + 1}, {cell.kind}, {cell.clients} clients: {said} pictures/s")
        yield from (found[key] for key in by_key)


def _one(plan: Plan, number: int, cell: Cell, contestant: Contestant) -> Measurement:
    roots = contestant.roots()
    before, begun = family.cpu_seconds(roots), monotonic()
    load = Load(cell.kind, cell.clients, plan.warm_up(cell.kind), plan.seconds[cell.kind])
    measured = contestant.measure(load)
    # The counters cover warm-up and last answers too: the measured time's share of them.
    share = measured.seconds / max(measured.seconds, monotonic() - begun)
    used = {part: share * (seconds - before.get(part, 0)) for part, seconds in family.cpu_seconds(roots).items()}
    return Measurement(
        contestant.key,
        cell,
        number,
        measured.seconds,
        measured.latencies,
        sum(measured.failures.values()),
        used,
        measured.generator_cpu_seconds,
    )


def _about(plan: Plan, load: float) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_before": round(load, 2),
        "rounds": plan.rounds,
        "seconds": plan.seconds,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
