"""A manifest is what was written, or it is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backup import manifest
from backup.errors import Damaged, Refusal
from backup.manifest import Item, Manifest

ITEM = Item("database.dump", "a" * 64, 3)
MANIFEST = Manifest(
    id="20260131T040000Z",
    mark="2026-01-31T04:00:00+00:00",
    service="0.1.0",
    migrations=("0001_history.sql",),
    rows={"predictions": 3},
    audit_row=1,
    audit_digest="b" * 64,
    key_secrets=("c",),
    items=(ITEM, Item("pictures/aa/x.jpg", "d" * 64, 5, shared=True)),
    removed=("e" * 64,),
)


def test_it_is_read_as_it_was_written() -> None:
    assert manifest.decode(manifest.encode(MANIFEST), MANIFEST.id) == MANIFEST
    assert (MANIFEST.bytes, MANIFEST.dump) == (8, ITEM)


def test_every_changed_byte_that_matters_is_noticed() -> None:
    text = manifest.encode(MANIFEST)
    for at in range(0, len(text), 7):
        damaged = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        try:
            found = manifest.decode(damaged, MANIFEST.id)
        except (Damaged, Refusal):
            continue
        assert found == MANIFEST  # a blank between two words


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "pictures/../../x"])
def test_no_file_lies_outside_of_the_backup(name: str) -> None:
    bad = replace(MANIFEST, items=(replace(ITEM, name=name),))
    with pytest.raises(Damaged):
        manifest.decode(manifest.encode(bad), bad.id)


def test_another_format_is_for_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FORMAT", 2)
    text = manifest.encode(MANIFEST)
    monkeypatch.undo()
    assert json.loads(text)["backup"]["format"] == 2
    with pytest.raises(Refusal, match="newer version"):
        manifest.decode(text, MANIFEST.id)


def test_a_manifest_in_another_folder_is_no_manifest_of_it() -> None:
    with pytest.raises(Damaged):
        manifest.decode(manifest.encode(MANIFEST), "20260201T040000Z")


def test_a_name_is_a_moment() -> None:
    moment = datetime(2026, 1, 31, 4, 0, 0, tzinfo=UTC)
    assert manifest.name_of(moment) == MANIFEST.id
    assert manifest.moment_of(MANIFEST.id) == moment
    assert [manifest.is_name(each) for each in (MANIFEST.id, "objects", "20260131T040000Z/..")] == [True, False, False]
