"""What a worker tells of its work: figures once a second, and log lines a few times a second.

Each line that a worker writes wakes the frontend, which reads it; many at once cost it little more than one.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handlers.batch import Picture

MOST_LABELS = 200
OTHER = "other"
TELL_SECONDS = 1.0
GATHER_SECONDS = 0.2
MOST_LINES = 10_000


class Lines:
    """Log lines of JSON; the frontend puts them into the handler's log as they are.

    A worker that is killed takes those of its last fifth of a second along.
    """

    def __init__(self, seconds: float = GATHER_SECONDS) -> None:
        self._seconds = seconds
        self._gathered: list[str] = []
        self._any = threading.Event()
        self._gathering, self._writing = threading.Lock(), threading.Lock()
        threading.Thread(target=self._write_again_and_again, name="log lines", daemon=True).start()

    def add(self, fields: Mapping[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"timestamp": now, "level": "INFO", "logger": "handler", **fields}
        text = json.dumps(line) + "\n"
        with self._gathering:
            if len(self._gathered) < MOST_LINES:  # else nobody takes them
                self._gathered.append(text)
        self._any.set()

    def write(self) -> None:
        """Write what has been gathered, in order."""
        with self._writing:
            with self._gathering:
                lines, self._gathered = self._gathered, []
            # Of one piece, so that no other line gets in between.
            sys.stdout.write("".join(lines))
            sys.stdout.flush()

    def _write_again_and_again(self) -> None:
        while self._any.wait():
            self._any.clear()
            time.sleep(self._seconds)
            with contextlib.suppress(OSError):  # of a frontend that is going; the next ones may be taken
                self.write()


class Tally:
    """What was counted, told once a second: each figure is a line that the frontend must read.

    What nobody asks about after is told with the next batch, and that is a reference picture a second or two later.
    """

    def __init__(self, metrics: Any, model: str, labels: Sequence[str]) -> None:
        from ts.metrics.metric_type_enum import MetricTypes  # noqa: PLC0415 - there in a worker, not elsewhere

        # Those of torchserve-metrics.yaml; the frontend drops any other.
        self._predictions = metrics.get_metric("weedwatch_handler_predictions_total", MetricTypes.COUNTER)
        self._seconds = metrics.get_metric("weedwatch_handler_stage_seconds_total", MetricTypes.COUNTER)
        self._model = _metric_text(model)
        self._named = counted_by_name(labels)
        self._labels: Counter[str] = Counter()
        self._stages: dict[str, float] = {}
        self._due = 0.0

    def add(self, pictures: Sequence[Picture]) -> None:
        for picture in pictures:
            for stage, seconds in picture.seconds.items():
                self._stages[stage] = self._stages.get(stage, 0.0) + seconds
            if picture.ranked:
                label = str(picture.ranked[0]["label"])
                self._labels[label if label in self._named else OTHER] += 1
        if monotonic() >= self._due:
            self._tell()

    def _tell(self) -> None:
        self._due = monotonic() + TELL_SECONDS
        for label, count in sorted(self._labels.items()):
            self._predictions.add_or_update(count, [self._model, _metric_text(label)])
        for stage, seconds in self._stages.items():
            # Fixed point: the frontend does not read every spelling of a float.
            self._seconds.add_or_update(round(seconds, 6), [self._model, stage])
        self._labels.clear()
        self._stages.clear()


def counted_by_name(labels: Sequence[str]) -> frozenset[str]:
    """The labels that have a series of their own in the metrics; the rest of a large model have one together."""
    return frozenset(labels if len(labels) <= MOST_LABELS else labels[: MOST_LABELS - 1])


def _metric_text(value: str) -> str:
    """Replace what separates fields in the line by which a metric reaches the frontend."""
    return "".join(char if char.isalnum() or char in " _-." else "_" for char in value)
