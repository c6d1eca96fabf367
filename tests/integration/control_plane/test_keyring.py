"""Keys: made, used, exchanged, revoked; two replicas agree; a start without the database knows them still."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from control_plane.access.credentials import KeySecrets
from control_plane.access.keyring import Keyring, Made
from control_plane.errors import Conflict, NotFound
from control_plane.tables.anchor import look_through
from control_plane.tables.database import Database


@pytest.fixture
def secrets(tmp_path: Path) -> KeySecrets:
    return KeySecrets.load(None, tmp_path)


@pytest.fixture
async def ring(database: Database, secrets: KeySecrets, tmp_path: Path) -> Keyring:
    made = Keyring(database, secrets, tmp_path / "keys.json")
    await made.open()
    return made


async def make(ring: Keyring, **changes: Any) -> Made:
    wanted: dict[str, Any] = {"owner": None, "expires_at": None, "limits": None, "actor": "a test"}
    return await ring.make("field team", ["read", "predict"], **{**wanted, **changes})


async def test_a_key_is_known_at_once_and_its_text_is_nowhere(ring: Keyring, database: Database) -> None:
    made = await make(ring, limits={"rate": 5.0})
    key = ring.find(made.text)
    assert key is not None
    assert (key.id, key.owner, key.scopes, key.limits) == (
        made.key.id,
        "field team",
        ["predict", "read"],
        {"rate": 5.0},
    )
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT keys::text FROM keys UNION ALL SELECT audit::text FROM audit")
        assert not [row for (row,) in await cursor.fetchall() if made.text[12:] in row]


async def test_what_is_not_a_key_is_none(ring: Keyring) -> None:
    made = await make(ring)
    wrong = made.text[:-1] + ("A" if made.text[-1] != "A" else "B")
    for text in ("", "ww_", wrong, made.text + "A", made.text.upper(), f"ww_AAAAAAAA_{made.text[12:]}", "ü" * 55):
        assert ring.find(text) is None


async def test_another_replica_takes_up_what_was_made_and_revoked(
    ring: Keyring, database: Database, secrets: KeySecrets, tmp_path: Path
) -> None:
    other = Keyring(database, secrets, tmp_path / "other.json")
    await other.open()
    made = await make(ring)
    assert other.find(made.text) is None
    await other.look()
    assert other.find(made.text) is not None
    await ring.revoke(made.key.id, actor="a test")
    await ring.revoke(made.key.id, actor="a test")
    assert ring.find(made.text) is None
    await other.look()
    assert other.find(made.text) is None


async def test_an_exchanged_key_holds_for_its_overlap(ring: Keyring) -> None:
    old = await make(ring, owner="team", expires_at=datetime.now(UTC) + timedelta(days=3))
    new = await ring.rotate(old.key.id, overlap_seconds=0.3, actor="a test")
    assert ring.find(old.text) is not None
    found = ring.find(new.text)
    assert found is not None
    assert (found.owner, found.scopes, found.expires_at) == ("team", old.key.scopes, old.key.expires_at)
    await asyncio.sleep(0.4)
    assert ring.find(old.text) is None
    with pytest.raises(Conflict):
        await ring.rotate(old.key.id, overlap_seconds=1, actor="a test")
    with pytest.raises(NotFound):
        await ring.revoke("AAAAAAAA", actor="a test")


async def test_a_start_without_the_database_knows_the_keys(ring: Keyring, secrets: KeySecrets, tmp_path: Path) -> None:
    made = await make(ring)
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    away = Database("postgresql://nobody@127.0.0.1:1/nothing", timeout_seconds=1, pool_size=1)
    later = Keyring(away, secrets, tmp_path / "keys.json")
    await later.open()
    found = later.find(made.text)
    assert found is not None
    assert found.scopes == ["predict", "read"]


async def test_a_key_of_an_older_secret_holds_until_that_is_taken_away(
    ring: Keyring, database: Database, tmp_path: Path
) -> None:
    made = await make(ring)
    file = tmp_path / "secrets"
    file.write_text("a-new-secret-of-the-keys\n" + (tmp_path / "key-secret").read_text())
    both = Keyring(database, KeySecrets.load(file, tmp_path), tmp_path / "both.json")
    await both.open()
    assert both.find(made.text) is not None
    newer = await make(both)
    assert newer.key.secret != made.key.secret
    file.write_text("a-new-secret-of-the-keys\n")
    alone = Keyring(database, KeySecrets.load(file, tmp_path), tmp_path / "alone.json")
    await alone.open()
    assert alone.find(made.text) is None
    assert alone.find(newer.text) is not None


async def test_use_is_noted_and_every_act_is_in_the_audit(ring: Keyring, database: Database) -> None:
    made = await make(ring)
    assert ring.find(made.text) is not None
    await ring._note_use()
    assert (await ring.one(made.key.id)).last_used_at is not None
    assert made.key.id in {each.id for each in await ring.every()}
    async with database.connection() as connection, connection.transaction():
        cursor = await connection.execute(
            "SELECT action, actor FROM audit WHERE facts ->> 'key' = %(id)s", {"id": made.key.id}
        )
        assert await cursor.fetchall() == [("key.created", "a test")]
        assert (await look_through(connection)).broken is None
