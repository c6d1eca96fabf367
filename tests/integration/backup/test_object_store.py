"""The same in a real S3 API: made, listed, checked, pruned, restored; photos may lie in one as well."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from backup import checking, keeping, making
from backup.destination import Destination
from backup.errors import Damaged, Refusal
from backup.restoring import Wish, restore
from control_plane.photos.pictures import name_of
from control_plane.photos.stores import open_store
from tests.integration.backup.service import COUNT, Service, silent
from tests.integration.control_plane.test_stores import cloud, endpoint

__all__ = ["cloud", "endpoint"]
BUCKET = "weeds"


@pytest.fixture
def destination(cloud: str) -> Destination:
    assert cloud
    for each in keys():
        boto3.client("s3").delete_object(Bucket=BUCKET, Key=each)
    return Destination(f"s3://{BUCKET}/backups")


def keys() -> list[str]:
    return [each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]


async def test_what_went_there_comes_back(
    service: Service, destination: Destination, another: Callable[[], Service]
) -> None:
    before = service.content()
    made = await making.make(service.place, destination, silent)
    assert [each.id for each in checking.listed(destination)] == [made.id]
    await checking.check(destination, made, silent)
    other = another()
    await restore(other.place, destination, Wish(), silent)
    after = other.content()
    assert {name: after[name] for name in after if name != "audit"} == {
        name: before[name] for name in before if name != "audit"
    }
    assert (other.photos(), other.archives()) == (service.photos(), service.archives())


async def test_photos_go_from_one_bucket_to_another(
    service: Service, destination: Destination, another: Callable[[], Service], tmp_path: Path
) -> None:
    kept = replace(service.place, pictures=open_store(f"s3://{BUCKET}/photos", tmp_path))
    digests = [row.picture_sha256 for row in service.rows if row.picture_sha256]
    for each in digests:
        await kept.pictures.write(name_of(each), (service.folder / "state/pictures" / name_of(each)).read_bytes())
    made = await making.make(kept, destination, silent)
    assert made.missing == ()
    other = replace(another().place, pictures=open_store(f"s3://{BUCKET}/brought-back", tmp_path))
    done = await restore(other, destination, Wish(), silent)
    assert done.pictures == COUNT // 3
    for each in digests:
        assert await other.pictures.read(name_of(each)) == await kept.pictures.read(name_of(each))


async def test_a_damaged_object_is_found(service: Service, destination: Destination) -> None:
    made = await making.make(service.place, destination, silent)
    item = made.below("pictures/")[0]
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"backups/{item.location(made.id)}", Body=b"x" * item.bytes)
    with pytest.raises(Damaged, match="--fresh"):
        await checking.check(destination, made, silent)
    again = await making.make(service.place, destination, silent, fresh=True)
    await checking.check(destination, again, silent)


async def test_old_ones_go_with_what_only_they_name(service: Service, destination: Destination) -> None:
    first = await making.make(service.place, destination, silent)
    service.change("DELETE FROM predictions WHERE picture_sha256 IS NOT NULL")
    second = await making.make(service.place, destination, silent)
    destination.put("20200101T000000Z/database.dump", b"never finished")
    gone = await keeping.prune(service.place, destination, daily=1, weekly=0)
    assert gone == ["20200101T000000Z", first.id]
    left = {key.removeprefix("backups/") for key in keys()} - {"erasures.json"}
    assert left == {*(item.location(second.id) for item in second.items), f"{second.id}/manifest.json"}
    await checking.check(destination, second, silent)


def test_an_address_that_cannot_be_used_is_refused(cloud: str) -> None:
    assert cloud
    for url in ("s3://key:secret@weeds/x", "nonsense://x"):
        with pytest.raises(Refusal) as refused:
            Destination(url)
        assert "secret" not in str(refused.value)


async def test_a_store_that_does_not_answer_is_said(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cloud
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Refusal, match="cannot be used"):
        checking.listed(Destination(f"s3://{BUCKET}/backups"))
