"""Whether a canary does worse than what answers beside it: by the last minute's requests, and not by a few."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

WINDOW_SECONDS = 60.0
KEPT = 2000  # requests of a version at most: enough to judge, however many there are
LEAST_REQUESTS = 20
LEAST_FAILED = 3
MOST_FAILED_SHARE = 0.05  # of the canary's requests, beyond the share of stable's
SLOWER = 2.0  # p95 of the canary ÷ p95 of stable
SLOWER_BY_SECONDS = 0.05  # and so much more: twice as long as nearly nothing is nearly nothing
SILENT_SECONDS = 20.0  # a canary that has answered nothing for so long is dead
STEADY_SECONDS = 20.0  # and what kills all versions at once is no canary's fault


@dataclass(frozen=True)
class Seen:
    """How a version did in the last minute; `p95_seconds` from the last byte to the answer, 0 without any.

    `compared`: answers that another version was asked for too; `disagreed`: those that it named otherwise.
    """

    answered: int = 0
    failed: int = 0
    p95_seconds: float = 0.0
    compared: int = 0
    disagreed: int = 0

    @property
    def failed_share(self) -> float:
        return self.failed / max(1, self.answered + self.failed)


class Window:
    """The last minute of one version in one replica."""

    def __init__(self) -> None:
        self._noted: deque[tuple[float, float | None]] = deque(maxlen=KEPT)
        self._agreements: deque[tuple[float, bool]] = deque(maxlen=KEPT)

    def note(self, seconds: float | None) -> None:
        """One request: how long it took, None when it failed."""
        self._noted.append((monotonic(), seconds))

    def note_agreement(self, agrees: bool) -> None:
        self._agreements.append((monotonic(), agrees))

    def seen(self) -> Seen:
        since = monotonic() - WINDOW_SECONDS
        for noted in (self._noted, self._agreements):
            while noted and noted[0][0] < since:
                noted.popleft()
        times = sorted(seconds for _, seconds in self._noted if seconds is not None)
        p95 = times[int(0.95 * (len(times) - 1))] if times else 0.0
        disagreed = sum(not agrees for _, agrees in self._agreements)
        return Seen(len(times), len(self._noted) - len(times), p95, len(self._agreements), disagreed)


def together(parts: Sequence[Seen | dict[str, Any]]) -> Seen:
    """Of several replicas; of their p95 the one that most requests stand behind."""
    seen = [part if isinstance(part, Seen) else Seen(**part) for part in parts]
    best = max(seen, key=lambda each: each.answered, default=Seen())
    return Seen(
        sum(each.answered for each in seen),
        sum(each.failed for each in seen),
        best.p95_seconds,
        sum(each.compared for each in seen),
        sum(each.disagreed for each in seen),
    )


@dataclass(frozen=True)
class Objection:
    """Why a canary must go: a word for the metrics, a sentence for people."""

    reason: Literal["failed", "slow", "disagrees", "silent"]
    sentence: str


def objection(canary: Seen, stable: Seen, disagreement_at_most: float) -> Objection | None:
    """None as long as nothing speaks against the canary, or too little is known."""
    if canary.compared >= LEAST_REQUESTS and canary.disagreed / canary.compared > disagreement_at_most:
        return Objection(
            "disagrees",
            f"Stable names {canary.disagreed} of the canary's last {canary.compared} pictures otherwise "
            f"({canary.disagreed / canary.compared:.0%}; at most {disagreement_at_most:.0%}).",
        )
    if canary.answered + canary.failed < LEAST_REQUESTS:
        return None
    if canary.failed >= LEAST_FAILED and canary.failed_share > stable.failed_share + MOST_FAILED_SHARE:
        return Objection(
            "failed",
            f"The canary failed {canary.failed} of its last {canary.answered + canary.failed} requests "
            f"({canary.failed_share:.0%}; stable {stable.failed_share:.0%}).",
        )
    slower = max(SLOWER * stable.p95_seconds, stable.p95_seconds + SLOWER_BY_SECONDS)
    if stable.answered >= LEAST_REQUESTS and canary.p95_seconds > slower:
        return Objection(
            "slow",
            f"The canary's slowest twentieth takes {1000 * canary.p95_seconds:.0f} ms or longer, "
            f"stable's {1000 * stable.p95_seconds:.0f} ms.",
        )
    return None


def silence(canary_silent_seconds: float, why: str | None, *, stable_up_seconds: float) -> Objection | None:
    """Against a canary that answers nothing, not even a probe; None while it answers, or stable is no better."""
    if stable_up_seconds < STEADY_SECONDS or canary_silent_seconds < SILENT_SECONDS:
        return None
    sentence = f"The canary has answered nothing for {canary_silent_seconds:.0f} s. {why or ''}".rstrip()
    return Objection("silent", sentence)
