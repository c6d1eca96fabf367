"""A proxy in front of PostgreSQL that forwards, freezes, refuses, and cuts around COMMIT."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit

from tests.faults.pgwire import Replies, Requests

CHUNK = 65536
CONTROL_SECONDS = 10.0
END_SECONDS = 0.05
Cut = Literal["request", "reply"]
Given = TypeVar("Given")


class _Link:
    """One client's connection; `is_cut` at once for both directions."""

    def __init__(self) -> None:
        self.is_cut = False
        self._asked = False
        self._requests = Requests()
        self._replies = Replies()

    def is_commit(self, side: Cut, data: bytes) -> bool:
        """Whether these bytes ask for a commit of records, or confirm one that was asked for."""
        if side == "request":
            asks = self._requests.asks_for_commit(data)
            self._asked = self._asked or asks
            return asks
        confirms = self._replies.confirms_commit(data) and self._asked
        self._asked = self._asked and not confirms
        return confirms


class Proxy:
    """Listens on a port of 127.0.0.1 and forwards to `target_port`; a thread of its own serves it.

    Attributes:
        cuts: How often it has cut so far.
    """

    def __init__(self, target_port: int) -> None:
        self.cuts = 0
        self.port = 0
        self._target_port = target_port
        self._cuts_left = 0
        self._cut: Cut = "reply"
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def url(self, behind: str) -> str:
        """The database URL `behind`, through this proxy."""
        parts = urlsplit(behind)
        credentials = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{self.port}"))

    def refuse(self) -> None:
        """Cut all connections and refuse new ones, as when the server is not there."""
        self._do(self._refuse())

    def freeze(self) -> None:
        """Keep all connections and take new ones, but forward nothing."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def forward(self) -> None:
        """As if nothing were in between."""
        self._loop.call_soon_threadsafe(self._flowing.set)
        self._do(self._listen())

    def cut_commits(self, count: int, *, at: Cut) -> None:
        """Cut the connection at each of the next `count` COMMITs.

        Args:
            count: How many times.
            at: "reply": PostgreSQL has committed, its reply is swallowed. "request": COMMIT has just been
                forwarded, so that nobody here knows what became of it.
        """
        self._cut, self._cuts_left = at, count

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONTROL_SECONDS)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Given]) -> Given:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CONTROL_SECONDS)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        await self._refuse()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(END_SECONDS)  # transports close in turns of the loop to come

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it was accepted just before it is refused
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            await self._flowing.wait()
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            self._drop(writer)
            return
        self._writers.add(behind_writer)
        link = _Link()
        pumps = {
            asyncio.ensure_future(self._pump(link, reader, behind_writer, "request")),
            asyncio.ensure_future(self._pump(link, behind_reader, writer, "reply")),
        }
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        self._drop(writer)
        self._drop(behind_writer)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: Cut) -> None:
        """Forward until one side ends, or until a COMMIT at which to cut has passed."""
        try:
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                if link.is_cut:
                    return
                link.is_cut = link.is_commit(side, data) and self._takes(side)
                if not link.is_cut or side == "request":
                    writer.write(data)
                    await writer.drain()
                if link.is_cut:
                    return
        except OSError:
            return

    def _takes(self, side: Cut) -> bool:
        if self._cut != side or self._cuts_left == 0:
            return False
        self._cuts_left -= 1
        self.cuts += 1
        return True
