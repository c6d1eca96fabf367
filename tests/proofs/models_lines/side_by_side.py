"""Two control planes on one TorchServe and one database: both change at once, and two operators never both win."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import psycopg

from control_plane.tables import anchor
from tests.changing import MODEL, Changing, changing
from tests.faults.postgres import own_postgres
from tests.load import asking
from tests.proofs.harness import Context
from tests.proofs.replicas import Replica, replica
from tests.proofs.results import Figure, is_true, none_of
from tests.proofs.samples import samples
from tests.waiting import wait_until

FULL_SWAPS = 30
FULL_CONTESTS = 100
AGREED_SECONDS = 30.0


def run(context: Context) -> list[Figure]:
    context.folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    with (
        own_postgres(context.folder / "database") as postgres,
        changing(context.root, DATABASE_URL=postgres.url) as place,
        replica(place.stack, "second", postgres.url) as second,
    ):
        place.add("2")
        place.add("3", model__onnx=lambda content: content[:1000])
        figures = [*_swaps(context, place, second), *_contests(context, place, second), _sick(place)]
        broken = asyncio.run(_first_broken(postgres.url))
        return [*figures, is_true("two replicas: the audit is one chain", broken is None, f"broken at {broken}")]


def _swaps(context: Context, place: Changing, second: Replica) -> list[Figure]:
    pictures = list(samples(context.root).values())
    swaps = context.count(FULL_SWAPS, at_least=2)
    faults: list[str] = []
    with asking([place.stack.port, second.port], pictures, clients=4, per_second=12) as log:
        for number in range(swaps):
            new = "2" if place.stable == "1" else "1"
            ended = place.change({"stable": new})
            agreed = wait_until(lambda new=new: _agree(place, second, new), AGREED_SECONDS, 0.2)  # type: ignore[misc]
            if ended["state"] != "done" or agreed is None:
                faults.append(f"swap {number + 1}: {ended['state']} {ended['message']}, {place.registered()}")
    bad = [f"{each.status} {each.code}" for each in log.all() if each.status != 200]
    return [
        none_of("two replicas: swaps that not both took up", faults, swaps, context.say),
        none_of("two replicas: requests that failed meanwhile", bad, len(log.all()), context.say),
    ]


def _agree(place: Changing, second: Replica, version: str) -> bool:
    told = [_stable(port) for port in (place.stack.port, second.port)]
    return told == [version, version] and set(place.registered()) == {version}


def _stable(port: int) -> str:
    models = httpx2.get(f"http://127.0.0.1:{port}/models", timeout=10).json()["items"]
    return str(models[0]["rollout"]["stable"])


def _contests(context: Context, place: Changing, second: Replica) -> list[Figure]:
    """The same revision is changed by two operators at once, each over a replica of their own."""
    stable = place.stable
    canary = "2" if stable == "1" else "1"
    assert place.change({"stable": stable, "canary": canary, "canary_percent": 1})["state"] == "done"
    contests = context.count(FULL_CONTESTS)
    faults: list[str] = []
    with ThreadPoolExecutor(2) as operators:
        for number in range(contests):
            revision = place.facts()["rollout"]["revision"]
            asks = [_asking(place, port, revision, canary, 2 + number) for port in (place.stack.port, second.port)]
            answers = [each.result() for each in [operators.submit(ask) for ask in asks]]
            if sorted(each.status_code for each in answers) != [202, 409]:
                faults.append(f"contest {number + 1}: {[each.status_code for each in answers]}")
            for each in answers:
                if each.status_code == 202:
                    place.ended(each.headers["location"])
    after = place.facts()["rollout"]["revision"]
    assert place.change(None)["state"] == "done"
    return [
        none_of("two operators at once: not one winner and one 409", faults, contests, context.say),
        is_true("two operators at once: each winner is one revision", after == revision + 1, f"revision {after}"),
    ]


def _asking(place: Changing, port: int, revision: int, canary: str, percent: float) -> Callable[[], httpx2.Response]:
    wanted: dict[str, Any] = {"stable": place.stable, "canary": canary, "canary_percent": percent}
    headers = {**place.admin, "If-Match": f'"{revision}"'}
    return lambda: httpx2.put(f"http://127.0.0.1:{port}{MODEL}/rollout", json=wanted, headers=headers, timeout=30)


def _sick(place: Changing) -> Figure:
    """A register that fails half way leaves nothing behind."""
    stable = place.stable
    ended = place.change({"stable": "3"})
    clean = wait_until(lambda: set(place.registered()) == {stable} and place.unpacked() == 1, AGREED_SECONDS, 0.2)
    return is_true(
        "a version that cannot be loaded leaves nothing behind",
        ended["state"] == "failed" and clean is not None,
        f"{ended['state']}, {place.registered()}, {place.unpacked()} unpacked",
    )


async def _first_broken(url: str) -> int | None:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        broken = (await anchor.look_through(connection)).broken
    return broken.number if broken else None
