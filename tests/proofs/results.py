"""What a proof measured, and its file between runs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured thing, what it must be, and whether it is."""

    name: str
    measured: str
    target: str
    holds: bool


@dataclass(frozen=True)
class Result:
    number: int
    title: str
    figures: list[Figure]
    share: float
    commit: str
    date: str
    minutes: float
    load_before: float
    load_after: float

    @property
    def holds(self) -> bool:
        return bool(self.figures) and all(figure.holds for figure in self.figures)

    def still_counts(self, commit: str, share: float) -> bool:
        """A tree with uncommitted changes has no name, so nothing counts for it."""
        return self.holds and self.commit == commit and self.share >= share and not commit.endswith("+")


def none_of(name: str, faults: list[str], out_of: int, say: Callable[[str], None]) -> Figure:
    """A figure that holds when there is no fault; prints the first few faults."""
    for fault in faults[:10]:
        say(f"! {name}: {fault}")
    return Figure(name, f"{len(faults)} of {out_of}", "0", not faults and out_of > 0)


def at_most(name: str, value: float, limit: float, unit: str = "") -> Figure:
    return Figure(name, f"{value:.3g} {unit}".strip(), f"≤ {limit:g} {unit}".strip(), value <= limit)


def at_least(name: str, value: float, limit: float, unit: str = "") -> Figure:
    return Figure(name, f"{value:.3g} {unit}".strip(), f"≥ {limit:g} {unit}".strip(), value >= limit)


def is_true(name: str, claim: bool, measured: str = "") -> Figure:
    return Figure(name, measured or ("yes" if claim else "no"), "yes", claim)


def for_the_record(name: str, measured: str) -> Figure:
    return Figure(name, measured, "-", True)


def load_results(path: Path) -> dict[int, Result]:
    if not path.exists():
        return {}
    rows = json.loads(path.read_text())
    return {row["number"]: Result(**{**row, "figures": [Figure(**f) for f in row["figures"]]}) for row in rows}


def save_results(path: Path, results: dict[int, Result]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(results[number]) for number in sorted(results)]
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False))
