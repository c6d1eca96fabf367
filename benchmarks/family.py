"""What a contestant's processes use: CPU seconds by part, and memory."""

from collections import defaultdict
from collections.abc import Sequence

import psutil

# Which part a process is, by the end of a word of its command line; the first that fits.
PARTS = {
    "model_service_worker.py": "workers",
    "org.pytorch.serve.ModelServer": "Java",
    "control_plane": "control plane",
    "bin/postgres": "PostgreSQL",
    "standalone": "supervisor",
    "--multiprocessing-fork": "workers",
    "benchmarks.litserve_app": "LitServe",
    "benchmarks.bare_loop": "loops",
}


def with_descendants(roots: Sequence[psutil.Process]) -> list[psutil.Process]:
    """The processes and all below them that live."""
    found: dict[int, psutil.Process] = {}
    for root in roots:
        try:
            for process in (root, *root.children(recursive=True)):
                found[process.pid] = process
        except psutil.Error:
            continue
    return list(found.values())


def part_of(process: psutil.Process) -> str:
    words = process.cmdline()
    if not words or words[0].startswith("postgres"):  # a backend has a title, no path
        return "PostgreSQL" if words else "other"
    return next((part for ending, part in PARTS.items() if any(word.endswith(ending) for word in words)), "other")


def cpu_seconds(roots: Sequence[psutil.Process]) -> dict[str, float]:
    """CPU seconds used so far, by part."""
    used: defaultdict[str, float] = defaultdict(float)
    for process in with_descendants(roots):
        try:
            times = process.cpu_times()
            used[part_of(process)] += times.user + times.system
        except psutil.Error:
            continue
    return used


def memory_mib(roots: Sequence[psutil.Process]) -> float:
    """Resident memory in MiB; a page that several processes share counts once in all (PSS)."""
    total = 0
    for process in with_descendants(roots):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20
