"""Counting predictions: what is counted is looked up once for each version, and its labels are bounded."""

from collections.abc import Iterable
from typing import Any, get_args

from control_plane.domain.rollout import Role
from control_plane.domain.verdicts import Verdict
from control_plane.metrics import Metrics
from control_plane.telemetry.failures import Key

MOST_LABELS = 200
"""Of a version; further ones are counted together."""
OTHER = "other"
OUTCOMES = (*get_args(Verdict), "model_not_loaded", "processing_error", "deadline_exceeded", "overloaded")
"""The usual ones."""
OBJECTIONS = ("failed", "slow", "disagrees", "silent")
COPIES = ("agrees", "disagrees", "shed", "not_loaded")


class Counts:
    """Of all versions that have answered."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._answers: dict[tuple[str, str, Role], _Answers] = {}
        self._labels: dict[Key, _Labels] = {}
        self._beside: set[Key] = set()  # those that the guard watches, or that hear copies

    def ended(self, key: Key, role: Role, outcome: str, seconds: float, ids: dict[str, str]) -> None:
        """A request for a prediction, whatever became of it. `ids` lead from the figure to its trace."""
        answers = self._answers.get((*key, role))
        if answers is None:
            answers = self._answers[*key, role] = _Answers(self._metrics, key, role)
        answers.note(outcome, seconds, ids)
        self._metrics.milliseconds_public.observe(1000 * seconds)

    def announce(self, key: Key, role: Role) -> None:
        """It may answer from now on: what can happen is told as 0."""
        if (*key, role) not in self._answers:
            answers = self._answers[*key, role] = _Answers(self._metrics, key, role)
            for outcome in OUTCOMES:
                answers.outcome(outcome)

    def announce_guarded(self, key: Key) -> None:
        """The guard may take it away from now on."""
        self._beside.add(key)
        for reason in OBJECTIONS:
            self._metrics.guard_rollbacks.labels(*key, reason)

    def announce_listener(self, key: Key) -> None:
        """It hears copies from now on."""
        self._beside.add(key)
        for outcome in COPIES:
            self._metrics.shadows.labels(*key, outcome)

    def answered(self, key: Key, label: str, confidence: float) -> None:
        labels = self._labels.get(key)
        if labels is None:
            labels = self._labels[key] = _Labels(self._metrics, key)
        labels.note(label, confidence)

    def forget(self, keys: Iterable[Key]) -> None:
        """These versions are gone; their series end."""
        for key in set(keys):
            if labels := self._labels.pop(key, None):
                labels.end()
            for known in [known for known in self._answers if known[:2] == key]:
                self._answers.pop(known).end()
            self._beside.discard(key)
            model, version = key
            for counter in (self._metrics.guard_rollbacks, self._metrics.shadows):
                counter.remove_by_labels({"model": model, "version": version})

    @property
    def versions(self) -> set[Key]:
        return {key[:2] for key in self._answers} | self._labels.keys() | self._beside


class _Answers:
    def __init__(self, metrics: Metrics, key: Key, role: Role) -> None:
        self._metrics = metrics
        self._of = (*key, role)
        self._seconds = metrics.prediction_seconds.labels(*self._of)
        self._outcomes: dict[str, Any] = {}  # the registry's codes and the verdicts

    def note(self, outcome: str, seconds: float, ids: dict[str, str]) -> None:
        self.outcome(outcome).inc()
        self._seconds.observe(seconds, ids)

    def outcome(self, outcome: str) -> Any:
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = self._metrics.predictions.labels(*self._of, outcome)
        return counter

    def end(self) -> None:
        self._metrics.prediction_seconds.remove(*self._of)
        for outcome in self._outcomes:
            self._metrics.predictions.remove(*self._of, outcome)


class _Labels:
    def __init__(self, metrics: Metrics, key: Key) -> None:
        self._metrics = metrics
        self._key = key
        self._confidence = metrics.confidence.labels(*key)
        self._counters: dict[str, Any] = {}

    def note(self, label: str, confidence: float) -> None:
        counter = self._counters.get(label)
        if counter is None:
            name = label if len(self._counters) < MOST_LABELS - 1 else OTHER
            counter = self._counters.get(name)
            if counter is None:
                counter = self._counters[name] = self._metrics.labels.labels(*self._key, name)
        counter.inc()
        self._confidence.observe(confidence)

    def end(self) -> None:
        self._metrics.confidence.remove(*self._key)
        for name in self._counters:
            self._metrics.labels.remove(*self._key, name)
