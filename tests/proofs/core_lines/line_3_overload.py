"""Line 3: asked for two, five and ten times what it can do, it goes on doing what it can and refuses the rest at once.

Open loop: latency counts from the intended time. The generators stand for other machines: they go first, and the CPU
that they take is not counted.
"""

import os
from pathlib import Path

from benchmarks import family, pictures
from benchmarks.closed_loop import ask_for
from benchmarks.contestants.contestant import request_bytes
from benchmarks.judging import Goodput, goodput, latency, seconds_until_normal
from benchmarks.open_loop import Asked, Flow, Phase, ask_steadily
from benchmarks.quantiles import quantile
from tests.proofs.core_lines.line_3_health import Health, asking_for_health
from tests.proofs.core_lines.line_3_slow_clients import slow_clients
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, none_of
from tests.proofs.stack import Stack, running

DEADLINE_SECONDS = 10.0
REFUSAL_SECONDS = 0.05
HEALTH_SECONDS = 1.0
NORMAL_SECONDS = 10.0
NORMAL_FACTOR = 1.2
# How many times the peak is asked for → the least share of the peak that must still be answered.
TARGETS = {2: 0.9, 5: 0.75, 10: 0.5}
FULL_STAGE_SECONDS = 60
BEFORE_SECONDS = 10.0
AFTER_SECONDS = 20.0
PATIENCE_SECONDS = 60.0
CORES = os.cpu_count() or 1


def run(context: Context) -> list[Figure]:
    request = context.folder / "small.http"
    request.write_bytes(request_bytes("/predict", "image/jpeg", pictures.make(pictures.SMALL)))
    with running(Stack(context.root, context.folder / "s")) as stack:
        peak = _peak(context, stack, request)
        figures = [for_the_record("G, the peak in a closed loop of 4 clients", f"{peak.per_second:.1f} pictures/s")]
        for times in TARGETS:
            figures += _stage(context, stack, request, peak, times)
        figures += _patient_clients(context, stack, request, peak)
        return figures + slow_clients(context, stack, request, rate=0.5 * peak.per_second)


def _peak(context: Context, stack: Stack, request: Path) -> Goodput:
    seconds = context.count(20, at_least=8)
    measured = ask_for(port=stack.port, request=request, clients=4, warm_up=3, seconds=seconds)
    return Goodput(measured.throughput, CORES - measured.generator_cpu_seconds / seconds)


def _stage(context: Context, stack: Stack, request: Path, peak: Goodput, times: int) -> list[Figure]:
    """Half the peak, then several times the peak, then half again."""
    calm, seconds = 0.5 * peak.per_second, context.count(FULL_STAGE_SECONDS, at_least=10)
    phases = [Phase(calm, BEFORE_SECONDS), Phase(times * peak.per_second, seconds), Phase(calm, AFTER_SECONDS)]
    roots = stack.processes("control plane")
    used = sum(family.cpu_seconds(roots).values())
    with asking_for_health(stack.port) as health:
        flow = ask_steadily(port=stack.port, request=request, phases=phases)
    used = sum(family.cpu_seconds(roots).values()) - used
    context.say(f"{times} G: {used:.1f} s of CPU in the control plane for {len(flow.asked)} requests")
    return _judge(context, flow, health, peak, times)


def _judge(context: Context, flow: Flow, health: Health, peak: Goodput, times: int) -> list[Figure]:
    before, during, after = (flow.during(number) for number in range(3))
    seconds, title = flow.phases[1].seconds, f"{times} G"
    taken = flow.generator_cpu_seconds[1] / seconds
    reached = Goodput(goodput(during, seconds), CORES - taken)
    usual = latency(before, 200, 0.95)
    late = quantile([each.late for each in during], 0.99)
    return [
        at_least(f"{title}: goodput ÷ G, the generator's CPU not counted", reached.relative_to(peak), TARGETS[times]),
        for_the_record(
            f"{title}: goodput; CPU of the generator",
            f"{reached.per_second:.1f}/s = {reached.per_second / peak.per_second:.2f} G; {taken:.2f} cores",
        ),
        none_of(f"{title}: neither answered nor refused", _others(flow.asked), len(flow.asked), context.say),
        at_most(f"{title}: refused within (p99)", 1000 * latency(during, 429, 0.99), 1000 * REFUSAL_SECONDS, "ms"),
        for_the_record(f"{title}: of that, sent late by the generator (p99)", f"{1000 * late:.1f} ms"),
        at_most(f"{title}: answered within (p99)", latency(during, 200, 0.99), DEADLINE_SECONDS, "s"),
        at_most(f"{title}: /health answered within", health.slowest, HEALTH_SECONDS, "s"),
        none_of(f"{title}: /health without a good answer", health.faults, health.asked, context.say),
        at_most(
            f"{title}: p95 back to {NORMAL_FACTOR} × {1000 * usual:.0f} ms after",
            seconds_until_normal(after, NORMAL_FACTOR * usual),
            NORMAL_SECONDS,
            "s",
        ),
    ]


def _others(asked: list[Asked]) -> list[str]:
    return [
        f"status {each.status} after {each.seconds:.1f} s at {each.at:.1f} s"
        for each in asked
        if each.status not in (200, 429)
    ]


def _patient_clients(context: Context, stack: Stack, request: Path, peak: Goodput) -> list[Figure]:
    """Twice the peak for a while, and everybody who is refused waits as told and asks again."""
    phases = [Phase(2 * peak.per_second, context.count(20, at_least=10))]
    asked = ask_steadily(port=stack.port, request=request, phases=phases, patience=PATIENCE_SECONDS).asked
    served = sum(each.status == 200 for each in asked) / len(asked)
    attempts = quantile([each.attempts for each in asked], 0.95)
    longest = max(each.seconds for each in asked)
    return [
        at_least("clients that wait as told: served in the end", 100 * served, 95, "%"),
        for_the_record("their attempts (p95), and the longest time until served", f"{attempts:.0f}, {longest:.1f} s"),
    ]
