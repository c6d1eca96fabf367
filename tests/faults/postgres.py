"""A PostgreSQL of the proofs' own: killed, stopped at once, frozen, started again when the proof says so."""

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg

from standalone import postgres
from standalone.child import Child
from standalone.ports import free_ports

START_SECONDS = 120.0
END_SECONDS = 60.0
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'weedwatch'"


@dataclass
class OwnPostgres:
    """`options` are given to the server as -c name=value."""

    prepared: postgres.Postgres
    log: Path
    options: dict[str, str] = field(default_factory=dict)
    child: Child | None = None

    @property
    def url(self) -> str:
        return self.prepared.url

    @property
    def port(self) -> int:
        return self.prepared.port

    def start(self) -> None:
        postgres.refuse_second_server(self.prepared.data)
        program = self.prepared.program(self.log)
        flags = tuple(part for name, value in self.options.items() for part in ("-c", f"{name}={value}"))
        self.child = Child(replace(program, command=(*program.command, *flags)))
        asyncio.run(self._until_ready(self.child))

    async def _until_ready(self, child: Child) -> None:
        async with asyncio.timeout(START_SECONDS):
            while not await self.prepared.is_ready():
                if child.exit_code is not None:
                    raise RuntimeError(child.end())
                await asyncio.sleep(0.05)

    def end(self, number: signal.Signals) -> None:
        """SIGKILL: as when it crashes. SIGQUIT: the immediate stop. SIGINT: the fast, orderly one."""
        if self.child is not None:
            backends = self.backends()
            self.child.process.send_signal(number)
            self.child.process.wait(END_SECONDS)
            psutil.wait_procs(backends, END_SECONDS)

    def backends(self) -> list[psutil.Process]:
        if self.child is None:
            return []
        try:
            return psutil.Process(self.child.pid).children()
        except psutil.Error:
            return []

    def pids(self) -> list[int]:
        """The postmaster's and those of all its processes."""
        return [*([self.child.pid] if self.child else []), *(each.pid for each in self.backends())]

    def sessions(self) -> list[int]:
        """Process ids of the sessions of the service."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'weedwatch'")
            return [pid for (pid,) in rows]

    def execute(self, *statements: str) -> None:
        """As the service's own role, which owns its database."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, query: str, *values: object) -> Any:
        """The first value that the query gives.

        Raises:
            psycopg.Error: It cannot be asked.
        """
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            row = connection.execute(query.encode(), values).fetchone()
        return row[0] if row else None

    def new_sessions(self) -> None:
        """End the service's sessions, so that new ones see what was changed."""
        self.execute(END_SESSIONS)


@contextmanager
def own_postgres(folder: Path, options: Sequence[tuple[str, str]] = ()) -> Iterator[OwnPostgres]:
    """A running server with its data in a folder that other users may enter."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    server = OwnPostgres(postgres.prepare(folder, free_ports(1)[0]), folder / "log", dict(options))
    try:
        server.start()
        yield server
    finally:
        server.end(signal.SIGINT)
