"""The versions that are wanted: who answers for which model, and how they do.

What TorchServe has is not looked at here, but in `reconciling.py`.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from control_plane.dispatch import Dispatcher, Outcome
from control_plane.domain.rollout import Role, Rollout
from control_plane.errors import Conflict, ModelNotFound, ModelNotLoaded
from control_plane.metrics import Metrics
from control_plane.models import archives
from control_plane.models.archives import Archive, NoArchive
from control_plane.models.served import Place, Served, Whereabouts, memory_of
from control_plane.telemetry.failures import Failures, Key
from control_plane.torchserve import Item, TorchServe

log = logging.getLogger(__name__)


class Fleet:
    """What this replica goes by, and the versions that it serves or has on their way in or out."""

    def __init__(
        self,
        *,
        torchserves: Sequence[TorchServe],
        store: Path,
        cache: Path,
        model: str,
        workers: int,
        lane: Callable[[], Dispatcher],
        metrics: Metrics,
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
        self._metrics = metrics
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

    def all(self) -> list[Served]:
        return list(self._served.values())

    def answering(self) -> list[Served]:
        """All but what is only on its way in or out."""
        return [each for each in self.all() if each.key[1] in self._answer_for(each.key[0])]

    def _answer_for(self, model: str) -> tuple[str, ...]:
        rollout = self.rollouts.get(model)
        return rollout.versions if rollout else ()

    def is_wanted(self, model: str, version: str) -> bool:
        """By the database or by what this replica goes by, whether its archive is here or not."""
        return (model, version) in self._wanted or version in self._answer_for(model)

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
