"""No more calls than READY workers; what waits is bounded by count and pixels, in order, and leaves at its deadline.

A free worker takes its fair share of what waits; nothing waits for a batch to fill.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic

import pytest

from control_plane.dispatch import MAX_BATCH, MAX_BATCH_BYTES, Dispatcher, Outcome, Priority, Send
from control_plane.domain.verdicts import Label
from control_plane.errors import DeadlineExceeded, InvalidImage, ModelNotLoaded, Overloaded, ProcessingError
from control_plane.metrics import Metrics
from control_plane.torchserve import Inference, Item


class Worker:
    """Calls that end when told; `calls` holds the names in each."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.outcomes: dict[str, Outcome] = {}

    async def send(self, _: int, items: Sequence[Item]) -> Sequence[Outcome]:
        names = [str(item.asked["name"]) for item in items]
        self.calls.append(names)
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1
        return [self.outcomes.get(name, Inference((Label(name, 1.0),), {})) for name in names]


class Queue:
    def __init__(
        self, capacity: int, queue_size: int = 100, queue_cost: int = 10**12, batch_pictures: int = MAX_BATCH
    ) -> None:
        self.worker = Worker()
        self.send: Send = self.worker.send
        self.dispatcher = Dispatcher(
            queue_size=queue_size, queue_cost=queue_cost, metrics=Metrics(), batch_pictures=batch_pictures
        )
        self.dispatcher.set_capacity(0, capacity)

    async def ask(
        self,
        name: str,
        *,
        size: int = 10,
        pixels: int = 1000,
        seconds: float = 30,
        priority: Priority = Priority.INTERACTIVE,
        caller: str = "",
    ) -> str:
        item = Item(bytes(size), {"name": name}, monotonic() + seconds)
        answer = await self.dispatcher.run(
            item, self.send, pixels=pixels, deadline=monotonic() + seconds, priority=priority, caller=caller
        )
        return answer.predictions[0].label

    def start(
        self, *names: str, size: int = 10, priority: Priority = Priority.INTERACTIVE, caller: str = ""
    ) -> list[asyncio.Task[str]]:
        return [asyncio.create_task(self.ask(name, size=size, priority=priority, caller=caller)) for name in names]

    async def served(self, *tasks: asyncio.Task[str]) -> list[str]:
        """The names in the order in which they were sent to the workers."""
        self.worker.gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [name for call in self.worker.calls for name in call]


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


async def test_calls_never_outnumber_the_ready_workers_and_everybody_gets_their_own_answer() -> None:
    queue = Queue(2)
    names = [str(n) for n in range(30)]
    tasks = queue.start(*names)
    await settle()
    assert queue.worker.running == 2
    queue.worker.gate.set()
    assert await asyncio.gather(*tasks) == names
    assert queue.worker.most == 2


async def test_a_free_worker_takes_its_fair_share_of_what_waits() -> None:
    queue = Queue(2)
    tasks = queue.start("a", "b", *[str(n) for n in range(6)])
    await settle()
    assert queue.worker.calls == [["a"], ["b"]]
    queue.worker.gate.set()
    await asyncio.gather(*tasks)
    assert queue.worker.calls[2] == ["0", "1", "2"]
    assert max(map(len, queue.worker.calls)) <= MAX_BATCH


@pytest.mark.parametrize("most", [2, 32])
async def test_a_call_takes_along_as_many_as_the_operator_wants(most: int) -> None:
    queue = Queue(1, batch_pictures=most)
    tasks = queue.start("first", *[str(n) for n in range(32)])
    await settle()
    queue.worker.gate.set()
    await asyncio.gather(*tasks)
    assert max(map(len, queue.worker.calls)) == most


async def test_nothing_waits_for_a_batch_to_fill() -> None:
    queue = Queue(4)
    queue.worker.gate.set()
    assert [await queue.ask(name) for name in "abc"] == ["a", "b", "c"]
    assert queue.worker.calls == [["a"], ["b"], ["c"]]


async def test_photos_travel_alone() -> None:
    queue = Queue(1)
    tasks = queue.start("first") + queue.start("p", "q", "r", size=MAX_BATCH_BYTES)
    await settle()
    queue.worker.gate.set()
    await asyncio.gather(*tasks)
    assert queue.worker.calls == [["first"], ["p"], ["q"], ["r"]]


async def test_one_bad_picture_of_a_batch_fails_alone() -> None:
    queue = Queue(1)
    queue.worker.outcomes["bad"] = InvalidImage()
    tasks = queue.start("first", "good", "bad", "fine")
    await settle()
    queue.worker.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [r if isinstance(r, str) else type(r) for r in results] == ["first", "good", InvalidImage, "fine"]


