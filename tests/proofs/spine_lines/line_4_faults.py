"""Line 4: parts are killed under load; every request is answered, nothing acknowledged is lost, all comes back."""

import signal
import time
from dataclasses import dataclass

from tests.hostile.contract import FAULT_REFUSALS, OK
from tests.load import repeating
from tests.proofs.harness import Context
from tests.proofs.judge import fault_in
from tests.proofs.ledger import Entry, Ledger, faults_in_history, faults_in_lookups, settled_history
from tests.proofs.readiness import Outage, Sample, false_hopes, outage, sampling
from tests.proofs.results import Figure, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack import Stack, running
from tests.proofs.wire import predict
from tests.waiting import wait_until

DEADLINE_SECONDS = 10.0
FULL_ROUNDS = 10
CLIENTS, PER_SECOND = 4, 20.0
PATIENCE_SECONDS = 30.0
BEFORE_SECONDS = 3.0
# How long good answers must come again before it counts as recovered.
STEADY_SECONDS = 3.0
RECOVERY_SECONDS = 120.0
ALLOWED = FAULT_REFUSALS | {OK}
VICTIMS = ("worker", "java", "postgres")


@dataclass(frozen=True)
class Round:
    """One fault: who was killed when, and what came of it."""

    victim: str
    killed_at: float
    recovered: bool
    gap: Outage
    samples: list[Sample]


def run(context: Context) -> list[Figure]:
    rounds = []
    with running(Stack(context.root, context.folder)) as stack:
        ledger, pictures = Ledger(), list(samples(context.root).values())

        def ask(number: int) -> None:
            answer = predict(stack.port, pictures[number % len(pictures)], PATIENCE_SECONDS)
            ledger.add(Entry(time.monotonic(), answer))

        with repeating(ask, clients=CLIENTS, per_second=PER_SECOND):
            for _ in range(context.count(FULL_ROUNDS)):
                rounds += [_round(context, stack, ledger, victim) for victim in VICTIMS]
        figures = _answers(context, ledger) + _records(context, stack, ledger)
        figures.append(is_true("ready at the end", stack.is_ready()))
    return figures + [figure for victim in VICTIMS for figure in _recovery(context, victim, rounds)]


def _round(context: Context, stack: Stack, ledger: Ledger, victim: str) -> Round:
    with sampling(stack.port) as said:
        time.sleep(BEFORE_SECONDS)
        target, killed_at = stack.process(victim), time.monotonic()
        target.send_signal(signal.SIGKILL)
        recovered = wait_until(lambda: _is_steady(said, ledger, killed_at), RECOVERY_SECONDS, 0.2) is not None
    entries = [entry for entry in ledger.entries() if entry.ended_at > killed_at - BEFORE_SECONDS]
    gap = outage(entries, killed_at)
    context.say(f"{victim} killed: {'served again' if recovered else 'NOT BACK'}, no answer for {gap.seconds:.1f} s")
    return Round(victim, killed_at, recovered, gap, said)


def _is_steady(said: list[Sample], ledger: Ledger, killed_at: float) -> bool:
    """Ready, and only good answers for a while that lies behind the fault."""
    since = time.monotonic() - STEADY_SECONDS
    if since < killed_at:
        return False
    late = [entry.answer.is_ok for entry in ledger.entries() if entry.ended_at > since]
    return bool(late) and all(late) and all(sample.ready for sample in said if sample.at > since)


def _answers(context: Context, ledger: Ledger) -> list[Figure]:
    entries = ledger.entries()
    faults = [fault for entry in entries if (fault := fault_in(entry.answer, ALLOWED))]
    slowest = max(entry.answer.seconds for entry in entries)
    return [
        none_of("requests without a documented answer", faults, len(entries), context.say),
        at_most("slowest answer", slowest, DEADLINE_SECONDS + 1, "s"),
        for_the_record("refused meanwhile", _counts(entries)),
    ]


def _counts(entries: list[Entry]) -> str:
    codes = [entry.answer.code for entry in entries if not entry.answer.is_ok]
    return ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes))) or "none"


def _records(context: Context, stack: Stack, ledger: Ledger) -> list[Figure]:
    acknowledged = len(ledger.acknowledged())
    rows = settled_history(stack.port, ledger)
    return [
        none_of("acknowledged but not once in the history", faults_in_history(ledger, rows), acknowledged, context.say),
        none_of("lookups that differ", faults_in_lookups(stack.port, ledger), acknowledged, context.say),
    ]


def _recovery(context: Context, victim: str, rounds: list[Round]) -> list[Figure]:
    own = [one for one in rounds if one.victim == victim]
    lost = [f"{victim} not back within {RECOVERY_SECONDS:g} s" for one in own if not one.recovered]
    hopes = [hope for one in own for hope in false_hopes(one.samples, one.gap)]
    longest = max(one.gap.seconds for one in own)
    refused = sum(sample.ready is False for one in own for sample in one.samples)
    return [
        none_of(f"{victim} killed: rounds without recovery", lost, len(own), context.say),
        for_the_record(f"{victim} killed: longest time without a good answer", f"{longest:.1f} s"),
        none_of(f"{victim} killed: ready said in an outage", hopes, sum(len(o.samples) for o in own), context.say),
        for_the_record(f"{victim} killed: samples that said not ready", str(refused)),
    ]
