"""What was measured, as values, and the summary that a run leaves behind."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.quantiles import median, quantile


@dataclass(frozen=True)
class Cell:
    """What is compared: a picture and a number of clients."""

    kind: str
    clients: int


@dataclass(frozen=True)
class Measurement:
    """One contestant in one cell of one round; latencies in milliseconds, CPU seconds by part of the contestant."""

    key: str
    cell: Cell
    round: int
    seconds: float
    latencies: Sequence[float]
    failures: int
    cpu_seconds: dict[str, float]
    generator_cpu_seconds: float = 0.0

    @property
    def throughput(self) -> float:
        return len(self.latencies) / self.seconds


@dataclass(frozen=True)
class Row:
    """One contestant in one cell, all rounds together; milliseconds, pictures a second, CPU ms a picture."""

    key: str
    kind: str
    clients: int
    throughput: float
    throughputs: list[float]
    p50: float
    p50s: list[float]
    p99: float
    answers: int
    failures: int
    cpu_ms: dict[str, float]
    generator_cpu_ms: float


@dataclass(frozen=True)
class Summary:
    """A run: when, where, who (name by key), memory in MiB by key, and the rows."""

    about: dict[str, Any]
    names: dict[str, str]
    memory_mib: dict[str, float]
    rows: list[Row]

    def row(self, key: str, kind: str, clients: int) -> Row:
        return next(row for row in self.rows if (row.key, row.kind, row.clients) == (key, kind, clients))

    def ratios(self, key: str, other: str, kind: str, clients: int) -> list[float]:
        """Throughput of one to that of another, round by round."""
        ours, theirs = self.row(key, kind, clients), self.row(other, kind, clients)
        return [a / b if b else float("inf") for a, b in zip(ours.throughputs, theirs.throughputs, strict=True)]

    def ratio(self, key: str, other: str, kind: str, clients: int) -> float:
        return middle(self.ratios(key, other, kind, clients))

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def load_summary(path: Path) -> Summary:
    raw = json.loads(path.read_text())
    return Summary(raw["about"], raw["names"], raw["memory_mib"], [Row(**row) for row in raw["rows"]])


def middle(values: Sequence[float]) -> float:
    """The median; of an even number the mean of the middle two."""
    return (median(values) + -median([-value for value in values])) / 2


def summarise(measurements: Sequence[Measurement]) -> list[Row]:
    """One row per contestant and cell, in the order in which they were measured first."""
    groups: dict[tuple[str, Cell], list[Measurement]] = {}
    for each in measurements:
        groups.setdefault((each.key, each.cell), []).append(each)
    return [_row(key, cell, group) for (key, cell), group in groups.items()]


def _row(key: str, cell: Cell, group: list[Measurement]) -> Row:
    ordered = sorted(group, key=lambda each: each.round)
    latencies = [latency for each in ordered for latency in each.latencies]
    # Of all answers of the cell, the few that failed or came after the measured time included in the CPU only.
    per_picture = 1000 / max(1, len(latencies))
    parts = sorted({part for each in ordered for part in each.cpu_seconds})
    cpu = {part: round(per_picture * sum(each.cpu_seconds.get(part, 0) for each in ordered), 2) for part in parts}
    return Row(
        key=key,
        kind=cell.kind,
        clients=cell.clients,
        throughput=round(middle([each.throughput for each in ordered]), 2),
        throughputs=[round(each.throughput, 2) for each in ordered],
        p50=round(median(latencies), 1),
        p50s=[round(median(each.latencies), 2) for each in ordered],
        p99=round(quantile(latencies, 0.99), 1),
        answers=len(latencies),
        failures=sum(each.failures for each in ordered),
        cpu_ms=cpu,
        generator_cpu_ms=round(per_picture * sum(each.generator_cpu_seconds for each in ordered), 3),
    )
