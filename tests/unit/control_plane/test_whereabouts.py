"""A TorchServe whose name leads nowhere is not there, and nobody waits for it; a call that one lost goes to another.

TorchServe is a stand-in here: real names cannot be made to come and go.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest

from control_plane.dispatch import Dispatcher
from control_plane.domain.verdicts import Label, ModelCard
from control_plane.errors import ModelNotLoaded
from control_plane.exchange import Exchange
from control_plane.metrics import Metrics
from control_plane.models.archives import Archive, Reference
from control_plane.models.lifecycle import Fleet
from control_plane.models.reconciling import Reconciler
from control_plane.models.served import Served, Whereabouts
from control_plane.replicas import Share
from control_plane.torchserve import (
    Inference,
    Item,
    NobodySaysWhere,
    TorchServe,
    TorchServeAbsent,
    TorchServeUnreachable,
    Worker,
)
from control_plane.web.figures import Figures

NAME = "plant"
WAYS = {"down": TorchServeUnreachable, "nowhere": TorchServeAbsent, "nobody says where": NobodySaysWhere}


@dataclass
class StandIn:
    """`is_`: one of WAYS, or there."""

    is_: str = "there"
    calls: int = 0
    looks: int = 0

    async def versions(self, _: str) -> dict[str, list[Worker]]:
        self.looks += 1
        if self.is_ in WAYS:
            raise WAYS[self.is_]
        return {"1": [Worker("1", 1, ready=True)]}

    async def infer(self, _: str, __: str, items: Sequence[Item], **___: object) -> list[Inference]:
        self.calls += 1
        if self.is_ != "there":
            raise ModelNotLoaded
        return [Inference((Label(NAME, 1.0),), {})] * len(items)


@dataclass
class Around:
    fleet: Fleet
    served: Served
    first: StandIn
    second: StandIn
    metrics: Metrics = field(default_factory=Metrics)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    async def ask(self) -> str:
        item, deadline = Item(b"photo", {}, monotonic() + 10), monotonic() + 10
        answer = await self.served.lane.run(item, self.served.send, pixels=100, deadline=deadline)
        return answer.predictions[0].label


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    first, second, metrics = StandIn(), StandIn(), Metrics()
    torchserves = cast("list[TorchServe]", [first, second])
    fleet = Fleet(
        torchserves=torchserves,
        store=tmp_path,
        cache=tmp_path / "rollouts.json",
        model="plants",
        workers=1,
        lane=partial(Dispatcher, queue_size=8, queue_cost=10**9, metrics=metrics, torchserves=2),
        metrics=metrics,
    )
    share = Share(cast("Any", None), "one")
    reconciler = Reconciler(fleet=fleet, torchserves=torchserves, share=share, metrics=metrics)
    file = tmp_path / "plants-1.mar"
    file.write_bytes(b"archive")
    archive = Archive(file, "plants", "1", (NAME,), ModelCard(), (Reference(b"", NAME, 0.9),))
    served = fleet._served["plants", "1"] = fleet._serve(archive)
    served.proof.note(0, None)
    running = asyncio.create_task(reconciler.run())
    made = Around(fleet, served, first, second)
    await made.until(lambda: served.lane.capacity == 2)
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_one_that_is_not_there_is_not_waited_for(around: Around) -> None:
    around.second.is_ = "nowhere"
    await around.until(lambda: around.fleet.torchserves == 1)
    assert around.served.is_proven
    assert around.served.lane.capacity == 1
    around.second.is_ = "there"
    await around.until(lambda: around.fleet.torchserves == 2 and around.served.lane.capacity == 2)


async def test_one_that_is_down_is_waited_for(around: Around) -> None:
    around.second.is_ = "down"
    await around.until(lambda: around.served.lane.capacity == 1)
    assert around.fleet.torchserves == 2
    assert not around.served.is_proven


async def test_while_nobody_says_where_it_is_what_was_known_last_holds(around: Around) -> None:
    around.second.is_ = "nowhere"
    await around.until(lambda: around.fleet.torchserves == 1)
    around.second.is_ = "nobody says where"
    before = around.second.looks
    await around.until(lambda: around.second.looks > before + 1)
    assert around.fleet.torchserves == 1
    assert around.served.is_proven


async def test_where_none_is_there_all_are_down(around: Around) -> None:
    around.first.is_ = around.second.is_ = "nowhere"
    await around.until(lambda: around.served.lane.capacity == 0)
    await around.until(lambda: around.fleet.torchserves == 2)
    assert not around.served.is_proven


async def test_a_call_that_one_lost_goes_to_another_once(around: Around) -> None:
    lost = around.first if around.served.lane._freest() == 0 else around.second
    lost.is_ = "down"  # and nobody has looked yet
    assert await around.ask() == NAME
    assert (around.first.calls, around.second.calls) == (1, 1)
    around.first.is_ = around.second.is_ = "down"
    with pytest.raises(ModelNotLoaded):
        await around.ask()


@pytest.mark.parametrize(("said", "kind"), [(socket.EAI_NONAME, TorchServeAbsent), (socket.EAI_AGAIN, NobodySaysWhere)])
async def test_a_name_that_there_is_not_is_told_from_one_that_nobody_could_look_up(
    said: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(said, "as the resolver says")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    torchserve = TorchServe(
        inference_url="http://torchserve-3.torchserve:8080",
        management_url="http://torchserve-3.torchserve:8081",
        max_answer_seconds=5,
        exchange=Exchange(None),
    )
    await torchserve.open()
    try:
        with pytest.raises(TorchServeUnreachable) as caught:
            await torchserve.versions("plants")
    finally:
        await torchserve.close()
    assert type(caught.value) is kind


async def test_one_that_is_not_there_tells_nothing_and_that_is_no_fault() -> None:
    fleet = SimpleNamespace(whereabouts=Whereabouts([False, True]))
    figures = cast("Any", SimpleNamespace(_torchserves=[None, None], _fleet=fleet))
    assert (await Figures.torchserve_page(figures, "2"))[0] == b""
