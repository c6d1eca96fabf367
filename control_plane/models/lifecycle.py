"""Wanted versions → TorchServe, again and again: registers what is missing, unregisters what is wanted no more.

Every replica looks; the leader acts. While the database is away there is no leader: then each registers what is
missing, and nobody unregisters or ends workers.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from control_plane.dispatch import Dispatcher, Outcome
from control_plane.domain.rollout import Role, Rollout
from control_plane.errors import Conflict, DatabaseUnavailable, ModelNotFound, ModelNotLoaded
from control_plane.metrics import Metrics
from control_plane.models import archives
from control_plane.models.archives import Archive, NoArchive
from control_plane.models.served import Place, Proof, Served, Whereabouts, memory_of, why_none_is_ready
from control_plane.replicas import Share
from control_plane.telemetry.failures import Failures, Key, load_failures
from control_plane.torchserve import (
    Item,
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


class Fleet:
    """The versions that are wanted: who answers for which model, and how they do."""

    def __init__(
        self,
        *,
        torchserves: Sequence[TorchServe],
        store: Path,
        cache: Path,
        model: str,
        workers: int,
        lane: Callable[[], Dispatcher],
        share: Share,
        metrics: Metrics,
        handler_log: Path | None = None,
    ) -> None:
        self.model = model  # which answers when none is named
        self.workers = workers  # of a version in each TorchServe, unless it has a number of its own
        self.rollouts: dict[str, Rollout] = {}
        self.failures = Failures()
        self.whereabouts = Whereabouts([False] * len(torchserves))
        self.answers = [False] * len(torchserves)  # whether each TorchServe did when it was last looked at
        self.is_alone: Callable[[], bool] = lambda: False
        self._torchserves = torchserves
        self._store = store
        self._cache = cache
        self._lane = lane
        self._share = share
        self._metrics = metrics
        self._handler_log = handler_log
        self._served: dict[Key, Served] = {}
        self._missing: dict[Key, str] = {}
        self.sick: set[Key] = set()  # by the database: not tried again until somebody asks
        self._absence = "The model is being looked for."
        self._workers: dict[Key, int] = {}
        self._wanted: set[Key] = set()
        metrics.queue_depth.set_function(lambda: sum(each.lane.waiting for each in self._served.values()))
        metrics.in_flight.set_function(lambda: sum(each.lane.busy for each in self._served.values()))

    @property
    def torchserves(self) -> int:
        """How many there are at present."""
        return self.whereabouts.count

    @property
    def stable(self) -> Served | None:
        """What answers when nothing else is asked for; None while there is no model."""
        return self.stable_of(self.model) if self.model in self.rollouts else None

    @property
    def absence(self) -> str:
        """Why there is no model, and what to do."""
        return next((why for (model, _), why in self._missing.items() if model == self.model), self._absence)

    async def newest(self) -> Archive | None:
        """The newest archive of the default model in the store; None when there is none that can be read."""
        try:
            return await asyncio.to_thread(archives.newest, self._store, self.model)
        except NoArchive as error:
            reason = str(error)
        if reason != self._absence:
            log.error("there is no model to serve", extra={"model": self.model, "cause": reason})
            self._absence = reason
        return None

    def workers_of(self, model: str, version: str) -> int:
        """How many it shall have in each TorchServe."""
        return self._workers.get((model, version), self.workers)

    def stable_of(self, model: str) -> Served:
        return self._served[model, self.rollouts[model].stable]

    @property
    def _acts(self) -> bool:
        """Whether this replica registers what is missing."""
        return self._share.leads or self.is_alone()

    def all(self) -> list[Served]:
        return list(self._served.values())

    def answering(self) -> list[Served]:
        """All but what is only on its way in or out."""
        return [each for each in self.all() if each.key[1] in self._answer_for(each.key[0])]

    def _answer_for(self, model: str) -> tuple[str, ...]:
        rollout = self.rollouts.get(model)
        return rollout.versions if rollout else ()

    def find(self, model: str, version: str) -> Served | None:
        return self._served.get((model, version))

    def choose(self, model: str | None, version: str | None, key: str) -> tuple[Served, Role]:
        """Who answers: the version that is asked for, else the rollout's choice for this key.

        Raises:
            ModelNotFound: It does not answer at present.
        """
        rollout = self.rollouts.get(model or self.model)
        if rollout is None and (model or self.model) == self.model:
            raise ModelNotLoaded("There is no model to ask: /health/ready says why, and what to do.")
        if rollout is None:
            raise ModelNotFound(f"No model '{model}' is served; GET /info lists what is.")
        if version is None:
            version, role = rollout.choose(key)
            chosen = self._served[rollout.model, version]
            if chosen.lane.capacity == 0 or chosen.proof.failure:  # nobody shall notice that a canary has died
                version, role = rollout.stable, "stable"
        elif version in rollout.answering:
            role = rollout.role_of(version)
        else:
            raise ModelNotFound(f"No version '{version}' of '{rollout.model}' is served; GET /info lists what is.")
        return self._served[rollout.model, version], role

    def refuse_without_room(self, more: int | None = None) -> None:
        """A machine that is too small for `more` workers shall not find out by dying; None: for another version.

        By what the workers of the stable version take; where they cannot be seen, as in another container, all fit.

        Raises:
            Conflict: They do not fit into the memory that is free.
        """
        places = self.stable.places if self.stable else ()
        taken = [memory_of(worker) or 0 for place in places for worker in place.workers]
        needed = sum(taken) if more is None else more * max(taken, default=0)
        free = psutil.virtual_memory().available
        if needed > free:
            raise Conflict(
                f"There is no room: these workers need about {needed >> 20} MiB, and {free >> 20} MiB are free. "
                "Use fewer workers (WEEDWATCH_WORKERS), or more memory."
            )

    def facts(self) -> dict[str, Any]:
        """For the other replicas: the revisions that this one goes by, its calls under way, what it saw of versions.

        `taken`: calls that are or may be under way in each TorchServe. `missing`: why a wanted version is not here.
        """
        calls = {"/".join(key): each.lane.waiting + each.lane.busy for key, each in self._served.items()}
        return {
            "revisions": {rollout.model: rollout.revision for rollout in self.rollouts.values()},
            "calls": {name: count for name, count in calls.items() if count},
            "proven": ["/".join(key) for key, each in self._served.items() if each.is_proven],
            "seen": {"/".join(key): vars(each.window.seen()) for key, each in self._served.items()},
            "silent": {"/".join(key): round(each.silent_seconds, 1) for key, each in self._served.items()},
            "taken": {
                "/".join(key): [each.lane.taken(number) for number in range(len(each.places))]
                for key, each in self._served.items()
            },
            "missing": {"/".join(key): why for key, why in self._missing.items()},
        }

    async def want(
        self, rollouts: Iterable[Rollout], coming: Iterable[Key] = (), workers: Mapping[Key, int] | None = None
    ) -> None:
        """Go by these rollouts from now on, and load what is coming beside them.

        `workers`: of the versions that have a number of their own; None: as before.
        """
        if workers is not None:
            self._workers = dict(workers)
        new = {rollout.model: rollout for rollout in rollouts}
        wanted = {(model, version) for model, each in new.items() for version in each.versions} | set(coming)
        self._wanted = wanted
        self._missing = {key: why for key, why in self._missing.items() if key in wanted}
        for key in wanted - self._served.keys():
            try:
                archive = await asyncio.to_thread(archives.find, self._store, *key)
            except NoArchive as error:
                self._miss(key, str(error))
                continue
            self._missing.pop(key, None)
            self._served[key] = self._serve(archive)
        complete = {m: r for m, r in new.items() if all((m, v) in self._served for v in r.versions)}
        if (merged := self.rollouts | complete) != self.rollouts:
            self.rollouts = merged
            await asyncio.to_thread(self._remember)
        for key in self._served.keys() - wanted:
            each = self._served[key]
            if key[1] not in self._answer_for(key[0]) and each.lane.waiting + each.lane.busy == 0:
                del self._served[key]

    def remembered(self) -> list[Rollout]:
        """What this replica went by last; for a start without the database."""
        try:
            return [Rollout(**each) for each in json.loads(self._cache.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(len(self._torchserves)):
                tasks.create_task(self._watch(number))
            tasks.create_task(self._read_handler_log())

    def _serve(self, archive: Archive) -> Served:
        async def send(torchserve: int, items: Sequence[Item]) -> Sequence[Outcome]:
            began = monotonic()
            try:
                outcomes = await infer(torchserve, items)
            except ModelNotLoaded:
                # It may have ended just now, as in an update of a cluster: once more, where workers are ready.
                other = next((n for n, place in enumerate(places) if place.ready and n != torchserve), None)
                if other is None or all(monotonic() > item.deadline for item in items):
                    raise
                outcomes = await infer(other, items)
            self._metrics.stages["torchserve"].observe(monotonic() - began)
            return outcomes

        async def infer(torchserve: int, items: Sequence[Item]) -> Sequence[Outcome]:
            return await self._torchserves[torchserve].infer(
                archive.model, archive.version, items, by_name=archive.reads_names
            )

        places = [Place() for _ in self._torchserves]
        return Served(archive, self._lane(), send, places)

    def _miss(self, key: Key, reason: str) -> None:
        if self._missing.get(key) != reason:
            self._missing[key] = reason
            self.failures.note(key, reason)
            log.error("a wanted version cannot be served", extra={"model": key[0], "version": key[1], "cause": reason})

    @property
    def missing(self) -> dict[Key, str]:
        """Wanted versions that this replica has no archive of, and why."""
        return dict(self._missing)

    def why_missing(self, model: str, version: str) -> str | None:
        return self._missing.get((model, version))

    def _remember(self) -> None:
        fresh = self._cache.with_suffix(".new")
        try:
            fresh.write_text(json.dumps([vars(each) for each in self.rollouts.values()]))
            fresh.replace(self._cache)
        except OSError as error:
            log.warning("the rollouts cannot be remembered on the disk", extra={"cause": str(error)})

    async def _watch(self, number: int) -> None:
        while True:
            began = monotonic()
            try:
                if not self._served:
                    await self._torchserves[number].versions(self.model)
                for model in {model for model, _ in self._served}:
                    await self._look(number, model)
                self.answers[number] = True
                self._note_whether_there(number, is_there=True)
            except TorchServeUnreachable as error:
                self.answers[number] = False
                if not isinstance(error, NobodySaysWhere):
                    self._note_whether_there(number, is_there=not isinstance(error, TorchServeAbsent))
                if self.whereabouts.is_there(number):
                    self._metrics.reconcile_failures.inc()
                for each in self.all():
                    self._saw(number, each, [], str(error))
            except Exception:
                self._metrics.reconcile_failures.inc()
                log.exception("looking at the models failed; it tries again")
                for each in self.all():
                    self._saw(number, each, [], "The model's state is unknown.")
            self._metrics.reconcile_seconds.observe(monotonic() - began)
            loaded = all(each.places[number].ready == self.workers_of(*each.key) for each in self.all())
            is_waited_for = self.whereabouts.is_there(number) and not loaded
            await asyncio.sleep(POLL_SECONDS_WHILE_LOADING if is_waited_for else POLL_SECONDS)

    def _note_whether_there(self, number: int, *, is_there: bool) -> None:
        before = self.torchserves
        self.whereabouts.nowhere[number] = not is_there
        for each in self.all():
            for other, place in enumerate(each.places):
                place.is_there = self.whereabouts.is_there(other)
        if self.torchserves != before:
            log.info("TorchServes that there are", extra={"torchserves": self.torchserves})

    async def _read_handler_log(self) -> None:
        """Why workers do not come up; read only while some do not."""
        until = datetime.now(UTC)
        while self._handler_log is not None:
            await asyncio.sleep(READ_LOG_SECONDS)
            if all(each.ready == self.workers_of(*each.key) * len(each.there) for each in self.all()):
                continue
            for failed in await asyncio.to_thread(load_failures, self._handler_log):
                if failed.at <= until:
                    continue
                until = failed.at
                self.failures.note(failed.key, failed.sentence, failed.at)
                each = self._served.get(failed.key)
                if each and not each.ready and failed.at > each.down_since - timedelta(seconds=CLOCKS_SECONDS):
                    each.load_failure = failed.error

    async def _look(self, number: int, model: str) -> None:
        torchserve = self._torchserves[number]
        found = await torchserve.versions(model)
        for each in [each for each in self.all() if each.archive.model == model]:
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
                self.failures.note(each.key, place.refusal or str(error))
                log.warning("TorchServe refused", extra={"cause": str(error), "version": each.archive.version})
        for version in found.keys() - {version for of, version in self._served if of == model}:
            try:
                await self._retire(torchserve, model, version)
            except (TorchServeUnreachable, DatabaseUnavailable) as error:
                log.warning("a version is not unregistered yet", extra={"cause": repr(error), "version": version})

    async def _act(self, number: int, each: Served, found: Mapping[str, list[Worker]]) -> None:
        """What one version needs next in one TorchServe."""
        place, workers, wanted = each.places[number], found.get(each.archive.version), self.workers_of(*each.key)
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
        is_beside = any(other.places[number].ready for other in self.all())
        workers = 1 if is_beside else self.workers_of(*each.key)
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
        rollout = self.rollouts.get(model)
        if not self._share.leads or rollout is None or self._is_wanted(model, version):
            return
        others = await self._share.others_facts()
        for facts in (self.facts(), *others):
            if facts.get("revisions", {}).get(model, -1) < rollout.revision:
                return
            if facts.get("calls", {}).get(f"{model}/{version}"):
                return
        log.info("unregistering a version that is wanted no more", extra={"model": model, "version": version})
        await torchserve.set_default(model, rollout.stable)  # it refuses to remove the default
        if self._share.leads and not self._is_wanted(model, version):  # it may have taken long to get here
            await torchserve.unregister(model, version)

    def _is_wanted(self, model: str, version: str) -> bool:
        """By the database or by what this replica goes by, whether its archive is here or not."""
        return (model, version) in self._wanted or version in self._answer_for(model)

    def _saw(self, number: int, each: Served, workers: list[Worker], reason: str | None) -> None:
        place = each.places[number]
        before, wanted = place.ready, self.workers_of(*each.key)
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
