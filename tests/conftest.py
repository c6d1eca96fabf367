"""Fixtures that more than one tier uses: a clean environment and a real PostgreSQL."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from standalone import postgres
from standalone.child import Child
from standalone.ports import free_ports
from tests import reading

MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in [*os.environ]:
        if name.startswith("WEEDWATCH_") or name in {"DATABASE_URL", "MODEL_PATH", "LABELS_PATH"}:
            monkeypatch.delenv(name)


class ServerEnded(Exception):
    """PostgreSQL ended while it started."""


@dataclass
class Server:
    """A PostgreSQL of the tests, on memory; `restart` as after a power cut."""

    prepared: postgres.Postgres
    child: Child

    def new_database(self) -> str:
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.prepared.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.prepared.url.rsplit("/", 1)[0] + f"/{name}"

    def kill(self) -> None:
        self.child.process.kill()
        self.child.process.wait(60)

    def start(self) -> None:
        """Again, as soon as the sessions of the killed server have ended: until then a new one refuses to start."""
        until = time.monotonic() + 60
        while True:
            try:
                self.child = _started(self.prepared, self.prepared.home.folder)
            except ServerEnded:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return


def _started(prepared: postgres.Postgres, folder: Path) -> Child:
    postgres.refuse_second_server(prepared.data)
    child = Child(prepared.program(folder / "log"))

    async def until_ready() -> None:
        async with asyncio.timeout(120):
            while not await prepared.is_ready():
                if child.exit_code is not None:
                    raise ServerEnded(child.cause())
                await asyncio.sleep(0.05)

    asyncio.run(until_ready())
    return child


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="weedwatch-test-", dir=MEMORY if MEMORY.is_dir() else None))
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user
    prepared = postgres.prepare(folder, free_ports(1)[0])
    postgres.single_user(prepared.home, prepared.data, f"ALTER ROLE {postgres.ROLE} CREATEDB")
    reading.make_role(prepared)
    server = Server(prepared, _started(prepared, folder))
    yield server
    server.child.process.send_signal(prepared.program(folder / "log").stop_signal)
    server.child.process.wait(60)
    shutil.rmtree(folder)


@pytest.fixture
def database_url(postgres_server: Server) -> str:
    """The URL of an empty database."""
    return postgres_server.new_database()
