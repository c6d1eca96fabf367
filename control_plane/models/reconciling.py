"""Wanted versions → TorchServe, again and again: registers what is missing, unregisters what is wanted no more.

Every replica looks; the leader acts. While the database is away there is no leader: then each registers what is
missing, and nobody unregisters or ends workers.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from control_plane.errors import DatabaseUnavailable
from control_plane.metrics import Metrics
from control_plane.models.lifecycle import Fleet
from control_plane.models.served import Place, Proof, Served, why_none_is_ready
from control_plane.replicas import Share
from control_plane.telemetry.failures import load_failures
from control_plane.torchserve import (
    NobodySaysWhere,
    Refusal,
    TorchServe,
    TorchServeAbsent,
    TorchServeUnreachable,
    Worker,
)

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
POLL_SECONDS_WHILE_LOADING = 0.2
EMPTY_SECONDS = 15.0  # a version that stays without any worker this long is the residue of a failed register
BACK_OFF_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
READ_LOG_SECONDS = 1.0
QUIET_SECONDS = 3.0  # at most, while workers end
CLOCKS_SECONDS = 1.0  # between the clocks of the handler and of this process


class Reconciler:
    """Looks at each TorchServe, tells the fleet what is there, and does there what the fleet wants."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        torchserves: Sequence[TorchServe],
        share: Share,
        metrics: Metrics,
        handler_log: Path | None = None,
    ) -> None:
        self._fleet = fleet
        self._torchserves = torchserves
        self._share = share
        self._metrics = metrics
        self._handler_log = handler_log

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(self._torchserves)):
                tasks.create_task(self._watch(number))
            tasks.create_task(self._read_handler_log())

    @property
    def _acts(self) -> bool:
        """Whether this replica registers what is missing."""
        return self._share.leads or self._fleet.is_alone()

    async def _watch(self, number: int) -> None:
        while True:
            began = monotonic()
            try:
                if not self._fleet.all():
                    await self._torchserves[number].versions(self._fleet.model)
                for model in {each.archive.model for each in self._fleet.all()}:
                    await self._look(number, model)
                self._fleet.answers[number] = True
                self._note_whether_there(number, is_there=True)
            except TorchServeUnreachable as error:
                self._fleet.answers[number] = False
                if not isinstance(error, NobodySaysWhere):
                    self._note_whether_there(number, is_there=not isinstance(error, TorchServeAbsent))
                if self._fleet.whereabouts.is_there(number):
                    self._metrics.reconcile_failures.inc()
                for each in self._fleet.all():
                    self._saw(number, each, [], str(error))
            except Exception:
                self._metrics.reconcile_failures.inc()
                log.exception("looking at the models failed; it tries again")
                for each in self._fleet.all():
                    self._saw(number, each, [], "The model's state is unknown.")
            self._metrics.reconcile_seconds.observe(monotonic() - began)
            loaded = all(each.places[number].ready == self._fleet.workers_of(*each.key) for each in self._fleet.all())
            is_waited_for = self._fleet.whereabouts.is_there(number) and not loaded
            await asyncio.sleep(POLL_SECONDS_WHILE_LOADING if is_waited_for else POLL_SECONDS)

    def _note_whether_there(self, number: int, *, is_there: bool) -> None:
        before = self._fleet.torchserves
        self._fleet.whereabouts.nowhere[number] = not is_there
        for each in self._fleet.all():
            for other, place in enumerate(each.places):
                place.is_there = self._fleet.whereabouts.is_there(other)
        if self._fleet.torchserves != before:
            log.info("TorchServes that there are", extra={"torchserves": self._fleet.torchserves})

    async def _read_handler_log(self) -> None:
        """Why workers do not come up; read only while some do not."""
        until = datetime.now(UTC)
        while self._handler_log is not None:
            await asyncio.sleep(READ_LOG_SECONDS)
            if all(each.ready == self._fleet.workers_of(*each.key) * len(each.there) for each in self._fleet.all()):
                continue
            for failed in await asyncio.to_thread(load_failures, self._handler_log):
                if failed.at <= until:
                    continue
                until = failed.at
                self._fleet.failures.note(failed.key, failed.sentence, failed.at)
                each = self._fleet.find(*failed.key)
                if each and not each.ready and failed.at > each.down_since - timedelta(seconds=CLOCKS_SECONDS):
                    each.load_failure = failed.error

    async def _look(self, number: int, model: str) -> None:
        torchserve = self._torchserves[number]
        found = await torchserve.versions(model)
        for each in [each for each in self._fleet.all() if each.archive.model == model]:
            place, workers = each.places[number], found.get(each.archive.version)
            if workers is not None and not place.is_registered:
                each.registered_at = monotonic()
            place.is_registered = workers is not None
            if workers is None:
                self._saw(number, each, [], place.refusal or "The model is being registered.")
            elif not workers:
                self._saw(number, each, [], "The model has no workers.")
            else:
                place.empty_since = place.refusal = None
                ready = sum(worker.ready for worker in workers)
                if ready:
                    place.failures = 0
                self._saw(number, each, workers, None if ready else why_none_is_ready(each))
            try:
                await self._act(number, each, found)
            except TorchServeUnreachable as error:  # of this version only: the others go on
                place.refusal = None
                if isinstance(error, Refusal):
                    place.refusal = f"TorchServe cannot load the archive {each.archive.file.name}: {error}"
                self._fleet.failures.note(each.key, place.refusal or str(error))
                log.warning("TorchServe refused", extra={"cause": str(error), "version": each.archive.version})
        ours = {each.archive.version for each in self._fleet.all() if each.archive.model == model}
        for version in found.keys() - ours:
            try:
                await self._retire(torchserve, model, version)
            except (TorchServeUnreachable, DatabaseUnavailable) as error:
                log.warning("a version is not unregistered yet", extra={"cause": repr(error), "version": version})

    async def _act(self, number: int, each: Served, found: Mapping[str, list[Worker]]) -> None:
        """What one version needs next in one TorchServe."""
        place, workers, wanted = each.places[number], found.get(each.archive.version), self._fleet.workers_of(*each.key)
        if workers is None:
            await self._register(number, each, place)
        elif not workers:
            others = [version for version in found if version != each.archive.version]
            await self._clear_residue(number, each, place, others)
        elif self._acts and place.ready == len(workers) < wanted:
            await self._torchserves[number].scale(*each.key, place.ready + 1)
        elif self._share.leads and len(workers) > wanted:
            await self._shrink(number, each, wanted)

    async def _shrink(self, number: int, each: Served, wanted: int) -> None:
        """TorchServe drains nothing, and ends whom it likes: for a moment no call of ours is under way.

        Other replicas hold no more calls meanwhile than the workers that stay can take.
        """
        others = await self._share.others_facts()
        name = "/".join(each.key)
        taken = each.lane.taken(number) + sum(_taken(facts, name, number) for facts in others)
        if taken <= max(wanted, 1 + len(others)):  # each replica may have one, however few workers there are
            try:
                if await each.lane.quiet(number, QUIET_SECONDS):
                    log.info("ending workers", extra={"model": each.key[0], "version": each.key[1], "wanted": wanted})
                    await self._torchserves[number].scale(*each.key, wanted)
                    await self._until_ended(number, each, wanted)
            finally:
                each.lane.resume(number)

    async def _until_ended(self, number: int, each: Served, wanted: int) -> None:
        deadline = monotonic() + QUIET_SECONDS
        while monotonic() < deadline:
            found = await self._torchserves[number].versions(each.archive.model)
            if len(found.get(each.archive.version, ())) <= wanted:
                return
            await asyncio.sleep(0.02)

    async def _register(self, number: int, each: Served, place: Place) -> None:
        """With all workers; beside a version that answers with one, the others follow: loading takes a core each."""
        if monotonic() < place.next_try or not self._acts:
            return
        place.failures = min(place.failures + 1, len(BACK_OFF_SECONDS) - 1)
        place.next_try = monotonic() + BACK_OFF_SECONDS[place.failures]
        log.info("registering the model", extra={"archive": each.archive.file.name, "try": place.failures})
        is_beside = any(other.places[number].ready for other in self._fleet.all())
        workers = 1 if is_beside else self._fleet.workers_of(*each.key)
        await self._torchserves[number].register(each.archive.file.name, workers)

    async def _clear_residue(self, number: int, each: Served, place: Place, others: Sequence[str]) -> None:
        place.empty_since = place.empty_since or monotonic()
        if monotonic() - place.empty_since > EMPTY_SECONDS and self._acts:
            log.warning("the model has had no workers for long: unregistering it to begin again")
            place.empty_since = None
            if others:  # TorchServe refuses to remove the default
                await self._torchserves[number].set_default(each.archive.model, others[0])
            await self._torchserves[number].unregister(*each.key)

    async def _retire(self, torchserve: TorchServe, model: str, version: str) -> None:
        """Unregister what is wanted no more, once no replica goes by an older rollout or still has a call on it."""
        rollout = self._fleet.rollouts.get(model)
        if not self._share.leads or rollout is None or self._fleet.is_wanted(model, version):
            return
        others = await self._share.others_facts()
        for facts in (self._fleet.facts(), *others):
            if facts.get("revisions", {}).get(model, -1) < rollout.revision:
                return
            if facts.get("calls", {}).get(f"{model}/{version}"):
                return
        log.info("unregistering a version that is wanted no more", extra={"model": model, "version": version})
        await torchserve.set_default(model, rollout.stable)  # it refuses to remove the default
        if self._share.leads and not self._fleet.is_wanted(model, version):  # it may have taken long to get here
            await torchserve.unregister(model, version)

    def _saw(self, number: int, each: Served, workers: list[Worker], reason: str | None) -> None:
        place = each.places[number]
        before, wanted = place.ready, self._fleet.workers_of(*each.key)
        place.workers, place.reason = workers, reason
        if place.ready != before:
            log.info(
                "ready workers",
                extra={"ready": place.ready, "wanted": wanted, "model": each.key[0], "version": each.key[1]},
            )
        if each.ready:
            each.load_failure = None
            each.up_since = each.up_since or monotonic()
        else:
            each.proof = Proof()
            if each.up_since is not None:
                each.up_since, each.down_since = None, datetime.now(UTC)
        each.lane.set_capacity(number, self._share.of(min(place.ready, wanted)))


def _taken(facts: Mapping[str, Any], name: str, number: int) -> int:
    taken = facts.get("taken", {}).get(name, ())
    return int(taken[number]) if number < len(taken) else 0
