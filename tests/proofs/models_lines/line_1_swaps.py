"""Line 1: swaps back and forth under steady load."""

import time

from benchmarks.quantiles import quantile
from tests.changing import Changing, changing
from tests.checker.record import Operation
from tests.load import Log, asking
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.waiting import wait_until

FULL_SWAPS = 200
CLIENTS = 4
PER_SECOND = 15.0
LEAST_PER_SECOND = 10.0
QUIET_SECONDS = 40.0
GONE_SECONDS = 60.0
SETTLED_SECONDS = 3.0  # after which no replica may go by the old rollout


def run(context: Context) -> list[Figure]:
    with changing(context.root) as place:
        place.add("2")
        return _swap(context, place)


def _swap(context: Context, place: Changing) -> list[Figure]:
    pictures = list(samples(context.root).values())
    copies = place.unpacked()
    swaps = context.count(FULL_SWAPS, at_least=2)
    with asking([place.stack.port], pictures, clients=CLIENTS, per_second=PER_SECOND) as quiet:
        time.sleep(QUIET_SECONDS)
    live: list[tuple[float, float, str]] = []  # from when to when an answer must name this version
    failed: list[str] = []
    begun = time.monotonic()
    with asking([place.stack.port], pictures, clients=CLIENTS, per_second=PER_SECOND) as busy:
        since = begun
        for number in range(swaps):
            old, new = ("1", "2") if number % 2 == 0 else ("2", "1")
            live.append((since, time.monotonic(), old))
            ended = place.change({"stable": new})
            if ended["state"] != "done":
                failed.append(f"swap {number + 1}: {ended['message']}")
                continue
            since = time.monotonic() + SETTLED_SECONDS
            gone = wait_until(lambda old=old: old not in place.registered(), GONE_SECONDS, 0.1)  # type: ignore[misc]
            if gone is None:
                failed.append(f"swap {number + 1}: version {old} is still registered")
            context.say(f"Swap {number + 1} of {swaps}: {old} → {new}, {time.monotonic() - begun:.0f} s in all.")
        live.append((since, time.monotonic(), place.stable))
    seconds = time.monotonic() - begun
    return [
        *_of_answers(context, quiet, busy, live, seconds),
        none_of("swaps that did not come through", failed, swaps, context.say),
        is_true("one version is left, with its workers", len(place.registered()) == 1, str(place.registered())),
        at_most("unpacked copies of archives, beyond those before", place.unpacked() - copies, 0),
        for_the_record("swaps", f"{swaps} in {seconds:.0f} s"),
    ]


def _of_answers(
    context: Context, quiet: Log, busy: Log, live: list[tuple[float, float, str]], seconds: float
) -> list[Figure]:
    answers = busy.all()
    bad = [f"{each.status} {each.code}" for each in answers if each.status != 200]
    foreign = [f"version {each.version} at {each.ended_at:.1f}" for each in busy.ok() if not is_live(each, live)]
    p99_quiet, p99_busy = (quantile([each.seconds for each in log.ok()], 0.99) for log in (quiet, busy))
    return [
        none_of("requests that failed", bad, len(answers), context.say),
        none_of("answers of a version that was not live", foreign, len(answers), context.say),
        at_least("requests a second", len(answers) / seconds, LEAST_PER_SECOND),
        at_most("p99 during swaps ÷ p99 in quiet", p99_busy / p99_quiet, 2.0),
        for_the_record("p99 in quiet, during swaps", f"{1000 * p99_quiet:.0f} ms, {1000 * p99_busy:.0f} ms"),
    ]


def is_live(answer: Operation, live: list[tuple[float, float, str]]) -> bool:
    """Asked and answered while only one version was live, it must be that; else it may be either."""
    for begin, end, version in live:
        if begin <= answer.ended_at - answer.seconds and answer.ended_at <= end:
            return answer.version == version
    return answer.version in {"1", "2"}
