"""Samples /health/ready again and again, and judges whether it told the truth."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from tests.load import repeating
from tests.proofs.ledger import Entry
from tests.proofs.wire import Answer, get, predict

# How long it may take to notice that nothing can be served.
NOTICE_SECONDS = 5.0
PER_SECOND = 10.0


@dataclass(frozen=True)
class Sample:
    """What /health/ready said; None when nobody answered. `prediction` was tried right after."""

    at: float
    ready: bool | None
    prediction: Answer | None = None


def sample(port: int, picture: bytes | None = None) -> Sample:
    at = time.monotonic()
    answer = get(port, "/health/ready", timeout_seconds=5)
    said = answer.body.get("ready")
    # The status and the body must say the same, else it is no answer.
    ready = said if isinstance(said, bool) and said == answer.is_ok else None
    return Sample(at, ready, predict(port, picture, 20) if picture else None)


@contextmanager
def sampling(port: int, picture: bytes | None = None) -> Iterator[list[Sample]]:
    with repeating(lambda _: sample(port, picture), per_second=PER_SECOND) as samples:
        yield samples


def lies(samples: Sequence[Sample]) -> list[str]:
    """Samples that said ready although the prediction right after failed."""
    return [
        f"ready, but the prediction right after was answered {s.prediction.status} {s.prediction.code}"
        for s in samples
        if s.ready and s.prediction and not s.prediction.is_ok
    ]


def seconds_until_said(samples: Sequence[Sample]) -> float:
    """From the first prediction that succeeded to the first sample that said ready; nan when one never came."""
    served = [s.at for s in samples if s.prediction and s.prediction.is_ok]
    said = [s.at for s in samples if s.ready]
    return max(0.0, said[0] - served[0]) if served and said else float("nan")


@dataclass(frozen=True)
class Outage:
    """From the last good answer before a fault to the first good answer after it (monotonic seconds)."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.begin


def outage(entries: Sequence[Entry], fault_at: float) -> Outage:
    """The longest time without any good answer that touches or follows the fault.

    An answer counts at the moment at which it came.
    """
    good = sorted(entry.ended_at for entry in entries if entry.answer.is_ok)
    before = [at for at in good if at <= fault_at]
    times = [before[-1] if before else fault_at, *(at for at in good if at > fault_at)]
    gaps = [Outage(begin, end) for begin, end in pairwise(times)]
    return max(gaps, key=lambda gap: gap.seconds, default=Outage(fault_at, fault_at))


def false_hopes(samples: Sequence[Sample], gap: Outage) -> list[str]:
    """Samples that said ready when nothing had been served for longer than it may take to notice.

    The last second of an outage does not count: ready may be said just before the first answer comes.
    """
    begin, end = gap.begin + NOTICE_SECONDS, gap.end - 1
    return [f"ready {s.at - gap.begin:.1f} s into an outage" for s in samples if s.ready and begin < s.at < end]
