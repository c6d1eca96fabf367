"""The service that is destroyed and brought back: `make run`'s, by the commands that users have."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

from tests.changing import Changing, changing
from tests.checker.kept import read_kept
from tests.checker.record import Kept
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.proofs.harness import Context
from tests.proofs.processes import end_all
from tests.proofs.stack import clean_environment

SECONDS = 600


class Ground(Protocol):
    """What the line asks of a place; how a backup and a restore are called there is its own."""

    def client(self) -> httpx2.Client:
        """Of the running service; may do everything."""

    def make(self) -> str:
        """Back up; gives the name."""

    def refresh_erasures(self) -> None:
        """Let the schedule write the list of what was erased."""

    def rehearse(self, backup: str) -> Kept:
        """Restore into another, or replaced, database, and say what is kept there."""

    def destroy(self) -> None:
        """Everything goes, at once: processes, database, state folder, model store. Secrets and backups stay."""

    def restore(self) -> str:
        """On an empty place; gives what it said."""

    def start(self) -> None:
        """The service, until it is ready."""


@dataclass
class MadeRun:
    place: Changing
    secret: Path
    backups: Path
    other: OwnPostgres
    folder: Path

    def client(self) -> httpx2.Client:
        url = f"http://127.0.0.1:{self.place.stack.port}"
        return httpx2.Client(base_url=url, headers=self.place.admin, timeout=60)

    def make(self) -> str:
        return self._backup("make").split()[1].rstrip(":")

    def refresh_erasures(self) -> None:
        before = self._list_written_at()
        keeper = self._started("keep")
        try:
            deadline = time.monotonic() + 60
            while self._list_written_at() == before:
                if keeper.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The list of erasures was not written.")
                time.sleep(0.1)
        finally:
            keeper.send_signal(signal.SIGTERM)
            keeper.wait(60)

    def _list_written_at(self) -> int:
        return (self.backups / "erasures.json").stat().st_mtime_ns

    def rehearse(self, backup: str) -> Kept:
        state = self.folder / "rehearsal"
        own = {"DATABASE_URL": self.other.url, "WEEDWATCH_STATE_DIR": str(state)}
        own["WEEDWATCH_MODEL_STORE"] = str(state / "models")
        self._backup("restore", backup, "--replace", **own)
        try:
            return read_kept(self.other.url, state / "spool")
        finally:
            shutil.rmtree(state)

    def destroy(self) -> None:
        end_all(self.place.stack.folder)
        if self.place.stack.front is not None:
            self.place.stack.front.wait(60)
        shutil.rmtree(self.place.stack.state)
        shutil.rmtree(self.place.store)

    def restore(self) -> str:
        return self._backup("restore")

    def start(self) -> None:
        self.place.stack.start()
        self.place.stack.wait_until_ready()

    def _backup(self, *words: str, **own: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "backup", *words], cwd=self.place.stack.root, env=self._environment() | own,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"backup {' '.join(words)}: {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def _started(self, *words: str) -> "subprocess.Popen[bytes]":
        with (self.folder / "keep.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "backup", *words], cwd=self.place.stack.root, env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def _environment(self) -> dict[str, str]:
        own = {
            "WEEDWATCH_STATE_DIR": str(self.place.stack.state),
            "WEEDWATCH_BACKUP_URL": str(self.backups),
            "WEEDWATCH_BACKUP_HOURS": "700",
        }
        return clean_environment() | self.place.stack.environment | own


@contextmanager
def made_run(context: Context) -> Iterator[MadeRun]:
    """Its secret lies elsewhere, as docs/backup.md wants it."""
    context.folder.chmod(0o755)
    secret = context.folder / "key-secret"
    secret.write_text(f"{os.urandom(24).hex()}\n")
    told = {"WEEDWATCH_KEY_SECRET_FILE": str(secret), "WEEDWATCH_WORKERS": "2"}
    with (
        own_postgres(context.folder / "other") as other,
        changing(context.root, **told) as place,
    ):
        yield MadeRun(place, secret, context.folder / "backups", other, context.folder)
