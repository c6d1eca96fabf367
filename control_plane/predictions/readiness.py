"""Whether the service can serve, proven: reference pictures go the whole way and must answer as pinned."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Literal, get_args

import uuid_utils.compat as uuid

from control_plane.draining import Ending
from control_plane.errors import DatabaseUnavailable, ServingError
from control_plane.metrics import Metrics
from control_plane.models.archives import Reference
from control_plane.models.lifecycle import Fleet
from control_plane.models.served import Proof, Served
from control_plane.predictions.prediction import Predictor
from control_plane.records.recording import Recorder
from control_plane.tables.database import Database, UnsafeDatabase
from control_plane.telemetry.failures import Key

log = logging.getLogger(__name__)

Reason = Literal["stopping", "records", "no_model", "no_worker", "wrong_answers", "unproven", "silent"]
REASONS: tuple[Reason, ...] = get_args(Reason)

TOLERANCE = 0.02  # of a pinned confidence: other processors round otherwise, a wrong model is far off
PROBE_DEADLINE_SECONDS = 5.0


class Readiness:
    def __init__(
        self,
        *,
        predictor: Predictor,
        fleet: Fleet,
        database: Database,
        recorder: Recorder,
        metrics: Metrics,
        probe_seconds: float,
        ending: Ending,
    ) -> None:
        self.since = datetime.now(UTC)  # when it became ready, or ceased to be
        self._was_ready = False
        self._predictor = predictor
        self._fleet = fleet
        self._database = database
        self._recorder = recorder
        self._metrics = metrics
        self._probe_seconds = probe_seconds
        self._ending = ending
        self._next: dict[Key, int] = {}
        self._database_was_good: bool | None = None

    @property
    def proof(self) -> Proof:
        """Of what answers."""
        return self._fleet.stable.proof if self._fleet.stable else Proof()

    @property
    def references(self) -> tuple[Reference, ...]:
        return self._fleet.stable.archive.references if self._fleet.stable else ()

    def reasons(self) -> list[str]:
        """Why it cannot serve, in sentences; empty when it can."""
        return list(self.told().values())

    def told(self) -> dict[Reason, str]:
        """The reasons, each with its sentence."""
        told: dict[Reason, str] = {}
        stable = self._fleet.stable
        if self._ending.begun:
            told["stopping"] = "It is draining: what is under way is answered, then it ends."
        if not self._recorder.can_record:
            told["records"] = "Neither PostgreSQL nor the spool can hold records at present."
        if stable is None:
            told["no_model"] = self._fleet.absence
        elif not stable.ready:
            told["no_worker"] = stable.reason or "No worker of the model is ready."
        elif self.proof.wrong:
            told["wrong_answers"] = next(iter(self.proof.wrong.values()))
        elif self.proof.failure:
            told["unproven"] = self.proof.failure
        elif self.proof.passed < len(self.references):
            told["unproven"] = "The reference pictures have not all answered yet."
        elif monotonic() - stable.last_success > PROBE_DEADLINE_SECONDS + 2 * self._probe_seconds:
            told["silent"] = "No reference picture has been answered lately."
        return told

    @property
    def is_ready(self) -> bool:
        return not self.reasons()

    async def run(self) -> None:
        """Until cancelled: look at the model and the database side by side."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self._check_database))
            tasks.create_task(self._repeat(self._check_models))

    async def _repeat(self, check: Callable[[], Awaitable[bool]]) -> None:
        while True:
            good = False
            try:
                good = await check()
            except Exception:
                log.exception("readiness check failed; it tries again")
            self._note(self.is_ready)
            self._metrics.ready_workers.set(sum(each.ready for each in self._fleet.all()))
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

    async def _check_models(self) -> bool:
        """One reference picture of each version, in turn; at once again until a first round is through.

        Side by side: a version that answers nothing keeps no other one waiting.
        """
        return all(await asyncio.gather(*map(self._check, self._fleet.all())))

    async def _check(self, served: Served) -> bool:
        if not served.ready:
            return False
        references, proof = served.archive.references, served.proof
        number = self._next.get(served.key, 0) % len(references)
        self._next[served.key] = number + 1
        result = await self._ask(served, proof, number)
        return result is None and len(proof.results) == len(references)

    async def _ask(self, served: Served, proof: Proof, number: int) -> str | None:
        """Why it has not passed; None when it has."""
        before, reference = served.last_success, served.archive.references[number]
        result: str | None = None
        is_wrong = False
        try:
            best = await self._predictor.probe(
                served, reference, request_id=uuid.uuid7(), deadline=monotonic() + PROBE_DEADLINE_SECONDS
            )
        except ServingError as error:
            self._metrics.probes.labels("error").inc()
            if error.code == "deadline_exceeded" and served.last_success > before:
                # Overload is no reason: while this version answers others, a slow probe says nothing new.
                return proof.results.get(number, "A reference picture waits for its turn.")
            result = f"A reference picture was not answered: {error.kind.sentence}"
        else:
            is_wrong = best.label != reference.label or abs(best.confidence - reference.confidence) > TOLERANCE
            self._metrics.probes.labels("wrong" if is_wrong else "passed").inc()
            if is_wrong:
                result = (
                    f"A reference picture of {reference.label} was answered {best.label}, {best.confidence:.2f}: "
                    f"the labels or the weights in {served.archive.file.name} are not those that it was built with."
                )
        proof.note(number, result, is_wrong=is_wrong)
        if result is not None:
            self._fleet.failures.note(served.key, result)
        return result
