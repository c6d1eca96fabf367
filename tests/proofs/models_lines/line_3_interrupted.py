"""Line 3: the control plane, Java or PostgreSQL killed while versions change; what is wanted is reached afterwards."""

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.changing import Changing, changing
from tests.checker.client import ask
from tests.load import asking
from tests.proofs.harness import Context, run_cases
from tests.proofs.models_lines import side_by_side, worse_versions
from tests.proofs.results import Figure, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.waiting import wait_until

FULL_ROUNDS = 30  # of each kind of death
REACHED_SECONDS = 60.0
WAIT_SECONDS = 120.0
MOMENTS = (0.05, 0.5, 1.5, 3.0, 4.0, 5.0, 6.5)  # seconds after the change was asked for; it takes about seven
KINDS = ("control plane", "java", "postgres")


def run(context: Context) -> list[Figure]:
    cases = {
        "F15": _interrupted,
        "F17": side_by_side.run,
        "F18": worse_versions.canaries,
        "F19": worse_versions.shadows,
    }
    return run_cases(context, {name: partial(case, context) for name, case in cases.items()})


def _interrupted(context: Context) -> list[Figure]:
    with changing(context.root) as place:
        place.add("2")
        figures: list[Figure] = []
        for kind in KINDS:
            figures += _killed(context, place, kind)
        return [*figures, *_wiped(context, place)]


def _killed(context: Context, place: Changing, kind: str) -> list[Figure]:
    """Killed at another moment each time."""
    rounds = context.count(FULL_ROUNDS, at_least=3)
    late: list[float] = []
    faults: list[str] = []
    answers = []
    for number in range(rounds):
        old = place.stable
        new = "2" if old == "1" else "1"
        with asking([place.stack.port], list(samples(context.root).values()), clients=2, per_second=8) as log:
            begun = place.ask_for({"stable": new})
            time.sleep(MOMENTS[number * (len(MOMENTS) - 1) // max(1, rounds - 1)])
            place.stack.process(kind).kill()
            killed_at = time.monotonic()
            operation = place.ended(begun.headers["location"])
            reached = _reached(place, lambda place=place: place.stable)  # type: ignore[misc]
        answers += log.ok()
        foreign = [each.version for each in log.ok() if each.version not in {"1", "2"}]
        faults += [f"{kind}, round {number + 1}: an answer of version {version}" for version in foreign]
        if reached is None:
            faults.append(f"{kind}, round {number + 1}: {place.registered()} with {place.stable} wanted")
        elif operation["state"] == "done" and place.stable != new:
            faults.append(f"{kind}, round {number + 1}: done, yet {place.stable} answers")
        else:
            late.append(time.monotonic() - killed_at)
        context.say(f"{kind}, round {number + 1} of {rounds}: {operation['state']}, {place.stable} answers.")
    return [
        none_of(f"{kind} killed during a change: what is wanted was not reached", faults, rounds, context.say),
        at_most(
            f"{kind} killed: slowest return to what is wanted", max(late, default=float("inf")), REACHED_SECONDS, "s"
        ),
        for_the_record(f"{kind} killed: answers meanwhile", str(len(answers))),
    ]


def _reached(place: Changing, wanted: Callable[[], str]) -> float | None:
    """Only what is wanted is registered, all its workers are ready, and it answers."""

    def reached() -> bool:
        try:
            version = wanted()
            return place.stack.is_ready() and set(place.registered()) == {version} and all(place.registered().values())
        except Exception:
            return False

    return wait_until(reached, WAIT_SECONDS, 0.2)


def _wiped(context: Context, place: Changing) -> list[Figure]:
    """TorchServe's temporary folder emptied, then Java killed: as after a crash of its container."""
    private = Path(place.run_description()["private"])
    shutil.rmtree(private / "models", ignore_errors=True)
    place.stack.process("java").kill()
    time.sleep(1)
    reached = _reached(place, lambda: place.stable)
    picture = next(iter(samples(context.root).values()))
    answer = ask(place.stack.port, picture)
    return [
        at_most("TorchServe wiped: back", float("inf") if reached is None else reached, REACHED_SECONDS, "s"),
        is_true("TorchServe wiped: it answers", answer.status == 200, f"{answer.status} {answer.code}"),
        at_most("unpacked copies of archives left", place.unpacked(), 1),
    ]
