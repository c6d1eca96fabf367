"""Keeps the wanted model registered in TorchServe, after any restart of it too, and counts READY workers."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from control_plane.archives import Archive
from control_plane.torchserve import TorchServe, TorchServeUnreachable, Worker

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
POLL_SECONDS_WHILE_LOADING = 0.2
EMPTY_SECONDS = 15.0  # a version that stays without any worker this long is the residue of a failed register
BACK_OFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


class ModelKeeper:
    """Of one TorchServe; `reason` says in a sentence why the model does not serve, None when its workers are ready."""

    def __init__(
        self, torchserve: TorchServe, on_ready: Callable[[int], None], archive: Archive, *, workers: int
    ) -> None:
        self.archive = archive
        self.wanted_workers = workers
        self.workers: list[Worker] = []
        self.reason: str | None = "The model is not registered yet."
        self._torchserve = torchserve
        self._on_ready = on_ready
        self._failures = 0
        self._empty_since: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._step()
            except TorchServeUnreachable as error:
                self._saw([], str(error))
            except Exception:
                log.exception("model keeper failed; it tries again")
                self._saw([], "The model's state is unknown.")
            all_ready = len(self.workers) >= self.wanted_workers and all(worker.ready for worker in self.workers)
            await asyncio.sleep(POLL_SECONDS if all_ready else POLL_SECONDS_WHILE_LOADING)

    async def _step(self) -> None:
        model, version = self.archive.model, self.archive.version
        workers = await self._torchserve.workers(model, version)
        if workers is None:
            self._saw([], "The model is being registered.")
            await self._register()
        elif not workers:
            self._saw([], "The model has no workers.")
            await self._clear_residue()
        else:
            self._empty_since = None
            ready = sum(worker.ready for worker in workers)
            if ready:
                self._failures = 0
            self._saw(workers, None if ready else "The model's workers are loading.")

    async def _register(self) -> None:
        if self._failures:
            await asyncio.sleep(BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS)) - 1])
        self._failures += 1
        log.info("registering the model", extra={"archive": self.archive.file.name, "try": self._failures})
        await self._torchserve.register(self.archive.file.name, self.wanted_workers)

    async def _clear_residue(self) -> None:
        self._empty_since = self._empty_since or monotonic()
        if monotonic() - self._empty_since > EMPTY_SECONDS:
            log.warning("the model has had no workers for long: unregistering it to begin again")
            self._empty_since = None
            await self._torchserve.unregister(self.archive.model, self.archive.version)

    def _saw(self, workers: list[Worker], reason: str | None) -> None:
        ready = sum(worker.ready for worker in workers)
        if ready != sum(worker.ready for worker in self.workers):
            log.info("ready workers", extra={"ready": ready, "wanted": self.wanted_workers})
        self.workers, self.reason = workers, reason
        self._on_ready(ready)
