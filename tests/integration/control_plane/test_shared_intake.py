"""Replicas that share the folder of uploads leave each other's alone."""

import os
import time
from pathlib import Path

from control_plane.metrics import Metrics
from control_plane.models import handover
from control_plane.models.handover import OWNED_SECONDS, OWNER
from control_plane.models.intake import Intake
from control_plane.settings import Settings
from control_plane.tables.database import Database


def intake(database: Database, folder: Path, replica: str) -> Intake:
    settings = Settings(
        DATABASE_URL="postgresql://u:p@localhost/db",
        quarantine_dir=folder,
        replica=replica,
    )
    return Intake(database, settings, Metrics())


async def test_what_another_replica_receives_stays_until_that_one_is_gone(database: Database, tmp_path: Path) -> None:
    one, other = intake(database, tmp_path, "one"), intake(database, tmp_path, "other")
    place = tmp_path / "0192"
    handover.own(place, "one", new=True)
    one._receiving.add(place.name)
    (place / "archive.mar").write_bytes(b"half of it")
    old = time.time() - OWNED_SECONDS - 5
    os.utime(place / OWNER, (old, old))
    await one._look()  # says again that it is at work
    await other._look()
    assert (place / "archive.mar").exists()
    os.utime(place / OWNER, (old, old))
    await other._look()
    assert not place.exists()


async def test_a_folder_that_nobody_owns_yet_is_left_alone_for_a_moment(database: Database, tmp_path: Path) -> None:
    place = tmp_path / "0193"
    place.mkdir()
    await intake(database, tmp_path, "other")._look()
    assert place.exists()
    old = time.time() - OWNED_SECONDS - 5
    os.utime(place, (old, old))
    await intake(database, tmp_path, "other")._look()
    assert not place.exists()
