"""What an open-loop flow shows: goodput, refusals, and when all was as before."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.open_loop import Asked
from benchmarks.quantiles import quantile

WINDOW_SECONDS = 5.0


@dataclass(frozen=True)
class Goodput:
    """Answers with 200 a second, and how much CPU the machine left to the service for them (cores)."""

    per_second: float
    cores: float

    def relative_to(self, other: "Goodput") -> float:
        """The ratio, with the CPU that the generators took not counted: each by the cores that it had."""
        return (self.per_second / self.cores) / (other.per_second / other.cores)


def goodput(asked: Sequence[Asked], seconds: float) -> float:
    """Good answers a second that came within a phase; what was asked in it and answered later does not count."""
    return sum(each.status == 200 and each.at + each.seconds <= seconds for each in asked) / seconds


def latency(asked: Sequence[Asked], status: int, share: float) -> float:
    """Seconds from the intended time to the answer, of the answers with this status."""
    return quantile([each.seconds for each in asked if each.status == status], share)


def seconds_until_normal(asked: Sequence[Asked], limit: float) -> float:
    """When a few seconds began in which all was answered with 200, 95 % of it within the limit; inf when never."""
    last = max((each.at for each in asked), default=0.0)
    begin = 0.0
    while begin + WINDOW_SECONDS <= last + 0.5:
        window = [each for each in asked if begin <= each.at < begin + WINDOW_SECONDS]
        if all(each.status == 200 for each in window) and quantile([e.seconds for e in window], 0.95) <= limit:
            return begin
        begin += 0.5
    return float("inf")
