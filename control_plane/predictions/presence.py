"""Whether a client still waits for its answer. What nobody waits for is dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.errors import ClientLeft


class Presence:
    """One request's client; whoever sees the connection end calls `leave`."""

    def __init__(self) -> None:
        self.gone = False
        self._scopes: set[asyncio.Timeout] = set()

    def leave(self) -> None:
        self.gone = True
        for scope in self._scopes:
            scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Around work that may be dropped half done; what must be finished stays outside.

        Raises:
            ClientLeft: The client is gone, or went meanwhile; then the work was cancelled.
        """
        if self.gone:
            raise ClientLeft
        try:
            async with asyncio.timeout(None) as scope:
                self._scopes.add(scope)
                try:
                    yield
                finally:
                    self._scopes.discard(scope)
        except TimeoutError:
            if self.gone:
                raise ClientLeft from None
            raise
