"""The last hour by minutes, from this replica's own metrics: what a person looks at without any monitoring."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import get_args

from prometheus_client.metrics import MetricWrapperBase

from control_plane.domain.verdicts import Verdict
from control_plane.errors import ERRORS
from control_plane.metrics import SECONDS, Metrics

STEP_SECONDS = 60
MINUTES = 60
LOOK_SECONDS = 5.0
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_REFUSED = frozenset({"overloaded", "rate_limited"})
_FAILED = frozenset(code for code, kind in ERRORS.items() if kind.status >= 500)


@dataclass
class Minute:
    """What happened within one minute; `buckets` counts predictions by the upper edge of their seconds."""

    at: datetime
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    failed: int = 0
    buckets: Counter[float] = field(default_factory=Counter)
    queue_depth: int = 0  # the most that was seen waiting
    ready: bool = True  # whenever it was looked at

    def seconds(self, quantile: float) -> float | None:
        """An estimate as good as the buckets: linear within one. None without any prediction."""
        total = self.buckets.total()
        if not total:
            return None
        wanted, below = quantile * total, 0
        for lower, upper in pairwise((0.0, *SECONDS)):
            count = self.buckets[upper]
            if count and below + count >= wanted:
                return lower + (upper - lower) * (wanted - below) / count
            below += count
        return SECONDS[-1]  # longer than that, nobody knows how long


class Series:
    """Looks at the metrics every few seconds: nothing is added to the way of a request."""

    def __init__(self, metrics: Metrics) -> None:
        self.minutes: deque[Minute] = deque(maxlen=MINUTES)
        self._metrics = metrics
        self._seen = self._counts()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.look(datetime.now(UTC))
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: datetime) -> None:
        """Add what has happened since the last look to the minute of `now`."""
        at = now.replace(second=0, microsecond=0)
        if not self.minutes or self.minutes[-1].at != at:
            self.minutes.append(Minute(at))
        minute = self.minutes[-1]
        counts = self._counts()
        for key, count in counts.items():
            grown = round(count - self._seen.get(key, 0))
            kind, name = key
            if grown <= 0:  # less: counts of a version that has gone are told no more
                continue
            if kind == "outcome" and name in VERDICTS:
                minute.verdicts[str(name)] += grown
            elif kind == "error":
                minute.refused += grown * (name in _REFUSED)
                minute.failed += grown * (name in _FAILED)
            elif kind == "seconds":
                minute.buckets[float(name)] += grown
        self._seen = counts
        minute.queue_depth = max(minute.queue_depth, round(_value(self._metrics.queue_depth)))
        minute.ready = minute.ready and _value(self._metrics.ready) == 1

    def _counts(self) -> Mapping[tuple[str, str | float], float]:
        counts: Counter[tuple[str, str | float]] = Counter()
        for labels, value in _samples(self._metrics.predictions, "_total"):
            counts["outcome", labels["outcome"]] += value  # type: ignore[assignment] # a float counts as well
        for labels, value in _samples(self._metrics.errors, "_total"):
            counts["error", labels["code"]] += value  # type: ignore[assignment]
        below = 0.0
        for labels, value in _samples(self._metrics.prediction_seconds, "_bucket"):
            # Cumulative within one child, edges rising: a smaller edge begins the next child.
            edge = float(labels["le"])
            below = 0.0 if edge == SECONDS[0] else below
            counts["seconds", edge] += value - below  # type: ignore[assignment]
            below = value
        return counts


def _samples(metric: MetricWrapperBase, ending: str) -> Iterator[tuple[dict[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            if sample.name.endswith(ending):
                yield sample.labels, sample.value


def _value(metric: MetricWrapperBase) -> float:
    return sum(value for _, value in _samples(metric, ""))
