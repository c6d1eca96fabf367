"""Changes of who answers: carried out by the leader, taken up by every replica; `wishes.py` writes them down.

An operation loads the new versions beside the old ones, waits until every replica has seen their reference pictures
answered as pinned, and switches between two requests. What it can do stands in the database: a new leader goes on
where the last one was cut off.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from control_plane.domain.rollout import Rollout
from control_plane.errors import Conflict, DatabaseUnavailable
from control_plane.metrics import Metrics
from control_plane.models import archives, registry, weighing
from control_plane.models.evaluation import EvaluationFailed, Evaluator
from control_plane.models.guard import Objection, Seen, objection, silence, together
from control_plane.models.lifecycle import Fleet
from control_plane.models.wishes import Wishes
from control_plane.replicas import Share
from control_plane.tables import audit, evaluations, models
from control_plane.tables.database import Connection, Database, within
from control_plane.tables.evaluations import Evaluation
from control_plane.tables.models import Operation
from control_plane.telemetry.failures import load_failures

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
LOOK_SECONDS_WHILE_RUNNING = 0.25
LOADING_SECONDS = 300.0
OTHERS_KNOW_SECONDS = 5.0  # a replica looks every second and says so every two
REGISTRY_LOCK = 7309862317
NOT_READY = ("uploaded", "checking", "refused")


@dataclass
class Progress:
    done: int = 0
    total: int = 0


class Changes:
    """The newest archive of the store answers when neither database nor memory knows of anything."""

    def __init__(
        self,
        *,
        database: Database,
        fleet: Fleet,
        share: Share,
        wishes: Wishes,
        evaluator: Evaluator,
        store: Path,
        metrics: Metrics,
        handler_log: Path | None = None,
    ) -> None:
        self._database = database
        self._fleet = fleet
        self._share = share
        self._wishes = wishes
        self._evaluator = evaluator
        self._store = store
        self._metrics = metrics
        self._handler_log = handler_log
        self._knows_first = False
        self._since: dict[UUID, float] = {}  # when this replica first carried an operation on
        self._evaluating: dict[UUID, tuple[asyncio.Task[Evaluation], Progress]] = {}
        fleet.is_alone = lambda: not (database.ready and database.up)

    async def open(self) -> None:
        """Know who answers, with or without the database."""
        try:
            await within(self._database.timeout_seconds, self._look())
        except DatabaseUnavailable:
            await self._go_by_memory()

    async def _go_by_memory(self) -> None:
        """What was wanted last; the newest of the store when that is not known either."""
        if self._fleet.stable is not None:
            return
        wanted = await asyncio.to_thread(self._fleet.remembered)
        if not any(each.model == self._fleet.model for each in wanted) and (first := await self._fleet.newest()):
            wanted.append(Rollout(first.model, 0, first.version))
        await self._fleet.want(wanted)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            running: Sequence[Operation] = ()
            try:
                running = await within(10 * self._database.timeout_seconds, self._look())
            except DatabaseUnavailable:
                await self._go_by_memory()
            except Exception:
                log.exception("looking at the rollouts failed; it tries again")
            await asyncio.sleep(LOOK_SECONDS_WHILE_RUNNING if running else LOOK_SECONDS)

    async def _look(self) -> list[Operation]:
        """Take up what the database says; as the leader, also carry on what runs."""
        if not self._database.ready:
            raise DatabaseUnavailable
        async with self._database.connection() as connection:
            if not self._knows_first:
                self._knows_first = await self._add_first(connection)
            rollouts, running = await models.rollouts(connection), await models.running(connection)
            workers = await models.worker_counts(connection)
            self._fleet.sick = await models.sick(connection)
        coming = [(each.model, version) for each in running for version in each.versions]
        await self._fleet.want(rollouts, coming, workers)
        leads = await self._share.lead()
        self._stop_evaluating(set() if not leads else {each.id for each in running})
        if leads:
            for operation in running:
                await self._carry_on(operation)
            for rollout in rollouts:
                if rollout.canary is not None and not any(each.model == rollout.model for each in running):
                    await self._guard(rollout, rollout.canary)
        return running

    async def _add_first(self, connection: Connection) -> bool:
        """The newest archive of the store answers when it is new; one that was known before does as was decided.

        False while there is none.
        """
        first = await self._fleet.newest()
        if first is None:
            return False
        sha256 = await asyncio.to_thread(archives.digest, first.file)
        others = await self._share.others_facts()  # those that serve already are not switched by a start
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": REGISTRY_LOCK})
            known = await models.find_version(connection, first.model, first.version)
            if known is not None and known.state in NOT_READY:  # it was uploaded, and is not through its checks
                return False
            if known is None or known.sha256 != sha256:
                await models.put_version(connection, registry.version_of(first, sha256, "start"))
                facts = {"model": first.model, "version": first.version, "sha256": sha256.hex()}
                await audit.write(connection, actor="start", action="model.version", facts=facts)
            rollout = await models.rollout_to_change(connection, first.model)
            if rollout is None:
                await models.put_rollout(connection, Rollout(first.model, 1, first.version))
            elif known is None and rollout.stable != first.version and not others:
                new = Rollout(first.model, rollout.revision + 1, first.version, previous=rollout.stable)
                await models.put_rollout(connection, new)
        return True

    async def _carry_on(self, operation: Operation) -> None:
        stage, message = self._waits_for(operation)
        since = self._since.setdefault(operation.id, monotonic())
        cause = self._failure(operation) if stage else None
        # What others said before they knew of this change says nothing of it.
        if not cause and monotonic() - since > OTHERS_KNOW_SECONDS:
            cause = await self._missing_elsewhere(operation)
        if cause:
            await self._end(operation, stage or "proving", cause)
            return
        if not stage and operation.version is None and (waiting := await self._unproven_elsewhere(operation)):
            stage, message = "proving", waiting
        if not stage and operation.version is not None:
            await self._carry_on_evaluation(operation, operation.version)
        elif not stage:
            await self._switch(operation)
        elif monotonic() - since > LOADING_SECONDS:
            await self._end(operation, stage, f"It took over {LOADING_SECONDS:.0f} s. {message}")
        elif (stage, message) != (operation.stage, operation.message):
            await self._note(operation, "running", stage, message)

    def _waits_for(self, operation: Operation) -> tuple[str, str]:
        """The stage that is not through yet and what it waits for; empty when all is proven here."""
        for version in self._new(operation):
            served = self._fleet.find(operation.model, version)
            if served is None:
                return "loading", "The archive is being read."
            wanted = self._fleet.workers_of(operation.model, version)
            if not all(place.ready >= wanted for place in served.there):
                return "loading", next((p.reason for p in served.there if p.reason), None) or "Workers are loading."
            if not served.is_proven:
                failure = served.proof.failure or "The reference pictures have not all answered yet."
                return "proving", f"Version {version}: {failure}"
        return "", ""

    async def _carry_on_evaluation(self, operation: Operation, version: str) -> None:
        """A leader that is gone takes its evaluation along: the next one begins it again."""
        under_way = self._evaluating.get(operation.id)
        if under_way is None:
            served, progress = self._fleet.find(operation.model, version), Progress()
            against = self._fleet.stable_of(operation.model)
            if served is None:
                return

            def note(done: int, total: int) -> None:
                progress.done, progress.total = done, total

            evaluation = self._evaluator.evaluate(operation, served, against, note)
            under_way = self._evaluating[operation.id] = asyncio.create_task(evaluation), progress
        task, progress = under_way
        if not task.done():
            message = f"evaluating: {progress.done} of {progress.total}" if progress.total else None
            if ("evaluating", message) != (operation.stage, operation.message):
                await self._note(operation, "running", "evaluating", message)
            return
        try:
            await self._conclude(operation, task.result())
        except (EvaluationFailed, DatabaseUnavailable) as error:
            await self._fail(operation, "evaluating", str(error) or "The database was away.")
        del self._evaluating[operation.id]

    async def _conclude(self, operation: Operation, evaluation: Evaluation) -> None:
        async with self._database.connection() as connection, connection.transaction():
            if not await models.note(connection, operation.id, "done", "ended", None):
                return  # cancelled meanwhile
            await evaluations.put_evaluation(connection, evaluation)
            facts = {**registry.facts_of(operation), "agreement": evaluation.evidence["agreement"]}
            await audit.write(connection, actor=operation.actor, action="model.evaluated", facts=facts)
        self._count(operation, "done")

    def _stop_evaluating(self, running: set[UUID]) -> None:
        """What was cancelled, or is another leader's now."""
        for number in self._evaluating.keys() - running:
            self._evaluating.pop(number)[0].cancel()

    async def _guard(self, rollout: Rollout, canary: str) -> None:
        """Take a canary away that does worse than stable, without being asked."""
        facts = [self._fleet.facts(), *await self._share.others_facts()]

        def seen(version: str) -> Seen:
            parts = [each.get("seen", {}).get(f"{rollout.model}/{version}") for each in facts]
            return together([part for part in parts if part])

        limit = (
            await weighing.policy_or_default(self._store, rollout.model, canary, rollout.stable)
        ).canary_disagreement_at_most
        why = objection(seen(canary), seen(rollout.stable), limit) or self._silence(rollout, canary, facts)
        if why is None:
            return
        extra = {"model": rollout.model, "version": canary, "cause": why.sentence}
        log.warning("the guard takes a canary away", extra=extra)
        self._fleet.failures.note((rollout.model, canary), why.sentence)
        with contextlib.suppress(Conflict):  # somebody was faster
            await self._wishes.begin(
                rollout.model, None, actor="guard", action="rollback", revision=rollout.revision, why=why.sentence
            )
            self._metrics.guard_rollbacks.labels(rollout.model, canary, why.reason).inc()

    def _silence(self, rollout: Rollout, canary: str, facts: Sequence[dict[str, Any]]) -> Objection | None:
        """Why a canary that answers in no replica must go."""
        stable, served = self._fleet.find(rollout.model, rollout.stable), self._fleet.find(rollout.model, canary)
        if stable is None:
            return None
        name = f"{rollout.model}/{canary}"
        said = [each["silent"][name] for each in facts if name in each.get("silent", {})]
        why = served.trouble if served else None
        return silence(min(said, default=0.0), why, stable_up_seconds=0.0 if stable.trouble else stable.up_seconds)

    async def _missing_elsewhere(self, operation: Operation) -> str | None:
        for facts in await self._share.others_facts():
            for version in self._new(operation):
                if why := facts.get("missing", {}).get(f"{operation.model}/{version}"):
                    return f"Another replica cannot take version {version} up. {why}"
        return None

    async def _unproven_elsewhere(self, operation: Operation) -> str | None:
        for facts in await self._share.others_facts():
            for version in self._new(operation):
                if f"{operation.model}/{version}" not in facts.get("proven", ()):
                    return f"Another replica has not seen version {version} proven yet."
        return None

    def _new(self, operation: Operation) -> list[str]:
        """All but the present stable version: nothing has to be loaded for that, or waited for."""
        rollout = self._fleet.rollouts.get(operation.model)
        return [version for version in operation.versions if rollout is None or version != rollout.stable]

    def _failure(self, operation: Operation) -> str | None:
        """Why it cannot come to anything, however long one waits."""
        causes = [self._fleet.why_missing(operation.model, version) for version in self._new(operation)]
        for version in self._new(operation):
            served = self._fleet.find(operation.model, version)
            causes += [place.refusal for place in served.places] if served else []
        return next(filter(None, causes), None) or self._load_failure(operation) or self._wrong_answer(operation)

    def _load_failure(self, operation: Operation) -> str | None:
        """What the handler said of a load that failed since the operation began; TorchServe only says that it died."""
        new = [version for version in operation.versions if not self._answers(operation.model, version)]
        for failed in load_failures(self._handler_log):
            if failed.model == operation.model and failed.version in new and failed.at >= operation.created_at:
                return failed.sentence
        return None

    def _wrong_answer(self, operation: Operation) -> str | None:
        for version in operation.versions:
            served = self._fleet.find(operation.model, version)
            if served and served.proof.wrong and not self._answers(operation.model, version):
                return f"Version {version} is refused. {next(iter(served.proof.wrong.values()))}"
        return None

    def _answers(self, model: str, version: str) -> bool:
        rollout = self._fleet.rollouts.get(model)
        return rollout is not None and version in rollout.versions

    async def _switch(self, operation: Operation) -> None:
        async with self._database.connection() as connection, connection.transaction():
            outcome = await self._put(connection, operation)
        if outcome:
            self._count(operation, outcome)
        if outcome == "done":
            log.info("the rollout has changed", extra=registry.facts_of(operation))

    async def _put(self, connection: Connection, operation: Operation) -> str | None:
        """How it ended; None when it had ended before: it was cancelled meanwhile, or another leader was faster."""
        present = await models.rollout_to_change(connection, operation.model)
        if present is None or present.revision != operation.revision:
            why = "The rollout changed meanwhile."
            return "failed" if await models.note(connection, operation.id, "failed", "switching", why) else None
        if not await models.note(connection, operation.id, "done", "ended", None):
            return None
        new = Rollout(
            operation.model,
            present.revision + 1,
            operation.stable,
            operation.canary,
            operation.canary_percent,
            operation.shadow,
            operation.shadow_percent,
            previous=present.previous if operation.stable == present.stable else present.stable,
        )
        await models.put_rollout(connection, new)
        facts = {**registry.facts_of(operation), "revision": new.revision}
        await audit.write(connection, actor=operation.actor, action="model.switched", facts=facts)
        return "done"

    async def _end(self, operation: Operation, stage: str, message: str) -> None:
        """A version cannot be loaded: it goes again, and is not tried again without being asked for."""
        await self._fail(operation, stage, message, sick=True)

    async def _fail(self, operation: Operation, stage: str, message: str, *, sick: bool = False) -> None:
        async with self._database.connection() as connection, connection.transaction():
            if not await models.note(connection, operation.id, "failed", stage, message):
                return
            for version in operation.versions if sick else ():
                if not self._answers(operation.model, version):
                    self._fleet.failures.note((operation.model, version), message)
                    await models.set_state(connection, operation.model, version, "sick", message)
            facts = {**registry.facts_of(operation), "message": message}
            await audit.write(connection, actor=operation.actor, action="model.failed", facts=facts)
        self._count(operation, "failed")
        log.error("a change of a rollout failed", extra={**registry.facts_of(operation), "cause": message})

    def _count(self, operation: Operation, outcome: str) -> None:
        self._metrics.changes.labels(operation.model, operation.action, outcome).inc()

    async def _note(self, operation: Operation, state: str, stage: str, message: str | None) -> None:
        async with self._database.connection() as connection:
            await models.note(connection, operation.id, state, stage, message)
