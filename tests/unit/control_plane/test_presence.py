"""What nobody waits for is dropped, and what must be finished is not."""

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest

from control_plane.dispatch import Dispatcher, Outcome
from control_plane.errors import ClientLeft, ProcessingError
from control_plane.metrics import Metrics
from control_plane.predictions.presence import Presence
from control_plane.torchserve import Item


async def test_work_ends_when_the_client_leaves() -> None:
    presence = Presence()
    asyncio.get_running_loop().call_later(0.01, presence.leave)
    with pytest.raises(ClientLeft):
        async with presence.waiting():
            await asyncio.Event().wait()


async def test_work_is_not_begun_for_a_client_that_has_left() -> None:
    presence = Presence()
    presence.leave()
    with pytest.raises(ClientLeft):
        async with presence.waiting():
            raise AssertionError("begun")


async def test_what_follows_the_waiting_is_finished() -> None:
    presence = Presence()
    async with presence.waiting():
        pass
    presence.leave()
    await asyncio.sleep(0.01)


async def test_all_that_is_done_for_a_client_ends_when_it_leaves() -> None:
    presence = Presence()

    async def work() -> None:
        async with presence.waiting():
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    async with asyncio.timeout(20):
        await asyncio.sleep(0.01)
        presence.leave()
        assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [ClientLeft] * 3


async def test_a_timeout_of_the_work_itself_is_passed_on() -> None:
    with pytest.raises(TimeoutError):
        async with Presence().waiting(), asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_who_leaves_gives_up_its_place_in_the_queue_and_nobody_elses() -> None:
    gate = asyncio.Event()
    sent: list[str] = []

    async def send(_: int, items: Sequence[Item]) -> Sequence[Outcome]:
        sent.extend(str(item.asked["name"]) for item in items)
        await gate.wait()
        return [ProcessingError() for _ in items]

    dispatcher = Dispatcher(queue_size=10, queue_cost=10**9, metrics=Metrics())
    dispatcher.set_capacity(0, 1)
    clients = {name: Presence() for name in ("first", "second", "third")}

    async def ask(name: str, presence: Presence) -> None:
        async with presence.waiting():
            await dispatcher.run(Item(b"", {"name": name}, monotonic() + 30), send, pixels=1, deadline=monotonic() + 30)

    tasks = [asyncio.create_task(ask(*client)) for client in clients.items()]
    while dispatcher.waiting < 2:
        await asyncio.sleep(0)
    clients["second"].leave()
    with pytest.raises(ClientLeft):
        await tasks[1]
    assert (dispatcher.waiting, sent) == (1, ["first"])
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
