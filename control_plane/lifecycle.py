"""Wanted versions → TorchServe, again and again: registers what is missing, unregisters what is wanted no more.

Every replica looks; the leader acts. While the database is away there is no leader: then each registers what is
missing, and nobody unregisters.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from control_plane import archives
from control_plane.archives import Archive, NoArchive
from control_plane.dispatch import Dispatcher, Outcome, Send
from control_plane.errors import DatabaseUnavailable, ModelNotFound
from control_plane.guard import Window
from control_plane.metrics import Metrics
from control_plane.replicas import Share
from control_plane.rollout import Role, Rollout
from control_plane.torchserve import Item, Refusal, TorchServe, TorchServeUnreachable, Worker

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
POLL_SECONDS_WHILE_LOADING = 0.2
EMPTY_SECONDS = 15.0  # a version that stays without any worker this long is the residue of a failed register
BACK_OFF_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
Key = tuple[str, str]
"""Model and version."""


@dataclass
class Proof:
    """The newest result of each reference picture: None when it passed, else a sentence.

    `wrong` are those that were answered otherwise than pinned: waiting changes nothing about them.
    """

    results: dict[int, str | None] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)

    def note(self, number: int, result: str | None, *, is_wrong: bool = False) -> None:
        self.results[number] = result
        self.wrong.pop(number, None)
        if result is not None and is_wrong:
            self.wrong[number] = result

    @property
    def passed(self) -> int:
        return sum(result is None for result in self.results.values())

    @property
    def failure(self) -> str | None:
        return next((result for result in self.results.values() if result is not None), None)


@dataclass
class Place:
    """One version in one TorchServe; `reason` says in a sentence why it does not serve there."""

    workers: list[Worker] = field(default_factory=list)
    reason: str | None = "The model is not registered yet."
    refusal: str | None = None  # what TorchServe said when it would not register it
    failures: int = 0
    next_try: float = 0.0
    empty_since: float | None = None

    @property
    def ready(self) -> int:
        return sum(worker.ready for worker in self.workers)


@dataclass(eq=False)
class Served:
    """One version as this replica knows it."""

    archive: Archive
    lane: Dispatcher
    send: Send
    places: list[Place]
    proof: Proof = field(default_factory=Proof)
    window: Window = field(default_factory=Window)
    last_success: float = float("-inf")
    """The `monotonic()` time of the newest answer, whoever asked."""

    @property
    def key(self) -> Key:
        return self.archive.model, self.archive.version

    @property
    def ready(self) -> int:
        return sum(place.ready for place in self.places)

    @property
    def is_proven(self) -> bool:
        """Ready everywhere, and each reference picture answered as pinned."""
        everywhere = all(place.ready for place in self.places)
        return everywhere and self.proof.passed == len(self.archive.references)

    @property
    def reason(self) -> str | None:
        """Why it does not serve; None when it does somewhere."""
        return None if self.ready else next((place.reason for place in self.places if place.reason), None)


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
    ) -> None:
        self.model = model  # which answers when none is named
        self.workers = workers  # of a version in each TorchServe
        self.rollouts: dict[str, Rollout] = {}
        self.is_alone: Callable[[], bool] = lambda: False
        self._torchserves = torchserves
        self._store = store
        self._cache = cache
        self._lane = lane
        self._share = share
        self._metrics = metrics
        self._served: dict[Key, Served] = {}
        self._missing: dict[Key, str] = {}
        self._wanted: set[Key] = set()
        metrics.queue_depth.set_function(lambda: sum(each.lane.waiting for each in self._served.values()))
        metrics.in_flight.set_function(lambda: sum(each.lane.busy for each in self._served.values()))

    @property
    def stable(self) -> Served:
        """What answers when nothing else is asked for."""
        return self.stable_of(self.model)

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
        if rollout is None:
            raise ModelNotFound(f"No model '{model}' is served; GET /info lists what is.")
        if version is None:
            version, role = rollout.choose(key)
            if self._served[rollout.model, version].lane.capacity == 0:  # nobody shall notice that a canary has died
                version, role = rollout.stable, "stable"
        elif version in rollout.answering:
            role = rollout.role_of(version)
        else:
            raise ModelNotFound(f"No version '{version}' of '{rollout.model}' is served; GET /info lists what is.")
        return self._served[rollout.model, version], role

    def memory_of_workers(self) -> int:
        """Bytes that the workers of the stable version take; 0 where they cannot be seen, as in another container."""
        return sum(_resident(worker.pid) for place in self.stable.places for worker in place.workers)

    def facts(self) -> dict[str, Any]:
        """For the other replicas: the revisions that this one goes by, its calls under way, what it saw proven."""
        calls = {"/".join(key): each.lane.waiting + each.lane.busy for key, each in self._served.items()}
        return {
            "revisions": {rollout.model: rollout.revision for rollout in self.rollouts.values()},
            "calls": {name: count for name, count in calls.items() if count},
            "proven": ["/".join(key) for key, each in self._served.items() if each.is_proven],
            "seen": {"/".join(key): vars(each.window.seen()) for key, each in self._served.items()},
        }

    async def want(self, rollouts: Iterable[Rollout], coming: Iterable[Key] = ()) -> None:
        """Go by these rollouts from now on, and load what is coming beside them."""
        new = {rollout.model: rollout for rollout in rollouts}
        wanted = {(model, version) for model, each in new.items() for version in each.versions} | set(coming)
        self._wanted = wanted
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

    def _serve(self, archive: Archive) -> Served:
        async def send(torchserve: int, items: Sequence[Item]) -> Sequence[Outcome]:
            began = monotonic()
            outcomes = await self._torchserves[torchserve].infer(
                archive.model, archive.version, items, by_name=archive.reads_names
            )
            self._metrics.stage_seconds.labels("torchserve").observe(monotonic() - began)
            return outcomes

        return Served(archive, self._lane(), send, [Place() for _ in self._torchserves])

    def _miss(self, key: Key, reason: str) -> None:
        if self._missing.get(key) != reason:
            self._missing[key] = reason
            log.error("a wanted version cannot be served", extra={"model": key[0], "version": key[1], "cause": reason})

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
            try:
                for model in {model for model, _ in self._served}:
                    await self._look(number, model)
            except TorchServeUnreachable as error:
                for each in self.all():
                    self._saw(number, each, [], str(error))
            except Exception:
                log.exception("looking at the models failed; it tries again")
                for each in self.all():
                    self._saw(number, each, [], "The model's state is unknown.")
            loaded = all(each.places[number].ready >= self.workers for each in self.all())
            await asyncio.sleep(POLL_SECONDS if loaded else POLL_SECONDS_WHILE_LOADING)

    async def _look(self, number: int, model: str) -> None:
        torchserve = self._torchserves[number]
        found = await torchserve.versions(model)
        for each in [each for each in self.all() if each.archive.model == model]:
            place, workers = each.places[number], found.get(each.archive.version)
            if workers is None:
                self._saw(number, each, [], place.refusal or "The model is being registered.")
            elif not workers:
                self._saw(number, each, [], "The model has no workers.")
            else:
                place.empty_since = place.refusal = None
                ready = sum(worker.ready for worker in workers)
                if ready:
                    place.failures = 0
                self._saw(number, each, workers, None if ready else "The model's workers are loading.")
            try:
                await self._act(number, each, found)
            except TorchServeUnreachable as error:  # of this version only: the others go on
                place.refusal = str(error) if isinstance(error, Refusal) else None
                log.warning("TorchServe refused", extra={"cause": str(error), "version": each.archive.version})
        for version in found.keys() - {version for of, version in self._served if of == model}:
            try:
                await self._retire(torchserve, model, version)
            except (TorchServeUnreachable, DatabaseUnavailable) as error:
                log.warning("a version is not unregistered yet", extra={"cause": repr(error), "version": version})

    async def _act(self, number: int, each: Served, found: Mapping[str, list[Worker]]) -> None:
        """What one version needs next in one TorchServe."""
        place, workers = each.places[number], found.get(each.archive.version)
        if workers is None:
            await self._register(number, each, place)
        elif not workers:
            others = [version for version in found if version != each.archive.version]
            await self._clear_residue(number, each, place, others)
        elif self._acts and place.ready == len(workers) < self.workers:
            await self._torchserves[number].scale(*each.key, place.ready + 1)

    async def _register(self, number: int, each: Served, place: Place) -> None:
        """With all workers; beside a version that answers with one, the others follow: loading takes a core each."""
        if monotonic() < place.next_try or not self._acts:
            return
        place.failures = min(place.failures + 1, len(BACK_OFF_SECONDS) - 1)
        place.next_try = monotonic() + BACK_OFF_SECONDS[place.failures]
        log.info("registering the model", extra={"archive": each.archive.file.name, "try": place.failures})
        is_beside = any(other.places[number].ready for other in self.all())
        await self._torchserves[number].register(each.archive.file.name, 1 if is_beside else self.workers)

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
        before = place.ready
        place.workers, place.reason = workers, reason
        if place.ready != before:
            log.info(
                "ready workers",
                extra={"ready": place.ready, "wanted": self.workers, "model": each.key[0], "version": each.key[1]},
            )
        if not each.ready:
            each.proof = Proof()
        each.lane.set_capacity(number, self._share.of(place.ready))


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
