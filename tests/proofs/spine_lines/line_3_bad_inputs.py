"""Line 3: whatever the bytes, a documented refusal, the same workers, a good answer afterwards, memory back."""

from collections.abc import Callable
from itertools import cycle, islice

from tests.hostile.families import Family, families
from tests.hostile.request import Hostile
from tests.proofs.harness import Context
from tests.proofs.judge import fault_in
from tests.proofs.ledger import best_label
from tests.proofs.memory import growth, resident
from tests.proofs.results import Figure, at_most, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack import Stack, running
from tests.proofs.wire import exchange, predict

ANSWER_SECONDS = 30.0
MUTATIONS_PER_FORMAT = 1000
REPEATS = 100
GROWTH_MIB = 1.0
BOUNDED = ("control plane", "worker")
# Heap of 512 MiB, direct memory of 256 MiB, and what the JVM itself needs.
JAVA_MIB = 1024.0


def run(context: Context) -> list[Figure]:
    chosen = families(context.count(MUTATIONS_PER_FORMAT, at_least=100))
    with running(Stack(context.root, context.folder)) as stack:
        _warm_up(stack)
        pids = {kind: _pids(stack, kind) for kind in ("worker", "java", "control plane")}
        figures = [_answers(context, stack, name, family) for name, family in chosen.items()]
        figures += [_growth(context, stack, name, family) for name, family in chosen.items()]
        figures.append(at_most("memory of Java at the end", resident(stack)["java"], JAVA_MIB, "MiB"))
        figures += [is_true(f"same {kind} processes", _pids(stack, kind) == before) for kind, before in pids.items()]
        figures.append(_good_pictures(context, stack))
        figures.append(is_true("ready afterwards", stack.is_ready()))
    return figures


def _warm_up(stack: Stack) -> None:
    for picture in islice(cycle(samples(stack.root).values()), 100):
        predict(stack.port, picture)


def _pids(stack: Stack, kind: str) -> set[int]:
    return {process.pid for process in stack.processes(kind)}


def _ask(stack: Stack, request: Hostile) -> str | None:
    answer = exchange(stack.port, request.pieces(), ANSWER_SECONDS)
    fault = fault_in(answer, request.allowed)
    return f"{request.name}: {fault}" if fault else None


def _answers(context: Context, stack: Stack, name: str, family: Family) -> Figure:
    answers = [_ask(stack, request) for request in family()]
    faults = [fault for fault in answers if fault]
    return none_of(f"{name}: wrong answers", faults, len(answers), context.say)


def _growth(context: Context, stack: Stack, name: str, family: Family) -> Figure:
    # Whole rounds of the same requests, so that each round asks for the same memory.
    requests = list(islice(family(), REPEATS))
    rounds = max(1, REPEATS // len(requests))
    gained = growth(lambda: resident(stack), _repeating(stack, requests * rounds), GROWTH_MIB, BOUNDED)
    context.say(f"{name}: " + ", ".join(f"{kind} {mib:+.1f} MiB" for kind, mib in gained.items()))
    most = max(gained[kind] for kind in BOUNDED)
    return at_most(f"{name}: growth over {len(requests) * rounds} repeats", most, GROWTH_MIB, "MiB")


def _repeating(stack: Stack, requests: list[Hostile]) -> Callable[[], None]:
    def repeat() -> None:
        for request in requests:
            _ask(stack, request)

    return repeat


def _good_pictures(context: Context, stack: Stack) -> Figure:
    faults = []
    for label, picture in samples(stack.root).items():
        answer = predict(stack.port, picture)
        if best_label(answer) != label:
            faults.append(f"{label} was answered {answer.status} {best_label(answer)!r}")
    return none_of("good pictures answered wrong afterwards", faults, len(samples(stack.root)), context.say)