@pytest.mark.parametrize("bound", [{"queue_size": 1}, {"queue_cost": 600_000}])
async def test_a_request_over_the_bound_is_refused_with_a_time_to_wait(bound: dict[str, int]) -> None:
    queue = Queue(1, **bound)
    tasks = queue.start("runs", "waits")
    await settle()
    if "queue_cost" in bound:
        tasks += queue.start("waits too")
        await settle()
    assert queue.dispatcher.is_full
    with pytest.raises(Overloaded) as refused:
        await queue.ask("late")
    assert refused.value.retry_after_seconds is not None
    assert refused.value.retry_after_seconds >= 1
    queue.worker.gate.set()
    await asyncio.gather(*tasks)


async def test_a_request_that_cannot_be_served_by_its_deadline_is_refused_at_once() -> None:
    queue = Queue(1)
    tasks = queue.start("runs", "waits")
    await settle()
    with pytest.raises(Overloaded):
        await queue.ask("huge", pixels=10**9, seconds=5)
    queue.worker.gate.set()
    await asyncio.gather(*tasks)


async def test_without_ready_workers_the_model_is_not_loaded() -> None:
    with pytest.raises(ModelNotLoaded):
        await Queue(0).ask("any")


async def test_a_call_that_outlives_its_deadline_keeps_its_worker_until_it_ends() -> None:
    queue = Queue(1)
    with pytest.raises(DeadlineExceeded):
        await queue.ask("slow", seconds=0.05)
    (next_one,) = queue.start("next")
    await settle()
    assert queue.worker.calls == [["slow"]]
    queue.worker.gate.set()
    assert await next_one == "next"


async def test_what_waits_leaves_at_its_deadline_or_with_its_client() -> None:
    queue = Queue(1)
    (first,) = queue.start("first")
    await settle()
    (gone,) = queue.start("gone")
    await settle()
    gone.cancel()
    with pytest.raises(DeadlineExceeded):
        await queue.ask("impatient", seconds=0.1)
    await settle()
    assert queue.dispatcher.waiting == 0
    queue.worker.gate.set()
    await first
    await settle()
    assert queue.worker.calls == [["first"]]


async def test_probes_go_before_people_and_people_before_jobs() -> None:
    queue = Queue(1, queue_size=2)
    tasks = queue.start("runs")
    await settle()
    for name, priority in (("job", Priority.JOB), ("person", Priority.INTERACTIVE), ("probe", Priority.PROBE)):
        tasks += queue.start(name, priority=priority)
        await settle()
    queue.worker.gate.set()
    await asyncio.gather(*tasks)
    assert queue.worker.calls == [["runs"], ["probe"], ["person"], ["job"]]


async def test_a_failing_call_frees_its_worker_and_its_error_reaches_every_picture() -> None:
    queue = Queue(1)

    async def refuse(_: int, __: Sequence[Item]) -> Sequence[Outcome]:
        raise ProcessingError

    async def break_down(_: int, __: Sequence[Item]) -> Sequence[Outcome]:
        raise ZeroDivisionError

    queue.send = refuse
    assert all(
        isinstance(r, ProcessingError) for r in await asyncio.gather(*queue.start(*"abc"), return_exceptions=True)
    )
    queue.send = break_down
    with pytest.raises(ZeroDivisionError):
        await queue.ask("x")
    queue.send = queue.worker.send
    queue.worker.gate.set()
    assert await queue.ask("again") == "again"


async def test_workers_that_become_ready_take_what_waits() -> None:
    queue = Queue(1)
    tasks = queue.start(*"abc")
    await settle()
    queue.dispatcher.set_capacity(0, 3)
    await settle()
    assert queue.worker.running == 3
    queue.worker.gate.set()
    await asyncio.gather(*tasks)


async def test_what_is_taken_shrinks_with_the_calls_under_way_and_no_more_begin() -> None:
    queue = Queue(3)
    tasks = queue.start(*"abc")
    await settle()
    queue.dispatcher.set_capacity(0, 1)
    assert queue.dispatcher.taken(0) == 3
    later = queue.start("d")
    await settle()
    assert queue.worker.calls == [["a"], ["b"], ["c"]]
    queue.worker.gate.set()
    await asyncio.gather(*tasks, *later)
    assert queue.dispatcher.taken(0) == 1


async def test_while_a_torchserve_is_held_quiet_nothing_begins_there_and_nobody_is_refused() -> None:
    queue = Queue(capacity=2)
    first = asyncio.create_task(queue.ask("first"))
    await settle()
    assert not await queue.dispatcher.quiet(0, 0.05)  # it is under way still
    second = asyncio.create_task(queue.ask("second"))
    await settle()
    queue.worker.gate.set()
    assert await first == "first"
    assert await queue.dispatcher.quiet(0, 5)
    assert queue.worker.calls == [["first"]]
    queue.dispatcher.resume(0)
    assert await second == "second"


