"""F23: the wall clock of the control plane jumps; deadlines hold, ids stay ordered, durations stay positive."""

import json
import time
import urllib.request
from dataclasses import replace
from itertools import pairwise

from tests.checker.client import ask, own_picture
from tests.faults.clock import Clock, clock
from tests.load import asking
from tests.proofs.core_lines.arena import Arena, enough, none_failed
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_most, none_of

JUMPS = {"+1 h": "+3600", "-1 h": "-3600", "2038": "@2038-01-19 03:14:00"}
SECONDS = 5.0
IN_A_ROW = 10


def run(arena: Arena) -> list[Figure]:
    moved = clock(arena.context.folder / "clock")
    one = replace(arena.replica("clock"), environment=moved.environment)
    figures: list[Figure] = []
    try:
        one.start()
        one.wait_until_ready()
        for name, when in JUMPS.items():
            figures += _jump(arena, one, moved, f"F23 {name}", when)
    finally:
        one.stop()
    return figures


def _jump(arena: Arena, one: Replica, moved: Clock, name: str, when: str) -> list[Figure]:
    ids = []
    with asking([one.port], arena.pictures, clients=2, per_second=10) as log:
        time.sleep(1)
        for step in (when, "+0"):
            ids += [ask(one.port, own_picture(arena.pictures[0])).request_id for _ in range(IN_A_ROW)]
            moved.set(step)
            time.sleep(SECONDS / 2)
    answered = [each for each in ids if each]
    disordered = [f"{b} after {a}" for a, b in pairwise(answered) if b <= a]
    say = arena.context.say
    return [
        enough(f"{name}: acknowledged", log.all(), 20),
        none_failed(arena, name, log.all()),
        *arena.judged(name, log.all()),
        at_most(f"{name}: slowest answer", max(each.seconds for each in log.all()), 2.0, "s"),
        none_of(f"{name}: ids out of order", disordered, len(answered), say),
        none_of(f"{name}: negative durations", _negative(one.port), IN_A_ROW, say),
    ]


def _negative(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/history?limit=100", timeout=10) as answer:
        items = json.load(answer)["items"]
    return [item["request_id"] for item in items if item["processing_time_ms"] < 0]
