"""What was backed up comes back as it was; what was erased since does not. Nothing happens by halves."""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from backup import checking, erased, loading, making
from backup.destination import Destination
from backup.errors import Damaged, Refusal
from backup.making import make
from backup.manifest import Manifest
from backup.restoring import Restored, Wish, restore
from control_plane.tables import audit, database, history
from control_plane.tables.anchor import Anchor, look_through
from observability import reader
from tests.integration.backup.service import COUNT, WAITING, Service, silent, with_key
from tests.integration.control_plane.rows import prediction

Another = Callable[[], Service]


@pytest.fixture
def destination(tmp_path: Path) -> Destination:
    return Destination(str(tmp_path / "backups"))


async def backed_up(service: Service, destination: Destination) -> Manifest:
    return await make(service.place, destination, silent)


async def brought_back(other: Service, destination: Destination, **wish: object) -> Restored:
    return await restore(other.place, destination, Wish(**wish), silent)  # type: ignore[arg-type]


def without_audit_of(content: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: rows for name, rows in content.items() if name != "audit"}


async def test_all_comes_back_as_it_was(service: Service, destination: Destination, another: Another) -> None:
    before, photos, archives = service.content(), service.photos(), service.archives()
    found = await backed_up(service, destination)
    other = another()
    done = await brought_back(other, destination)
    after = other.content()
    assert without_audit_of(after) == without_audit_of(before)
    assert after["audit"][:3] == before["audit"]
    assert (other.photos(), other.archives()) == (photos, archives)
    assert (found.rows["predictions"], done.pictures, done.waiting) == (COUNT, COUNT // 3, WAITING)
    await other.start()
    assert other.ask("SELECT count(*) FROM predictions") == COUNT + WAITING
    async with other.database.connection() as connection, connection.transaction():
        assert (await look_through(connection)).broken is None


@pytest.mark.parametrize("at_once", [1, 3, 7, 61, 4096])
async def test_however_the_dump_is_cut_the_rows_are_the_same(
    service: Service, destination: Destination, another: Another, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    await service.record(prediction(subject="a\\.\nCOPY x FROM stdin;\n\\.\n\té"), prediction(subject="\\."))
    before = service.content()
    await backed_up(service, destination)
    monkeypatch.setattr(loading, "BLOCK_BYTES", at_once)
    other = another()
    await brought_back(other, destination)
    assert without_audit_of(other.content()) == without_audit_of(before)


async def test_rights_are_as_they_were(service: Service, destination: Destination, another: Another) -> None:
    for statement in reader.GRANTS:
        service.change(statement)
    await backed_up(service, destination)
    other = another()
    await brought_back(other, destination)
    asked = "SELECT has_function_privilege(%s, 'statements_for_dashboards()', 'EXECUTE')"
    rights = [other.ask(asked, role) for role in ("public", "weedwatch", reader.ROLE)]
    assert rights == [False, True, True]
    for view, may in ((reader.VIEWS[0], True), ("predictions", False)):
        assert other.ask("SELECT has_table_privilege(%s, %s, 'SELECT')", reader.ROLE, view) is may


async def test_what_runs_on_goes_on(service: Service, destination: Destination) -> None:
    await backed_up(service, destination)
    await service.record(prediction())
    assert service.ask("SELECT count(*) FROM backups") == 1


@pytest.mark.parametrize("lost_database", [True, False])
async def test_what_was_erased_since_stays_erased(
    service: Service, destination: Destination, another: Another, lost_database: bool
) -> None:
    one = service.rows[1]  # Grace's
    await backed_up(service, destination)
    certificate = await service.erase(subject="Ada")
    await service.erase(request_id=one.request_id)
    if lost_database:
        async with service.database.connection() as connection:
            await erased.refresh(destination, connection)
        service = another()
    await brought_back(service, destination, replace=not lost_database)
    assert service.ask("SELECT count(*) FROM predictions WHERE subject = 'Ada'") == 0
    assert service.ask("SELECT count(*) FROM predictions") == COUNT - COUNT // 3 - 1
    assert service.photos() == {}
    await service.start()
    assert service.ask("SELECT count(*) FROM predictions WHERE subject = 'Ada'") == 0
    again = service.ask("SELECT facts FROM audit WHERE facts ->> 'id' = %s", certificate["id"])
    assert again["written_again"]["row"] == 4
    assert service.ask("SELECT facts FROM audit WHERE action = 'restore'")["lost_rows"]["to"] == 5


async def test_a_list_of_erasures_can_be_given(
    service: Service, destination: Destination, another: Another, tmp_path: Path
) -> None:
    await backed_up(service, destination)
    await service.erase(subject="Ada")
    async with service.database.connection() as connection:
        (tmp_path / "list.json").write_bytes(erased.encode(await erased.of_database(connection)))
    other = another()
    await brought_back(other, destination, erasures=tmp_path / "list.json")
    assert other.ask("SELECT count(*) FROM predictions WHERE subject = 'Ada'") == 0


async def test_a_photo_whose_consent_was_taken_back_stays_away(
    service: Service, destination: Destination, another: Another
) -> None:
    await backed_up(service, destination)
    service.change("INSERT INTO withdrawals (request_id) VALUES (%s)", service.rows[0].request_id)
    async with service.database.connection() as connection:
        await erased.refresh(destination, connection)
    other = another()
    done = await brought_back(other, destination)
    assert done.reapplied.withdrawals == 1
    assert len(other.photos()) == COUNT // 3 - 1
    assert other.ask("SELECT consent FROM predictions WHERE request_id = %s", service.rows[0].request_id) is False


@pytest.mark.parametrize("is_withdrawn", [False, True])
async def test_the_photo_of_a_record_that_waits_comes_back_with_it_unless_its_consent_went(
    service: Service, destination: Destination, another: Another, is_withdrawn: bool
) -> None:
    photo = await service.keep(1000)
    row = prediction(consent=True, picture_sha256=photo)
    await service.spool.append([row])
    await backed_up(service, destination)
    if is_withdrawn:  # after it had landed
        service.change("INSERT INTO withdrawals (request_id) VALUES (%s)", row.request_id)
        async with service.database.connection() as connection:
            await erased.refresh(destination, connection)
    other = another()
    done = await brought_back(other, destination)
    assert done.pictures == COUNT // 3 + (not is_withdrawn)
    await other.start()
    shown = other.ask("SELECT picture_sha256 FROM predictions WHERE request_id = %s", row.request_id)
    assert shown == (None if is_withdrawn else photo)
    assert other.ask("SELECT consent FROM predictions WHERE request_id = %s", row.request_id) is not is_withdrawn
    assert service.photos().items() - other.photos().items() == (
        {each for each in service.photos().items() if photo.hex() in str(each)} if is_withdrawn else set()
    )


async def test_the_audit_says_what_was_lost_and_verifies(
    service: Service, destination: Destination, tmp_path: Path
) -> None:
    anchor = Anchor(service.database, tmp_path / "audit", "replica-1")
    await backed_up(service, destination)
    async with service.database.connection() as connection:
        for _ in range(5):
            async with connection.transaction():
                await audit.write(connection, actor="admin", action="later", facts={})
    await anchor.keep()
    await brought_back(service, destination, replace=True)
    assert (await anchor.verify()).broken is None
    await anchor.keep()
    assert anchor.is_intact
    facts = service.ask("SELECT facts FROM audit WHERE action = 'restore'")
    assert (facts["lost_rows"]["from"], facts["lost_rows"]["to"]) == (4, 8)
    # A cut after that is as loud as ever.
    async with service.database.connection() as connection, connection.transaction():
        await audit.write(connection, actor="admin", action="later", facts={})
    await anchor.keep()
    service.change("ALTER TABLE audit DISABLE TRIGGER audit_is_only_added_to")
    service.change("DELETE FROM audit WHERE id = 5")
    broken = (await anchor.verify()).broken
    assert broken
    assert broken.fault == "cut off"


async def test_a_database_that_is_not_empty_is_left_alone(service: Service, destination: Destination) -> None:
    await backed_up(service, destination)
    before = service.content()
    with pytest.raises(Refusal, match="--replace"):
        await brought_back(service, destination)
    assert service.content() == before


async def test_control_planes_that_run_are_not_robbed(service: Service, destination: Destination) -> None:
    await backed_up(service, destination)
    service.change("INSERT INTO replicas (name, seen_at) VALUES ('replica-1', now())")
    with pytest.raises(Refusal, match="replica-1"):
        await brought_back(service, destination, replace=True)


async def test_a_damaged_backup_touches_nothing(service: Service, destination: Destination, tmp_path: Path) -> None:
    found = await backed_up(service, destination)
    before = service.content()
    for item in (found.dump, found.below("pictures/")[0], found.below("models/")[0], found.below("spool/")[0]):
        file = tmp_path / "backups" / item.location(found.id)
        whole = file.read_bytes()
        file.chmod(0o600)
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(Damaged, match=item.name.split("/")[0]):
            await brought_back(service, destination, replace=True)
        file.write_bytes(whole)
    assert service.content() == before


async def test_half_a_backup_is_none(service: Service, destination: Destination, tmp_path: Path) -> None:
    found = await backed_up(service, destination)
    (tmp_path / "backups" / found.id / "manifest.json").unlink()
    with pytest.raises(Refusal, match="no backup"):
        await brought_back(service, destination, replace=True)
    with pytest.raises(Damaged, match="never finished"):
        await brought_back(service, destination, replace=True, backup=found.id)


async def test_a_newer_schema_is_refused(service: Service, destination: Destination) -> None:
    service.change("INSERT INTO migrations (name) VALUES ('9999_later.sql')")
    await backed_up(service, destination)
    with pytest.raises(Refusal, match="9999_later"):
        await brought_back(service, destination, replace=True)


async def test_an_older_schema_is_brought_up_to_date(
    service: Service, destination: Destination, another: Another, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await backed_up(service, destination)
    newer = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, newer)
    (newer / "9999_later.sql").write_text("CREATE TABLE later AS SELECT count(*) AS records FROM predictions")
    monkeypatch.setattr(database, "MIGRATIONS", newer)
    other = another()
    await brought_back(other, destination)
    assert "9999_later.sql" not in found.migrations
    assert other.ask("SELECT records FROM later") == COUNT


async def test_what_fails_late_leaves_the_database_as_it_was(
    service: Service, destination: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    await backed_up(service, destination)
    before = service.content()

    def fail(*_: object) -> int:
        raise Refusal("at the very end")

    monkeypatch.setattr("backup.restoring._bring_spool", fail)
    with pytest.raises(Refusal, match="very end"):
        await brought_back(service, destination, replace=True)
    assert service.content() == before


async def test_another_key_secret_is_noticed(service: Service, destination: Destination, another: Another) -> None:
    await backed_up(service, destination)
    await service.erase(subject="Ada")
    async with service.database.connection() as connection:
        await erased.refresh(destination, connection)
    with pytest.raises(Refusal, match="key secret"):
        await brought_back(with_key(another(), "z" * 40), destination, other_key_secret=True)


async def test_keys_that_would_not_hold_are_noticed(
    service: Service, destination: Destination, another: Another
) -> None:
    service.change(
        "INSERT INTO keys (id, name, owner, scopes, digest, secret, created_by) VALUES "
        "('a', 'a', 'a', '{predict}', %s, %s, 'admin')",
        bytes(32),
        service.secrets.newest,
    )
    await backed_up(service, destination)
    other = with_key(another(), "z" * 40)
    with pytest.raises(Refusal, match="--other-key-secret"):
        await brought_back(other, destination)
    await brought_back(other, destination, other_key_secret=True)
    assert other.ask("SELECT count(*) FROM keys") == 1


async def test_a_photo_that_is_erased_while_the_backup_is_made_does_not_fail_it(
    service: Service, destination: Destination, another: Another, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = making._dump

    def erase_after(*given: object) -> None:
        dump(*given)  # type: ignore[arg-type]
        row = service.rows[0]
        assert row.picture_sha256
        service.change("DELETE FROM predictions WHERE request_id = %s", row.request_id)
        service.change(
            "INSERT INTO tombstones (request_id, before) VALUES (%s, %s)",
            row.request_id,
            history.first_id_at(row.created_at),
        )
        name = row.picture_sha256.hex()
        (service.folder / "state/pictures" / name[:2] / f"{name}.jpg").unlink()

    monkeypatch.setattr(making, "_dump", erase_after)
    found = await backed_up(service, destination)
    row = service.rows[0]
    assert row.picture_sha256
    assert (found.removed, found.missing) == ((row.picture_sha256.hex(),), ())
    await checking.check(destination, found, silent)
    other = another()
    await brought_back(other, destination)
    assert other.ask("SELECT count(*) FROM predictions") == COUNT - 1
    assert len(other.photos()) == COUNT // 3 - 1


async def test_only_one_is_made_at_a_time(service: Service, destination: Destination) -> None:
    with psycopg.connect(service.url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7309862318)")
        with pytest.raises(Refusal, match="under way"):
            await backed_up(service, destination)


async def test_a_photo_lies_once_for_all_backups(service: Service, destination: Destination) -> None:
    first = await backed_up(service, destination)
    objects = destination.sizes("objects")
    second = await backed_up(service, destination)
    assert second.id > first.id
    assert destination.sizes("objects") == objects
    assert second.below("pictures/") == first.below("pictures/")
