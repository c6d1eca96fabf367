"""Whether the service can serve, proven: reference pictures go the whole way and must answer as pinned."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import uuid_utils.compat as uuid

from control_plane.archives import Reference
from control_plane.database import Database, UnsafeDatabase
from control_plane.errors import DatabaseUnavailable, ServingError
from control_plane.lifecycle import ModelKeeper
from control_plane.metrics import Metrics
from control_plane.prediction import Predictor
from control_plane.recording import Recorder

log = logging.getLogger(__name__)

TOLERANCE = 0.02  # of a pinned confidence: other processors round otherwise, a wrong model is far off
PROBE_DEADLINE_SECONDS = 5.0


@dataclass
class Proof:
    """The newest result of each reference picture: None when it passed, else a sentence."""

    results: dict[int, str | None] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return sum(result is None for result in self.results.values())

    @property
    def failure(self) -> str | None:
        return next((result for result in self.results.values() if result is not None), None)


class Readiness:
    def __init__(
        self,
        *,
        predictor: Predictor,
        keepers: Sequence[ModelKeeper],
        database: Database,
        recorder: Recorder,
        metrics: Metrics,
        probe_seconds: float,
    ) -> None:
        self.proof = Proof()
        self.since = datetime.now(UTC)  # when it became ready, or ceased to be
        self._was_ready = False
        self._predictor = predictor
        self._keepers = keepers
        self._database = database
        self._recorder = recorder
        self._metrics = metrics
        self._probe_seconds = probe_seconds
        self._next = 0
        self._database_was_good: bool | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        return self._predictor.archive.references

    @property
    def _has_workers(self) -> bool:
        return any(worker.ready for keeper in self._keepers for worker in keeper.workers)

    def reasons(self) -> list[str]:
        """Why it cannot serve, in sentences; empty when it can."""
        reasons = []
        if not self._recorder.can_record:
            reasons.append("Neither PostgreSQL nor the spool can hold records at present.")
        if not self._has_workers:
            reasons.append(
                next((k.reason for k in self._keepers if k.reason), None) or "No worker of the model is ready."
            )
        elif self.proof.failure:
            reasons.append(self.proof.failure)
        elif self.proof.passed < len(self.references):
            reasons.append("The reference pictures have not all answered yet.")
        elif monotonic() - self._predictor.last_success > PROBE_DEADLINE_SECONDS + 2 * self._probe_seconds:
            reasons.append("No reference picture has been answered lately.")
        return reasons

    @property
    def is_ready(self) -> bool:
        return not self.reasons()

    async def run(self) -> None:
        """Until cancelled: look at the model and the database side by side."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self._check_database))
            tasks.create_task(self._repeat(self._check_model))

    async def _repeat(self, check: Callable[[], Awaitable[bool]]) -> None:
        while True:
            good = False
            try:
                good = await check()
            except Exception:
                log.exception("readiness check failed; it tries again")
            self._note(self.is_ready)
            self._metrics.ready_workers.set(sum(each.ready for keeper in self._keepers for each in keeper.workers))
            await asyncio.sleep(self._probe_seconds if good else min(0.25, self._probe_seconds))

    def _note(self, ready: bool) -> None:
        if ready != self._was_ready:
            self._was_ready, self.since = ready, datetime.now(UTC)
        self._metrics.ready.set(ready)

    async def _check_database(self) -> bool:
        cause: str | None = None
        try:
            if not self._database.ready:
                await self._database.prepare()
            await self._database.is_up()
        except (DatabaseUnavailable, UnsafeDatabase) as error:
            cause = str(error.__cause__ or error)
        good = self._database.ready and self._database.up
        if good != self._database_was_good:
            log.log(
                logging.INFO if good else logging.ERROR, "database %s", "up" if good else "away", extra={"cause": cause}
            )
            self._database_was_good = good
        self._metrics.database_up.set(good)
        return good

    async def _check_model(self) -> bool:
        """One reference picture, in turn; all of them one after the other until the first round is through."""
        if not self._has_workers:
            self.proof = Proof()
            return False
        number = self._next % len(self.references)
        self._next += 1
        result = await self._ask(self.references[number])
        self.proof.results[number] = result
        return result is None and len(self.proof.results) == len(self.references)

    async def _ask(self, reference: Reference) -> str | None:
        before = self._predictor.last_success
        try:
            best = await self._predictor.probe(
                reference, request_id=uuid.uuid7(), deadline=monotonic() + PROBE_DEADLINE_SECONDS
            )
        except ServingError as error:
            self._metrics.probes.labels("error").inc()
            # Overload is no reason: while others are answered, a slow probe says nothing.
            if error.code == "deadline_exceeded" and self._predictor.last_success > before:
                return None
            return f"A reference picture was not answered: {error.kind.sentence}"
        if best.label != reference.label or abs(best.confidence - reference.confidence) > TOLERANCE:
            self._metrics.probes.labels("wrong").inc()
            return f"A reference picture of {reference.label} was answered {best.label}, {best.confidence:.2f}."
        self._metrics.probes.labels("passed").inc()
        return None
