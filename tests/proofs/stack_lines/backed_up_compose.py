"""The same in the Compose stack: backups in a volume of their own, all other volumes destroyed and brought back."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2

from tests.checker.record import Kept, Record
from tests.proofs.harness import Context
from tests.proofs.stack_lines.ground import images, ready_engine
from tests.stack.project import Project, project, wait_for

SERVICES = ("edge", "control-plane-1", "control-plane-2", "quarantine")
LOST = ("postgres", "state", "models", "quarantine")
OTHER = "rehearsal"
ROWS = "SELECT request_id, label, version, encode(image_sha256, 'hex') FROM predictions"
LIST_SECONDS = 90.0


@dataclass
class Composed:
    made: Project

    def client(self) -> httpx2.Client:
        return self.made.client()

    def make(self) -> str:
        return self._backup("make").split()[1].rstrip(":")

    def refresh_erasures(self) -> None:
        """By the service `backup`, as it runs day and night."""
        before = self._list()
        self.made.compose("--profile", "backup", "up", "--detach", "backup")
        if wait_for(LIST_SECONDS, lambda: self._list() != before, every=2) is None:
            raise RuntimeError(f"The list of erasures was not written: {self.made.compose('logs', 'backup')}")
        self.made.compose("--profile", "backup", "rm", "--stop", "--force", "backup")

    def rehearse(self, backup: str) -> Kept:
        """In another database of the same server; records that waited on a disk are left out."""
        self._sql("postgres", f"DROP DATABASE IF EXISTS {OTHER}")
        self._sql("postgres", f"CREATE DATABASE {OTHER} OWNER weedwatch")
        url = (self.made.folder / "deploy" / "secrets" / "database_url").read_text().strip()
        own = {
            "DATABASE_URL": f"{url.rsplit('/', 1)[0]}/{OTHER}",
            "DATABASE_URL_FILE": "",
            "WEEDWATCH_STATE_DIR": "/tmp/state",
            "WEEDWATCH_MODEL_STORE": "/tmp/models",
        }
        self._backup("restore", backup, **own)
        rows = [line.split("|") for line in self._sql(OTHER, ROWS).splitlines() if line]
        return Kept(tuple(Record(*row) for row in rows))

    def destroy(self) -> None:
        self.made.compose("--profile", "*", "kill")
        self.made.compose("--profile", "*", "rm", "--force", "--volumes")
        for each in LOST:
            self.made.docker.run("volume", "rm", "--force", f"{self.made.name}_{each}")

    def restore(self) -> str:
        """Its own dependency starts the empty database first."""
        return self._backup("restore")

    def start(self) -> None:
        self.made.deploy("up", *SERVICES)

    def _list(self) -> str:
        read = "import sys; sys.stdout.write(open('/backups/erasures.json').read())"
        return self.made.compose(*_RUN, "--entrypoint", "python", "backup", "-c", read)

    def _sql(self, database: str, statement: str) -> str:
        return self.made.compose(
            *("exec", "-T", "postgres", "psql", "-h", "/var/run/postgresql", "-U", "postgres", "-d", database),
            *("-At", "-v", "ON_ERROR_STOP=1", "-c", statement),
        )

    def _backup(self, *words: str, **own: str) -> str:
        told = [part for name, value in own.items() for part in ("--env", f"{name}={value}")]
        return self.made.compose(*_RUN, *told, "backup", *words)


_RUN = ("--profile", "backup", "run", "--rm", "-T")


@contextmanager
def composed(context: Context, tag: str = "") -> Iterator[Composed]:
    """Running; with images of the tree as it is, unless a tag names others."""
    with ready_engine(context) as docker:
        named = tag or images(context, docker)
        with project(docker, context.root, context.folder, named) as made:
            with (made.folder / "deploy" / "settings.env").open("a") as settings:
                settings.write("\nWEEDWATCH_BACKUP_HOURS=700\n")
            began = time.monotonic()
            made.deploy("up", *SERVICES)
            context.say(f"up after {time.monotonic() - began:.0f} s")
            yield Composed(made)
