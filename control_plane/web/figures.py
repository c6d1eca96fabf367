"""What the metrics say of things that live: set anew just before each scrape, so that what is gone leaves no series."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import psutil
from prometheus_client.exposition import choose_encoder

from control_plane.domain.rollout import Rollout
from control_plane.errors import InvalidRequest, ModelNotLoaded, NotFound
from control_plane.metrics import Metrics
from control_plane.models.intake import Intake
from control_plane.models.lifecycle import Fleet
from control_plane.predictions.readiness import REASONS, Readiness
from control_plane.replicas import Share
from control_plane.settings import Settings
from control_plane.tables.anchor import Anchor
from control_plane.tables.database import Database
from control_plane.telemetry import logs
from control_plane.telemetry.counts import Counts
from control_plane.telemetry.failures import Key
from control_plane.torchserve import TorchServe, TorchServeUnreachable
from control_plane.version import VERSION
from control_plane.web.certificates import Certificates

MACHINE_SECONDS = 2.0  # a disk that hangs keeps no scrape waiting longer
LEAST_CPU_SECONDS = 1.0  # between two looks; a shorter time says nothing
ACTIONS = ("rollout", "promote", "promote-forced", "rollback", "evaluate")
GONE_SECONDS = 3600.0  # so long after a version has gone its counters are told
OFF = "The metrics are switched off here (WEEDWATCH_METRICS=off)."
TEXT = "text/plain; version=0.0.4; charset=utf-8"
Page = tuple[bytes, str]
"""A body and its media type."""


class Pages(Protocol):
    """Whoever tells the metrics."""

    async def page(self, accept: str) -> Page: ...
    async def torchserve_page(self, number: str) -> Page: ...


class Figures:
    """Both places of the metrics ask here, the main port and the metrics' own."""

    def __init__(
        self,
        *,
        settings: Settings,
        metrics: Metrics,
        counts: Counts,
        database: Database,
        fleet: Fleet,
        readiness: Readiness,
        share: Share,
        intake: Intake,
        anchor: Anchor,
        torchserves: list[TorchServe],
    ) -> None:
        self._metrics = metrics
        self._counts = counts
        self._database = database
        self._fleet = fleet
        self._readiness = readiness
        self._share = share
        self._intake = intake
        self._anchor = anchor
        self._torchserves = torchserves
        self._machine = Machine(metrics, settings.state_dir, Certificates(settings.certificates))
        self._looking: asyncio.Task[None] | None = None
        self._gone: dict[Key, float] = {}
        self._dropped = logs.dropped()
        metrics.queue_limit.set(settings.queue_size)
        metrics.spool_limit_bytes.set(settings.spool_max_bytes)
        metrics.build.labels(VERSION).set(1)

    async def page(self, accept: str) -> Page:
        """The metrics of this replica, in the format that is asked for.

        Raises:
            NotFound: They are switched off.
        """
        if not self._metrics.on:
            raise NotFound(OFF)
        self.look()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._machine.look))
        await asyncio.wait({self._looking}, timeout=MACHINE_SECONDS)
        encode, media_type = choose_encoder(accept)
        return encode(self._metrics.registry), media_type

    async def torchserve_page(self, number: str) -> Page:
        """The metrics of a TorchServe as it tells them, 1 the first in the settings; nothing where it is not there.

        Raises:
            InvalidRequest, NotFound: There is no such one.
            ModelNotLoaded: It does not answer.
        """
        if not re.fullmatch("[0-9]{1,4}", number):
            raise InvalidRequest("`number` must be the number of a TorchServe: 1 for the first.")
        if not 1 <= int(number) <= len(self._torchserves):
            raise NotFound(f"There is no TorchServe number {number}; there are {len(self._torchserves)}.")
        if not self._fleet.whereabouts.is_there(int(number) - 1):
            return b"", TEXT
        try:
            return await self._torchserves[int(number) - 1].metrics(), TEXT
        except TorchServeUnreachable as error:
            raise ModelNotLoaded(str(error)) from error

    def look(self) -> None:
        """Set what can be told without waiting."""
        metrics, told = self._metrics, self._readiness.told()
        metrics.ready.set(not told)
        for reason in REASONS:
            metrics.not_ready.labels(reason).set(reason in told)
        metrics.ready_workers.set(sum(each.ready for each in self._fleet.all()))
        metrics.leader.set(self._share.leads)
        metrics.replicas.set(self._share.replicas)
        metrics.audit_intact.set(self._anchor.is_intact)
        dropped = logs.dropped()
        metrics.log_lines_dropped.inc(dropped - self._dropped)
        self._dropped = dropped
        oldest = self._intake.oldest
        waited = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
        metrics.uploads_waiting.set(max(0.0, waited))
        metrics.torchserve_up.clear()
        for number, answers in enumerate(self._fleet.answers):
            if self._fleet.whereabouts.is_there(number):
                metrics.torchserve_up.labels(str(number + 1)).set(answers)
        self._look_at_pool()
        self._look_at_versions()
        self._look_at_models()
        self._forget_gone()

    def _look_at_pool(self) -> None:
        usage, connections = self._database.usage, self._metrics.database_connections
        connections.labels("used").set(usage.used)
        connections.labels("free").set(usage.free)
        connections.labels("limit").set(usage.limit)
        self._metrics.database_waiting.set(usage.waiting)

    def _look_at_versions(self) -> None:
        metrics, fleet = self._metrics, self._fleet
        for gauge in (metrics.revision, metrics.share, metrics.version_workers, metrics.version_proven):
            gauge.clear()
        for model, rollout in fleet.rollouts.items():
            metrics.revision.labels(model).set(rollout.revision)
            shares = {
                "stable": (rollout.stable, 100 - rollout.canary_percent),
                "canary": (rollout.canary, rollout.canary_percent),
                "shadow": (rollout.shadow, rollout.shadow_percent),
            }
            for part, (version, percent) in shares.items():
                if version is None:
                    continue
                served = fleet.find(model, version)
                wanted = fleet.workers_of(model, version) * fleet.torchserves
                metrics.share.labels(model, version, part).set(percent / 100)
                metrics.version_workers.labels(model, version, part, "wanted").set(wanted)
                metrics.version_workers.labels(model, version, part, "ready").set(served.ready if served else 0)
                metrics.version_proven.labels(model, version, part).set(bool(served and served.is_proven))
            self._announce(rollout)

    def _announce(self, rollout: Rollout) -> None:
        """What can happen to it is told as 0: a first event is then seen as an increase."""
        metrics, model = self._metrics, rollout.model
        for version in rollout.answering:
            self._counts.announce((model, version), rollout.role_of(version))
        for kind in ACTIONS:
            for outcome in ("done", "failed", "cancelled"):
                metrics.changes.labels(model, kind, outcome)
        if rollout.canary is not None:
            self._counts.announce_guarded((model, rollout.canary))
        for listener in (rollout.shadow, rollout.stable if rollout.canary else None):
            if listener is not None:
                self._counts.announce_listener((model, listener))

    def _look_at_models(self) -> None:
        metrics = self._metrics
        for gauge in (metrics.version_sick, metrics.model_accuracy, metrics.model_f1):
            gauge.clear()
        for each in self._fleet.all():
            refused = any(place.refusal for place in each.places)
            metrics.version_sick.labels(*each.key).set(bool(each.proof.wrong or each.load_failure or refused))
            said = each.archive.card.metrics
            if (accuracy := _number(said.get("accuracy"))) is not None:
                metrics.model_accuracy.labels(*each.key).set(accuracy)
            if (f1 := macro_f1(said)) is not None:
                metrics.model_f1.labels(*each.key).set(f1)
        for key in {*self._fleet.missing, *self._fleet.sick}:
            metrics.version_sick.labels(*key).set(1)

    def _forget_gone(self) -> None:
        """Counters of versions that have gone are told for a while longer, and not for ever."""
        now, here = monotonic(), {each.key for each in self._fleet.all()}
        gone = self._counts.versions - here
        self._gone = {key: self._gone.get(key, now) for key in gone}
        self._counts.forget(key for key, since in self._gone.items() if now - since > GONE_SECONDS)


