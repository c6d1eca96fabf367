"""A shadow that hangs, crashes, answers garbage or takes ten times as long: nobody who asks notices."""

import math
import time
from pathlib import Path

from benchmarks.quantiles import quantile
from tests.changing import Changing
from tests.load import Log, asking
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, none_of
from tests.proofs.samples import samples

KINDS = {"11": "hanging", "12": "crashing", "13": "garbage", "14": "slow"}
FULL_SECONDS = 120.0
LEAST_SECONDS = 12.0
PER_SECOND = 10.0
MORE_AT_MOST = 1.1
TRIES = 3


def run(context: Context, place: Changing, switch: Path) -> list[Figure]:
    figures: list[Figure] = []
    for version, kind in KINDS.items():
        wanted = {"stable": "1", "shadow": version, "shadow_percent": 100}
        assert place.change(wanted)["state"] == "done"
        best, faults, asked = math.inf, [], 0
        for number in range(TRIES):
            quiet = _asked(context, place)
            switch.touch()
            sick = _asked(context, place)
            switch.unlink()
            asked += len(sick.all())
            faults += _faults(sick)
            ratio = _p95(sick) / _p95(quiet)
            best = min(best, ratio)
            context.say(f"{kind} shadow, try {number + 1}: p95 {1000 * _p95(sick):.0f} ms, {ratio:.2f} times as much.")
            if best <= MORE_AT_MOST:
                break
        figures += [
            at_most(f"{kind} shadow: p95 of those who asked", best, MORE_AT_MOST, "times"),
            none_of(f"{kind} shadow: answers that it failed or changed", faults, asked, context.say),
        ]
    assert place.change({"stable": "1"})["state"] == "done"
    return figures


def _asked(context: Context, place: Changing) -> Log:
    pictures = list(samples(context.root).values())
    with asking([place.stack.port], pictures, clients=2, per_second=PER_SECOND) as log:
        time.sleep(max(LEAST_SECONDS, FULL_SECONDS * context.share))
    return log


def _p95(log: Log) -> float:
    return quantile(sorted(each.seconds for each in log.ok()), 0.95)


def _faults(log: Log) -> list[str]:
    wrong = [each for each in log.all() if each.status != 200 or each.version != "1"]
    return [f"{each.status} {each.code} of version {each.version}" for each in wrong]
