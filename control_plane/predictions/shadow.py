"""Copies of answered requests for another version, after the answer: sampled, bounded, shed first.

A shadow gets a share of what stable answers. What a canary answers, stable is asked too: so the guard sees whether
they disagree. Nobody waits for a copy, and none is made for a version that has anything else to do.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass
from time import monotonic

from control_plane.dispatch import Priority
from control_plane.errors import DatabaseUnavailable, ServingError
from control_plane.metrics import Metrics
from control_plane.models.lifecycle import Fleet
from control_plane.models.served import Served
from control_plane.photos.uploads import Picture
from control_plane.tables import evaluations, history
from control_plane.tables.database import Database, within
from control_plane.tables.evaluations import ShadowAnswer
from control_plane.telemetry import tracing
from control_plane.telemetry.logs import trace_id
from control_plane.telemetry.tracing import Span
from control_plane.torchserve import Inference, Item

log = logging.getLogger(__name__)

MOST_WAITING = 16
MOST_WAITING_BYTES = 64 * 2**20
COPY_SECONDS = 10.0
WRITE_SECONDS = 1.0
MOST_UNWRITTEN = 1000
TOP_K = 5


@dataclass(frozen=True)
class _Copy:
    picture: Picture
    row: history.Prediction
    listener: str
    trace: str | None
    span: Span | None


class Shadows:
    def __init__(self, database: Database, fleet: Fleet, metrics: Metrics) -> None:
        self._database = database
        self._fleet = fleet
        self._metrics = metrics
        self._waiting: deque[_Copy] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self._unwritten: deque[ShadowAnswer] = deque(maxlen=MOST_UNWRITTEN)

    def copy(self, picture: Picture, row: history.Prediction) -> None:
        """Have another version asked too, when one shall be; returns at once."""
        rollout = self._fleet.rollouts.get(row.model)
        if rollout is None:
            return
        listener = rollout.stable if row.role == "canary" else rollout.listens(str(row.request_id))
        if listener is None or listener == row.version:
            return
        served = self._fleet.find(row.model, listener)
        size = len(picture.data)
        if served is None or served.ready == 0:
            self._count(row.model, listener, "not_loaded")
        elif len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES:
            self._count(row.model, listener, "shed")
        else:
            self._waiting.append(_Copy(picture, row, listener, trace_id.get(), tracing.current.get()))
            self._bytes += size
            self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ask_all())
            tasks.create_task(self._write_all())

    async def _ask_all(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                copy = self._waiting.popleft()
                self._bytes -= len(copy.picture.data)
                try:
                    await self._ask(copy)
                except Exception:
                    log.exception("a shadow copy failed")

    async def _ask(self, copy: _Copy) -> None:
        picture, row, listener = copy.picture, copy.row, copy.listener
        served, answered = self._fleet.find(row.model, listener), self._fleet.find(row.model, row.version)
        if served is None or self._is_busy(served, answered):
            self._count(row.model, listener, "shed")
            return
        deadline = monotonic() + COPY_SECONDS
        asked = {
            "request_id": str(row.request_id),
            "traceparent": tracing.own(row.request_id, copy.trace),
            "top_k": TOP_K,
        }
        item = Item(picture.data, asked, deadline, span=copy.span)
        pixels = picture.width * picture.height
        try:
            inference = await served.lane.run(
                item, served.send, pixels=pixels, deadline=deadline, priority=Priority.JOB
            )
        except ServingError as error:
            self._count(row.model, listener, error.code)
            if row.role != "canary":
                served.window.note(None)
            return
        best = inference.predictions[0]
        agrees = best.label == row.label
        self._count(row.model, listener, "agrees" if agrees else "disagrees")
        if row.role != "canary":
            served.window.note(_seconds(inference))
            served.window.note_agreement(agrees)
        elif answered is not None:
            answered.window.note_agreement(agrees)
        predictions = [{"label": each.label, "confidence": each.confidence} for each in inference.predictions]
        self._unwritten.append(
            ShadowAnswer(
                row.request_id, listener, best.label, best.confidence, predictions, _seconds(inference), agrees
            )
        )

    def _is_busy(self, served: Served, answered: Served | None) -> bool:
        """Whether somebody waits whom a copy could delay."""
        return any(each is not None and each.lane.waiting for each in (served, answered, self._fleet.stable))

    async def _write_all(self) -> None:
        """What cannot be written is tried again; when there is too much of it, the oldest goes."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            batch = list(self._unwritten)
            if not batch:
                continue
            try:
                await within(self._database.timeout_seconds, self._write(batch))
            except DatabaseUnavailable:
                continue
            except Exception:
                log.exception("shadow answers cannot be stored")
            for each in batch:
                if self._unwritten and self._unwritten[0] is each:
                    self._unwritten.popleft()

    async def _write(self, batch: list[ShadowAnswer]) -> None:
        async with self._database.connection() as connection, connection.transaction():
            await evaluations.put_shadows(connection, batch)

    def _count(self, model: str, version: str, outcome: str) -> None:
        self._metrics.shadows.labels(model, version, outcome).inc()


def _seconds(inference: Inference) -> float:
    return sum(inference.seconds.values())
