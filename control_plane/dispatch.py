"""The queue in front of TorchServe: admission by cost, deadlines, priorities, fair shares, work-conserving batches.

No more calls are in TorchServe than this replica's share of READY workers. A worker that is free takes its fair
share of what waits in one call; nothing ever waits for a batch to fill.

Callers take turns by what their pictures cost: each request has a place in the order, which is where its caller's
last one ends, or where the queue is at present if that is later. One caller's many requests so wait behind each other
and not before another's few; and when the queue is full, the last of the caller that has most in it gives way.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from time import monotonic

from control_plane.errors import DeadlineExceeded, ModelNotLoaded, Overloaded, ServingError
from control_plane.metrics import Metrics
from control_plane.torchserve import Inference, Item

SMOOTHING = 0.1  # weight of the newest call in the mean seconds per unit of cost
BASE_COST = 500_000  # pixels: what the smallest picture costs beside its pixels
MAX_BATCH = 8
MAX_BATCH_BYTES = 400_000  # photos travel alone: their answers would wait for each other's decoding

Outcome = Inference | ServingError
Send = Callable[[int, Sequence[Item]], Awaitable[Sequence[Outcome]]]
"""Takes the number of the TorchServe to call, and the pictures."""


class Priority(IntEnum):
    """Who goes first; a probe has one place of its own."""

    PROBE = 0
    INTERACTIVE = 1
    JOB = 2


@dataclass(eq=False, repr=False)  # the bytes of a picture have a long repr
class _Waiting:
    item: Item
    cost: int
    deadline: float
    send: Send
    answer: "asyncio.Future[Inference]"
    priority: Priority
    caller: str
    place: int = 0
    entered: float = field(default_factory=monotonic)


def cost_of(pixels: int) -> int:
    """What a picture counts in the queue, in pixels."""
    return BASE_COST + pixels


class Dispatcher:
    """Of one version. How many calls may be in each TorchServe at once is told by whoever watches them."""

    def __init__(
        self,
        *,
        queue_size: int,
        queue_cost: int,
        metrics: Metrics,
        torchserves: int = 1,
        batch_pictures: int = MAX_BATCH,
    ) -> None:
        self._capacities = [0] * torchserves
        self._busy = [0] * torchserves
        self._held: set[int] = set()
        self._queue_size = queue_size
        self._queue_cost = queue_cost
        self._batch_pictures = batch_pictures
        self._queues: dict[Priority, deque[_Waiting]] = {priority: deque() for priority in Priority}
        self._waiting_cost = 0
        self._shares: dict[str, int] = {}  # what each caller has waiting, by cost
        self._ends: dict[str, int] = {}  # the place behind its last one
        self._at = 0  # the place of the last that went
        self._seconds_per_cost = 0.02 / BASE_COST
        self._metrics = metrics
        self._calls: set[asyncio.Task[None]] = set()

    @property
    def capacity(self) -> int:
        """Calls that may be under way at once, in all TorchServes together."""
        return sum(self._capacities)

    def set_capacity(self, torchserve: int, calls: int) -> None:
        self._capacities[torchserve] = calls
        self._start_calls()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._queues.values()))

    @property
    def busy(self) -> int:
        """Calls under way."""
        return sum(self._busy)

    def taken(self, torchserve: int) -> int:
        """Calls that are under way there, or may be at any moment."""
        return max(self._capacities[torchserve], self._busy[torchserve])

    async def quiet(self, torchserve: int, seconds: float) -> bool:
        """Start no call there until `resume`; whether those under way have ended in time."""
        self._held.add(torchserve)
        deadline = monotonic() + seconds
        while self._busy[torchserve] and monotonic() < deadline:
            await asyncio.sleep(0.01)
        return not self._busy[torchserve]

    def resume(self, torchserve: int) -> None:
        self._held.discard(torchserve)
        self._start_calls()

    @property
    def is_full(self) -> bool:
        return self.waiting >= self._queue_size or self._waiting_cost >= self._queue_cost

    def is_full_for(self, caller: str) -> bool:
        """Whether it is, and nobody would give way to even the smallest picture."""
        return self.is_full and not self._gives_way(caller, BASE_COST)

    def retry_after_seconds(self) -> int:
        """When the present queue will have been worked off."""
        return max(1, math.ceil(self._waiting_cost * self._seconds_per_cost / max(1, self.capacity)))

    async def run(
        self,
        item: Item,
        send: Send,
        *,
        pixels: int,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
        caller: str = "",
    ) -> Inference:
        """Have one picture answered by `deadline` (a time of `monotonic()`).

        Raises:
            ModelNotLoaded: No worker is ready.
            Overloaded: The queue is full, or too long to be worked off by the deadline, or this gives way to another.
            DeadlineExceeded: The deadline passed first.
            ServingError: What became of this picture in TorchServe.
        """
        if self.capacity == 0:
            raise ModelNotLoaded(retry_after_seconds=5)
        cost = cost_of(pixels)
        if priority is not Priority.PROBE:
            self._admit(priority, caller, cost, deadline)
        waiting = _Waiting(item, cost, deadline, send, asyncio.get_running_loop().create_future(), priority, caller)
        self._enter(waiting)
        self._start_calls()
        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())):
                return await waiting.answer
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            self._forget(waiting)

    def _admit(self, priority: Priority, caller: str, cost: int, deadline: float) -> None:
        if self.busy < self.capacity and not self.waiting:
            return
        ahead = self._ahead(caller, cost) if priority is Priority.INTERACTIVE else self._waiting_cost + cost
        expected = ahead * self._seconds_per_cost / self.capacity
        if monotonic() + expected > deadline:
            raise Overloaded(retry_after_seconds=self.retry_after_seconds())
        while self.is_full:
            last = self._gives_way(caller, cost)
            if last is None:
                raise Overloaded(retry_after_seconds=self.retry_after_seconds())
            last.answer.set_exception(Overloaded(retry_after_seconds=self.retry_after_seconds()))
            self._forget(last)

    def _ahead(self, caller: str, cost: int) -> int:
        """What is answered until a request of this cost is, itself included: of others no more than of its own."""
        own = self._shares.get(caller, 0) + cost
        return own + sum(min(own, held) for other, held in self._shares.items() if other != caller)

    def _gives_way(self, caller: str, cost: int) -> _Waiting | None:
        """The last waiting request of the caller that has most in the queue, if this one would have less."""
        most = max(self._shares, key=lambda each: self._shares[each], default=caller)
        if most == caller or self._shares.get(caller, 0) + cost >= self._shares[most]:
            return None
        waiting = chain(reversed(self._queues[Priority.JOB]), reversed(self._queues[Priority.INTERACTIVE]))
        return next((each for each in waiting if each.caller == most and not each.answer.done()), None)

    def _enter(self, waiting: _Waiting) -> None:
        """Behind all that have a place before its own."""
        queue = self._queues[waiting.priority]
        waiting.place = max(self._at, self._ends.get(waiting.caller, 0))
        self._ends[waiting.caller] = waiting.place + waiting.cost
        behind = len(queue)
        while behind and queue[behind - 1].place > waiting.place:
            behind -= 1
        queue.insert(behind, waiting)
        self._waiting_cost += waiting.cost
        self._shares[waiting.caller] = self._shares.get(waiting.caller, 0) + waiting.cost

    def _left(self, waiting: _Waiting) -> None:
        """It waits no more."""
        self._waiting_cost -= waiting.cost
        held = self._shares[waiting.caller] - waiting.cost
        if held:
            self._shares[waiting.caller] = held
        else:
            del self._shares[waiting.caller]
        if not self._shares:
            self._ends.clear()
            self._at = 0

    def _forget(self, waiting: _Waiting) -> None:
        """Take out of the queue what is still in it: its client has left, its deadline has passed, or it gives way."""
        if waiting in self._queues[waiting.priority]:
            self._queues[waiting.priority].remove(waiting)
            self._left(waiting)

    def _start_calls(self) -> None:
        while (torchserve := self._freest()) is not None and (batch := self._next_batch()):
            self._busy[torchserve] += 1
            task = asyncio.create_task(self._call(torchserve, batch))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    def _freest(self) -> int | None:
        """The TorchServe with the most free places; None when none has any."""
        places = enumerate(zip(self._capacities, self._busy, strict=True))
        free, torchserve = max(((c - b, n) for n, (c, b) in places if n not in self._held), default=(0, 0))
        return torchserve if free > 0 else None

    def _next_batch(self) -> list[_Waiting]:
        """A free worker's fair share of what waits, first come first, of one priority; photos alone."""
        queue = next((queue for queue in self._queues.values() if queue), None)
        if queue is None:
            return []
        share = min(self._batch_pictures, math.ceil(len(queue) / self.capacity))
        batch: list[_Waiting] = []
        size = 0
        while queue and len(batch) < share:
            size += queue[0].item.weight
            if batch and (size > MAX_BATCH_BYTES or queue[0].send is not batch[0].send):
                break
            batch.append(queue.popleft())
        self._at = max(self._at, batch[-1].place)
        for each in batch:
            self._left(each)
        return batch

    async def _call(self, torchserve: int, batch: list[_Waiting]) -> None:
        started = monotonic()
        for each in batch:
            self._metrics.stages["queue"].observe(started - each.entered)
            if each.item.span:
                each.item.span.add("queue", each.entered, started)
        self._metrics.batch_size.observe(len(batch))
        outcomes: Sequence[Outcome]
        try:
            outcomes = await batch[0].send(torchserve, [each.item for each in batch])
            self._learn(monotonic() - started, sum(each.cost for each in batch))
        except ServingError as error:
            outcomes = [error] * len(batch)
        except BaseException as error:
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error if isinstance(error, Exception) else ModelNotLoaded())
            raise
        finally:
            self._busy[torchserve] -= 1
            self._start_calls()
        for each, outcome in zip(batch, outcomes, strict=True):
            if each.answer.done():  # its client has left, or its deadline has passed
                continue
            if isinstance(outcome, ServingError):
                each.answer.set_exception(outcome)
            else:
                each.answer.set_result(outcome)

    def _learn(self, seconds: float, cost: int) -> None:
        self._seconds_per_cost += SMOOTHING * (seconds / cost - self._seconds_per_cost)