class Machine:
    """What may have to wait for a disk."""

    def __init__(self, metrics: Metrics, folder: Path, certificates: Certificates) -> None:
        self._metrics = metrics
        self._folder = folder
        self._certificates = certificates
        self._cpu: tuple[float, float, float] = (monotonic(), *_cpu_seconds())

    def look(self) -> None:
        memory, metrics = psutil.virtual_memory(), self._metrics
        metrics.memory_used.set(memory.total - memory.available)
        metrics.memory_total.set(memory.total)
        self._look_at_cpu()
        with suppress(OSError):
            disk = psutil.disk_usage(str(self._folder))
            metrics.disk_free.set(disk.free)
            metrics.disk_total.set(disk.total)
        for name, end in self._certificates.ends().items():
            metrics.certificate_expiry.labels(name).set(end)

    def _look_at_cpu(self) -> None:
        before, now = self._cpu, (monotonic(), *_cpu_seconds())
        if now[0] - before[0] >= LEAST_CPU_SECONDS and now[2] > before[2]:
            self._metrics.cpu_ratio.set(min(1.0, max(0.0, (now[1] - before[1]) / (now[2] - before[2]))))
            self._cpu = now


def _cpu_seconds() -> tuple[float, float]:
    """Busy, and all, since the machine started."""
    times = psutil.cpu_times()
    # Guests' time is in user's and nice's already.
    everything = sum(value for name, value in times._asdict().items() if not name.startswith("guest"))
    return everything - times.idle - getattr(times, "iowait", 0.0), everything


def macro_f1(said: dict[str, Any]) -> float | None:
    """Of a card: as it stands there, else from precision and recall of each class."""
    if (f1 := _number(said.get("macro_f1", said.get("f1")))) is not None:
        return f1
    classes = said.get("per_class")
    scores = []
    for each in classes.values() if isinstance(classes, dict) else ():
        if not isinstance(each, dict):
            return None
        precision, recall = _number(each.get("precision")), _number(each.get("recall"))
        if precision is None or recall is None:
            return None
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return sum(scores) / len(scores) if scores else None


def _number(value: object) -> float | None:
    """None for what is none, and for one that no gauge can show: whoever wrote the card must not end all scrapes."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        return float(value) if isfinite(value) else None
    return None
