"""uvicorn's server, with a beginning and an end that fit one replica among others."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from time import monotonic

import uvicorn

from control_plane import draining
from control_plane.draining import Ending
from control_plane.web.connections import Connection

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
HANDSHAKE_SECONDS = 0.2  # so long connections that have begun may take to be made
TAKING_SECONDS = 1.0  # and at most so long to be taken, by a process that has much to do
IDLE_SECONDS = 1.0  # who has a connection and begins no request within it will have to make a new one


class Server(uvicorn.Server):
    """Listens once it is ready, or after a while: before that a proxy finds nobody there, and asks another replica.

    It ends without a lost request: no new connection begins, those that are made are taken, and each is closed with an
    answer, or when nothing has been asked on it for a while.
    """

    def __init__(
        self, config: uvicorn.Config, *, is_ready: Callable[[], bool], patience_seconds: float, ending: Ending
    ) -> None:
        super().__init__(config)
        self._is_ready = is_ready
        self._patience_seconds = patience_seconds
        self._ending = ending

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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        began = monotonic()
        await self._drain()
        if (seconds := self.config.timeout_graceful_shutdown) is not None:  # all of it takes no longer than before
            self.config.timeout_graceful_shutdown = max(1, int(seconds - (monotonic() - began)))
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        self._ending.begun = True
        for connection in self._connections():
            connection.end_with_answer()
        listeners = [listener for server in self.servers for listener in server.sockets]
        began = monotonic()
        if all(map(draining.let_no_new_one_begin, listeners)):
            await self._while(lambda: True, until=began + HANDSHAKE_SECONDS)
            await self._while(lambda: _has_untaken(listeners), until=began + TAKING_SECONDS)
        for server in self.servers:
            server.close()
        await self._while(lambda: any(each.is_idle for each in self._connections()), until=began + IDLE_SECONDS)

    def _connections(self) -> list[Connection]:
        return [each for each in self.server_state.connections if isinstance(each, Connection)]

    async def _while(self, holds: Callable[[], bool], *, until: float) -> None:
        """Not at all when somebody insists, by a second Ctrl-C."""
        while holds() and monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.02)


def _has_untaken(listeners: Iterable[socket.socket]) -> bool:
    """Whether there are connections that nobody has taken yet."""
    return any(draining.has_unread(listener.fileno()) for listener in listeners)
