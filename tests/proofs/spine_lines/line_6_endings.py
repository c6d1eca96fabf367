"""Line 6: however it is ended, nothing is left behind and nothing acknowledged is lost."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

import psutil

from tests.proofs.harness import Context
from tests.proofs.ledger import Entry, Ledger, faults_in_history, settled_history
from tests.proofs.processes import command_of, end_all, footprint, wait_until_gone
from tests.proofs.results import Figure, at_most, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack import Stack, running
from tests.proofs.wire import predict

GONE_SECONDS = 60.0
FULL_ROUNDS = 3
PREDICTIONS = 20


@dataclass(frozen=True)
class Ending:
    name: str
    send: Callable[[Stack], None]


def front_of(stack: Stack) -> subprocess.Popen[bytes]:
    if stack.front is None:
        raise RuntimeError("The stack was not started.")
    return stack.front


def supervisor_of(stack: Stack) -> psutil.Process:
    """The front's only child that runs the same program."""
    children = psutil.Process(front_of(stack).pid).children()
    return next(child for child in children if "standalone" in command_of(child))


ENDINGS = (
    Ending("Ctrl-C", lambda stack: os.killpg(front_of(stack).pid, signal.SIGINT)),
    Ending("SIGTERM to the front", lambda stack: front_of(stack).terminate()),
    Ending("SIGKILL to the front", lambda stack: front_of(stack).kill()),
    Ending("SIGKILL to the supervisor", lambda stack: supervisor_of(stack).kill()),
)


def run(context: Context) -> list[Figure]:
    ledger, stack = Ledger(), Stack(context.root, context.folder)
    figures: list[Figure] = []
    try:
        for ending in list(ENDINGS) * context.count(FULL_ROUNDS):
            figures += _end(context, stack, ledger, ending)
        with running(stack):
            rows = settled_history(stack.port, ledger)
    finally:
        end_all(stack.folder)
    acknowledged = ledger.acknowledged()
    figures.append(is_true("all predictions acknowledged", len(acknowledged) == len(ledger.entries())))
    lost = faults_in_history(ledger, rows)
    return [*figures, none_of("acknowledged and lost after all endings", lost, len(acknowledged), context.say)]


def _end(context: Context, stack: Stack, ledger: Ledger, ending: Ending) -> Iterator[Figure]:
    stack.start()
    context.say(f"{ending.name}: ready after {stack.wait_until_ready():.1f} s")
    for picture in islice(cycle(samples(context.root).values()), PREDICTIONS):
        ledger.add(Entry(0.0, predict(stack.port, picture)))
    before = footprint(stack.folder)
    ending.send(stack)
    seconds, left = wait_until_gone(stack.folder, before, GONE_SECONDS)
    if left:
        end_all(stack.folder)
    front_of(stack).wait(timeout=5)
    yield at_most(f"{ending.name}: until nothing was left", seconds, GONE_SECONDS, "s")
    yield none_of(f"{ending.name}: left behind", left, len(before.processes), context.say)
