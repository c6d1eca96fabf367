"""Line 4: `make bench`, and what its ratios must be."""

from dataclasses import replace

from benchmarks.measurement import Summary, middle
from benchmarks.page import JSON, RESULTS, write_page
from benchmarks.plan import NORMAL
from benchmarks.plot import write_plot
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, none_of

FULL_ROUNDS = 9
LONGER_THAN_DIRECT_MS = 4.0
# Kind of picture and number of clients → the least throughput of (a) in relation to each other's.
TARGETS = {
    ("small", 16): {"b": 1.05, "c": 1.6, "d": 0.7, "e": 1.1},
    ("photo", 16): {"b": 0.9, "c": 3.5, "d": 0.85, "e": 1.05},
    ("small", 4): {"b": 0.9, "c": 1.3, "d": 0.6, "e": 0.9},
}


def run(context: Context) -> list[Figure]:
    from benchmarks.run import benchmark  # noqa: PLC0415 - it loads torch, and whoever only judges needs none

    plan = replace(NORMAL, rounds=context.count(FULL_ROUNDS, at_least=NORMAL.rounds))
    summary = benchmark(plan, context.say)
    summary.save(JSON)
    write_plot(summary, RESULTS / "throughput.svg")
    write_page(summary)
    return judge(summary, context)


def judge(summary: Summary, context: Context) -> list[Figure]:
    figures = [
        _ratio(summary, kind, clients, key, least)
        for (kind, clients), targets in TARGETS.items()
        for key, least in targets.items()
    ]
    failed = [f"{row.failures} by ({row.key}), {row.kind}, {row.clients}" for row in summary.rows if row.failures]
    answers = sum(row.answers for row in summary.rows)
    throughputs = ", ".join(f"({key}) {summary.row(key, 'small', 16).throughput:.0f}" for key in summary.names)
    memory = ", ".join(f"({key}) {mib:.0f}" for key, mib in summary.memory_mib.items())
    return [
        *figures,
        *(_latency(summary, kind) for kind in ("small", "photo")),
        none_of("answers that were none", failed, answers, context.say),
        for_the_record("small pictures a second at 16 clients", throughputs),
        for_the_record("resident memory, MiB", memory),
    ]


def _ratio(summary: Summary, kind: str, clients: int, key: str, least: float) -> Figure:
    ratios = summary.ratios("a", key, kind, clients)
    name = f"{kind}, {clients} clients: (a) ÷ ({key}) {summary.names[key]}"
    figure = at_least(name, summary.ratio("a", key, kind, clients), least)
    return replace(figure, measured=f"{figure.measured} ({min(ratios):.2f} to {max(ratios):.2f})")


def _latency(summary: Summary, kind: str) -> Figure:
    """The difference of the medians, round by round."""
    ours, theirs = summary.row("a", kind, 1), summary.row("b", kind, 1)
    longer = middle([a - b for a, b in zip(ours.p50s, theirs.p50s, strict=True)])
    return at_most(f"{kind}, 1 client: p50 of (a) beyond that of (b)", longer, LONGER_THAN_DIRECT_MS, "ms")
