"""uvicorn's server, with a beginning that fits one replica among others."""

import asyncio
import logging
import socket
from collections.abc import Callable
from time import monotonic

import uvicorn

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1


class Server(uvicorn.Server):
    """Listens once it is ready, or after a while: before that a proxy finds nobody there, and asks another replica."""

    def __init__(self, config: uvicorn.Config, *, is_ready: Callable[[], bool], patience_seconds: float) -> None:
        super().__init__(config)
        self._is_ready = is_ready
        self._patience_seconds = patience_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        start = self.lifespan.startup

        async def start_and_wait() -> None:
            await start()
            if not self.lifespan.should_exit:
                await self._wait()

        self.lifespan.startup = start_and_wait
        await super().startup(sockets)

    async def _wait(self) -> None:
        deadline = monotonic() + self._patience_seconds
        while not self._is_ready() and not self.should_exit:
            if monotonic() >= deadline:
                if self._patience_seconds:
                    log.warning("not ready yet; listening all the same, so that it can be asked why")
                return
            await asyncio.sleep(LOOK_SECONDS)