async def test_one_callers_many_wait_behind_each_other_and_not_before_anothers_few() -> None:
    queue = Queue(1)
    tasks = queue.start("h0", "h1", "h2", "h3", "h4", caller="heavy", size=MAX_BATCH_BYTES)
    await settle()
    tasks += queue.start("l0", caller="light", size=MAX_BATCH_BYTES)
    await settle()
    tasks += queue.start("m0", "m1", caller="middle", size=MAX_BATCH_BYTES)
    await settle()
    order = await queue.served(*tasks)
    assert order[0] == "h0"  # it was under way
    assert order.index("l0") <= 2
    assert order.index("m0") <= 3
    assert order.index("m1") < order.index("h4")
    assert [name for name in order if name[0] == "h"] == ["h0", "h1", "h2", "h3", "h4"]


async def test_who_comes_back_all_the_time_has_no_more_than_its_share() -> None:
    queue = Queue(1)
    tasks = queue.start(*[f"h{n}" for n in range(20)], caller="heavy", size=MAX_BATCH_BYTES)
    tasks += queue.start(*[f"l{n}" for n in range(20)], caller="light", size=MAX_BATCH_BYTES)
    await settle()
    order = await queue.served(*tasks)
    for n in range(2, 40):
        assert abs(sum(name[0] == "h" for name in order[:n]) - n / 2) <= 1.5


async def test_shares_are_counted_by_what_pictures_cost() -> None:
    queue = Queue(1)
    tasks = queue.start("runs")
    await settle()
    tasks += [asyncio.create_task(queue.ask(f"big{n}", pixels=9_500_000, caller="big")) for n in range(3)]
    tasks += [asyncio.create_task(queue.ask(f"small{n}", pixels=500_000, caller="small")) for n in range(10)]
    await settle()
    order = await queue.served(*tasks)
    assert order.index("small8") < order.index("big1")


async def test_in_a_full_queue_the_last_of_whoever_has_most_gives_way() -> None:
    queue = Queue(1, queue_size=4)
    heavy = queue.start("h0", "h1", "h2", "h3", "h4", caller="heavy")
    await settle()
    assert queue.dispatcher.is_full
    assert queue.dispatcher.is_full_for("heavy")
    assert not queue.dispatcher.is_full_for("light")
    with pytest.raises(Overloaded):
        await queue.ask("h5", caller="heavy")
    light = queue.start("l0", "l1", caller="light")
    await settle()
    assert queue.dispatcher.waiting == 4
    assert queue.dispatcher.is_full_for("light")  # it has half of it
    with pytest.raises(Overloaded):
        await queue.ask("l2", caller="light")
    order = await queue.served(*heavy, *light)
    assert sorted(order) == ["h0", "h1", "h2", "l0", "l1"]
    assert [type(task.exception()) for task in heavy[3:]] == [Overloaded, Overloaded]
    assert await asyncio.gather(*light) == ["l0", "l1"]


async def test_jobs_give_way_before_people_do() -> None:
    queue = Queue(1, queue_size=3)
    first = queue.start("h0", caller="heavy")
    await settle()
    tasks = queue.start("h1", "h2", caller="heavy") + queue.start("job", caller="heavy", priority=Priority.JOB)
    await settle()
    light = queue.start("l0", caller="light")
    await settle()
    assert sorted(await queue.served(*first, *tasks, *light)) == ["h0", "h1", "h2", "l0"]


async def test_a_long_queue_of_another_keeps_nobody_out_by_its_deadline() -> None:
    queue = Queue(1)
    heavy = queue.start(*[f"h{n}" for n in range(60)], caller="heavy")
    await settle()
    with pytest.raises(Overloaded):
        await queue.ask("late", seconds=1.0, caller="heavy")
    (light,) = [asyncio.create_task(queue.ask("l0", seconds=1.0, caller="light"))]
    await settle()
    order = await queue.served(*heavy, light)
    assert await light == "l0"
    assert order.index("l0") <= 9  # with the first batch


async def test_nothing_is_remembered_of_callers_whose_requests_are_done() -> None:
    queue = Queue(2)
    await queue.served(*[task for n in range(50) for task in queue.start(f"x{n}", caller=f"caller {n}")])
    assert (queue.dispatcher._shares, queue.dispatcher._ends, queue.dispatcher._waiting_cost) == ({}, {}, 0)
