"""The queue in front of TorchServe: admission by cost, deadlines, priorities, work-conserving batches.

No more calls are in TorchServe than this replica's share of READY workers. A worker that is free takes its fair
share of what waits in one call; nothing ever waits for a batch to fill.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
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
    entered: float = field(default_factory=monotonic)


def cost_of(pixels: int) -> int:
    """What a picture counts in the queue, in pixels."""
    return BASE_COST + pixels


class Dispatcher:
    """Of one version. How many calls may be in each TorchServe at once is told by whoever watches them."""

    def __init__(self, *, queue_size: int, queue_cost: int, metrics: Metrics, torchserves: int = 1) -> None:
        self._capacities = [0] * torchserves
        self._busy = [0] * torchserves
        self._held: set[int] = set()
        self._queue_size = queue_size
        self._queue_cost = queue_cost
        self._queues: dict[Priority, deque[_Waiting]] = {priority: deque() for priority in Priority}
        self._waiting_cost = 0
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

    def retry_after_seconds(self) -> int:
        """When the present queue will have been worked off."""
        return max(1, math.ceil(self._waiting_cost * self._seconds_per_cost / max(1, self.capacity)))

    async def run(
        self, item: Item, send: Send, *, pixels: int, deadline: float, priority: Priority = Priority.INTERACTIVE
    ) -> Inference:
        """Have one picture answered by `deadline` (a time of `monotonic()`).

        Raises:
            ModelNotLoaded: No worker is ready.
            Overloaded: The queue is full, or too long to be worked off by the deadline.
            DeadlineExceeded: The deadline passed first.
            ServingError: What became of this picture in TorchServe.
        """
        if self.capacity == 0:
            raise ModelNotLoaded(retry_after_seconds=5)
        cost = cost_of(pixels)
        if priority is not Priority.PROBE:
            self._admit(cost, deadline)
        waiting = _Waiting(item, cost, deadline, send, asyncio.get_running_loop().create_future())
        self._queues[priority].append(waiting)
        self._waiting_cost += cost
        self._start_calls()
        try:
            async with asyncio.timeout(max(0.0, deadline - monotonic())):
                return await waiting.answer
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            self._forget(priority, waiting)

    def _admit(self, cost: int, deadline: float) -> None:
        idle = self.busy < self.capacity and not self.waiting
        expected = (self._waiting_cost + cost) * self._seconds_per_cost / self.capacity
        if not idle and (self.is_full or monotonic() + expected > deadline):
            raise Overloaded(retry_after_seconds=self.retry_after_seconds())

    def _forget(self, priority: Priority, waiting: _Waiting) -> None:
        """Take out of the queue what is still in it: its client has left, or its deadline has passed."""
        if waiting in self._queues[priority]:
            self._queues[priority].remove(waiting)
            self._waiting_cost -= waiting.cost

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
        share = min(MAX_BATCH, math.ceil(len(queue) / self.capacity))
        batch: list[_Waiting] = []
        size = 0
        while queue and len(batch) < share:
            size += queue[0].item.weight
            if batch and (size > MAX_BATCH_BYTES or queue[0].send is not batch[0].send):
                break
            batch.append(queue.popleft())
        self._waiting_cost -= sum(each.cost for each in batch)
        return batch

    async def _call(self, torchserve: int, batch: list[_Waiting]) -> None:
        started = monotonic()
        for each in batch:
            self._metrics.stage_seconds.labels("queue").observe(started - each.entered)
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
