"""API keys in memory: every request is judged without a query; changes by any replica are read each second."""

import asyncio
import contextlib
import json
import logging
import os
import re
import secrets
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from control_plane.access.credentials import KeySecrets
from control_plane.domain.callers import SCOPES, Scope
from control_plane.errors import Conflict, DatabaseUnavailable, NotFound
from control_plane.tables import audit, keys
from control_plane.tables.database import Database, within
from control_plane.tables.keys import Key

log = logging.getLogger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 1.0
OVERLAP_SECONDS = 60.0
USE_SECONDS = 10.0
_TEXT = re.compile(r"ww_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}")
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Made:
    """A new key; `text` is what its holder sends, and is nowhere else."""

    key: Key
    text: str


class Keyring:
    """All keys that are not revoked. While the database is away the keys that were known last hold."""

    def __init__(self, database: Database, known_secrets: KeySecrets, cache: Path) -> None:
        self._database = database
        self._secrets = known_secrets
        self._cache = cache
        self._keys: dict[str, Key] = {}
        self._seen: datetime | None = None
        self._used: dict[str, datetime] = {}
        self._strange: set[str] = set()

    async def open(self) -> None:
        """Read all keys, or those of the last run when the database is away."""
        try:
            await self.look()
        except DatabaseUnavailable:
            self._keys = _remembered(self._cache)

    async def run(self) -> None:
        """Until cancelled: what was changed, and what was used."""
        noted = monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with contextlib.suppress(DatabaseUnavailable):
                await self.look()
                if self._used and monotonic() - noted > USE_SECONDS:
                    noted = monotonic()
                    await self._note_use()

    def find(self, text: str) -> Key | None:
        """The key that this is, if it is one and may be used now; takes the same time for a wrong one."""
        shape = _TEXT.fullmatch(text)
        key = self._keys.get(shape[1]) if shape else None
        digest = self._secrets.digest(text, key.secret if key else "")
        if not secrets.compare_digest(digest, key.digest if key else bytes(32)) or key is None:
            return None
        now = datetime.now(UTC)
        if key.expires_at is not None and key.expires_at <= now:
            return None
        self._used[key.id] = now
        return key

    async def look(self) -> None:
        """Take up what any replica changed.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        if not self._database.ready:
            raise DatabaseUnavailable
        changed = await within(self._database.timeout_seconds, self._changed())
        before = dict(self._keys)
        for key in changed:
            if key.revoked_at is None:
                self._keys[key.id] = replace(key, last_used_at=None)
            else:
                self._keys.pop(key.id, None)
        if changed:
            self._seen = max(each.changed_at for each in changed)
        if self._keys != before:
            _remember(self._cache, self._keys)
            self._tell_strange()

    async def make(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        owner: str | None,
        expires_at: datetime | None,
        limits: dict[str, Any] | None,
        actor: str,
    ) -> Made:
        """A new key; without an owner its name is the owner."""
        made = self._new(name, scopes, owner or name, expires_at, limits, actor)
        await self._change(self._add(made, "key.created", actor))
        return made

    async def rotate(self, number: str, *, overlap_seconds: float, actor: str) -> Made:
        """A new key that may do the same; the old one holds for the overlap.

        Raises:
            NotFound: There is no such key.
            Conflict: It holds no more.
        """
        return await self._change(self._rotate(number, overlap_seconds, actor))

    async def revoke(self, number: str, *, actor: str) -> None:
        """It holds no more, here at once and elsewhere within seconds. Twice is as once.

        Raises:
            NotFound: There is no such key.
        """
        await self._change(self._revoke(number, actor))

    async def every(self) -> list[Key]:
        return await within(self._database.timeout_seconds, self._every())

    async def one(self, number: str) -> Key:
        """Read a key.

        Raises:
            NotFound: There is none.
        """
        return await within(self._database.timeout_seconds, self._one(number))

    async def _change(self, work: Coroutine[Any, Any, T]) -> T:
        done = await within(self._database.timeout_seconds, work)
        with contextlib.suppress(DatabaseUnavailable):  # it is done; the next look sees it
            await self.look()
        return done

    async def _add(self, made: Made, action: str, actor: str, **facts: Any) -> None:
        key = made.key
        told = {"key": key.id, "name": key.name, "owner": key.owner, "scopes": list(key.scopes), **facts}
        async with self._database.connection() as connection, connection.transaction():
            await keys.add(connection, key)
            await audit.write(connection, actor=actor, action=action, facts=told)

    async def _rotate(self, number: str, overlap_seconds: float, actor: str) -> Made:
        async with self._database.connection() as connection, connection.transaction():
            old = _there(await keys.find(connection, number), number)
            if old.revoked_at is not None or (old.expires_at and old.expires_at <= datetime.now(UTC)):
                raise Conflict(f"Key {number} holds no more, so it cannot be exchanged. Make a new one.")
            made = self._new(old.name, old.scopes, old.owner, old.expires_at, old.limits, actor)
            facts = {"key": number, "by": made.key.id, "overlap_seconds": overlap_seconds}
            await keys.expire(connection, number, overlap_seconds)
            await keys.add(connection, made.key)
            await audit.write(connection, actor=actor, action="key.rotated", facts=facts)
        return made

    async def _revoke(self, number: str, actor: str) -> None:
        async with self._database.connection() as connection, connection.transaction():
            if _there(await keys.find(connection, number), number).revoked_at is None:
                await keys.revoke(connection, number)
                await audit.write(connection, actor=actor, action="key.revoked", facts={"key": number})

    async def _every(self) -> list[Key]:
        async with self._database.connection() as connection:
            return await keys.every(connection)

    async def _one(self, number: str) -> Key:
        async with self._database.connection() as connection:
            return _there(await keys.find(connection, number), number)

    async def _changed(self) -> list[Key]:
        async with self._database.connection() as connection:
            return await keys.changed_since(connection, self._seen, OVERLAP_SECONDS)

    async def _note_use(self) -> None:
        used, self._used = self._used, {}
        async with self._database.connection() as connection:
            await keys.note_use(connection, used)

    def _new(
        self,
        name: str,
        scopes: Sequence[Scope],
        owner: str,
        expires_at: datetime | None,
        limits: dict[str, Any] | None,
        actor: str,
    ) -> Made:
        number = "".join(secrets.choice(_LETTERS) for _ in range(8))
        text, secret, now = f"ww_{number}_{secrets.token_urlsafe(32)}", self._secrets.newest, datetime.now(UTC)
        digest = self._secrets.digest(text, secret)
        scopes = sorted(set(scopes), key=SCOPES.index)
        return Made(
            Key(number, name, owner, scopes, limits, digest, secret, actor, now, expires_at, None, None, now), text
        )

    def _tell_strange(self) -> None:
        """Keys of a secret that this replica was not given are refused here; once each, the log says so."""
        strange = {key.id for key in self._keys.values() if key.secret not in self._secrets.by_name}
        if new := sorted(strange - self._strange):
            log.error(
                "keys made with another secret are refused; is WEEDWATCH_KEY_SECRET_FILE right?", extra={"keys": new}
            )
        self._strange = strange


def _there(key: Key | None, number: str) -> Key:
    if key is None:
        raise NotFound(f"There is no key {number}. GET /keys lists all.")
    return key


def _remember(cache: Path, known: dict[str, Key]) -> None:
    """For a start without the database; digests only, and those are of no use without the secret."""
    text = json.dumps([vars(key) for key in known.values()], default=_plain)
    new = cache.with_suffix(".new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        new.replace(cache)
    except OSError:
        log.exception("the keys cannot be kept for a start without the database")


def _remembered(cache: Path) -> dict[str, Key]:
    try:
        rows = json.loads(cache.read_text())
        return {row["id"]: _key(row) for row in rows}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError):
        log.exception("what was kept of the keys cannot be read")
        return {}


def _key(row: dict[str, Any]) -> Key:
    moments = {
        name: datetime.fromisoformat(value) if (value := row[name]) else None
        for name in ("created_at", "expires_at", "revoked_at", "last_used_at", "changed_at")
    }
    return Key(**{**row, **moments, "digest": bytes.fromhex(row["digest"])})


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
