"""F20: SIGTERM under load: what is under way is answered, what idles is closed, nothing is left."""

import signal
import socket
import time
from contextlib import ExitStack

from tests.checker.record import Operation
from tests.faults.processes import instants
from tests.load import asking
from tests.proofs.core_lines.arena import Arena, enough, within
from tests.proofs.processes import is_alive
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, none_of

SEED = 2020
FULL_TIMES = 50
DRAIN_SECONDS = 20.0
IDLE_SOCKETS = 5
HALF = (
    b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: 50000\r\n\r\n"
    + bytes(20_000)
)
WHOLE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def run(arena: Arena) -> list[Figure]:
    times = arena.context.count(FULL_TIMES, 4)
    one = arena.replica("ending")
    lost: list[str] = []
    left: list[str] = []
    took: list[float] = []
    everything: list[Operation] = []
    for wait in instants(SEED, times, 2.0):
        one.start()
        one.wait_until_ready()
        with ExitStack() as sockets, asking([one.port], arena.pictures, clients=6) as log:
            _idle(one, sockets)
            time.sleep(1 + wait)
            family = one.children()
            asked_at = time.monotonic()
            took.append(_end(one))
            left += [str(each) for each in family if is_alive(each)]
        everything += log.all()
        lost += [
            f"{each.code}, sent {asked_at - _sent(each):.2f} s before" for each in log.all() if _is_lost(each, asked_at)
        ]
    return [
        enough("F20 acknowledged", everything, 20 * times),
        none_of(
            f"F20 {times} times SIGTERM: requests under way without an answer", lost, len(everything), arena.context.say
        ),
        within("F20 slowest end", max(took), DRAIN_SECONDS),
        none_of("F20 children left", left, times, arena.context.say),
        *arena.judged("F20", everything, may_break=True),
    ]


def _idle(one: Replica, sockets: ExitStack) -> None:
    """Kept-alive connections without a request, and requests that have sent half of their body."""
    for number in range(2 * IDLE_SOCKETS):
        connection = sockets.enter_context(socket.create_connection(("127.0.0.1", one.port), timeout=10))
        connection.sendall(HALF if number % 2 else WHOLE)


def _end(one: Replica) -> float:
    started = time.monotonic()
    assert one.process is not None
    one.process.send_signal(signal.SIGTERM)
    if one.wait(2 * DRAIN_SECONDS) is None:
        one.kill()
        return float("inf")
    return time.monotonic() - started


def _sent(operation: Operation) -> float:
    return operation.ended_at - operation.seconds


def _is_lost(operation: Operation, asked_at: float) -> bool:
    """Its last byte was sent before the signal, and no answer came."""
    return operation.status == 0 and _sent(operation) < asked_at - 0.02
