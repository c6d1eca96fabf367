"""F10: ids and keys are used again, one after the other and at once, on two replicas."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from uuid import uuid4

from tests.checker.client import ask, own_picture
from tests.checker.judge import faults_in_replays
from tests.checker.record import Operation
from tests.hostile.contract import FAULT_REFUSALS
from tests.proofs.core_lines.arena import Arena
from tests.proofs.replicas import replica
from tests.proofs.results import Figure, is_true, none_of

FULL_PAIRS = 200


@dataclass(frozen=True)
class Kind:
    """What the second request has in common with the first one, and whether they are sent at once."""

    same_body: bool
    same_id: bool
    key: str  # none, same, other
    at_once: bool


KINDS = [Kind(*each) for each in product((True, False), (True, False), ("none", "same", "other"), (False, True))]


def run(arena: Arena) -> list[Figure]:
    with replica(arena.stack, "second", arena.url) as second:
        ports = (arena.stack.port, second.port)
        # Whoever holds the database for away, as for up to two seconds after a fault, promises nothing of keys.
        back = [arena.writes_again(port) for port in ports]
        rounds = -(-arena.context.count(FULL_PAIRS) // len(KINDS))
        pairs = [(kind, _pair(arena, kind, ports)) for _ in range(rounds) for kind in KINDS]
    operations = [each for _, pair in pairs for each in pair]
    say = arena.context.say
    repeated = [pair for kind, pair in pairs if kind.same_body and kind.key == "same" and not kind.at_once]
    reused = [pair for kind, pair in pairs if not kind.same_body and kind.key == "same" and not kind.at_once]
    free = [pair for kind, pair in pairs if kind.key != "same"]
    not_replayed = [f"{b.status} {b.code}, replayed: {b.replayed}" for _, b in repeated if not b.replayed]
    not_refused = [f"{b.status} {b.code}" for _, b in reused if b.code != "conflict"]
    not_two = [f"{a.code}, {b.code}" for a, b in free if {a.status, b.status} != {200} or a.request_id == b.request_id]
    return [
        is_true("F10 both replicas write to the database before it begins", None not in back),
        *arena.judged(f"F10 {len(pairs)} pairs", operations, allowed=FAULT_REFUSALS | {"conflict"}),
        none_of("F10 replays of somebody else's answer", faults_in_replays(operations), len(operations), say),
        none_of("F10 the same again under its key is a replay: is not", not_replayed, len(repeated), say),
        none_of("F10 another body under the same key is a conflict: is not", not_refused, len(reused), say),
        none_of("F10 without the same key both are answered: are not", not_two, len(free), say),
    ]


def _pair(arena: Arena, kind: Kind, ports: tuple[int, int]) -> tuple[Operation, Operation]:
    body = own_picture(arena.pictures[0])
    bodies = (body, body if kind.same_body else own_picture(arena.pictures[1]))
    client_id, key = uuid4().hex, uuid4().hex
    asks: list[Callable[[], Operation]] = []
    for number in range(2):
        headers = {"X-Request-ID": client_id if kind.same_id else uuid4().hex}
        if kind.key != "none":
            headers["Idempotency-Key"] = key if kind.key == "same" or number == 0 else uuid4().hex
        asks.append(partial(ask, ports[number], bodies[number], headers=headers))
    if not kind.at_once:
        return asks[0](), asks[1]()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.submit(asks[0]), pool.submit(asks[1])
        return first.result(), second.result()
