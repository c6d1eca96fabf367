"""Kept pictures in a folder and in a real S3 API alike; a store that fails is a documented error."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from control_plane import errors
from control_plane.photos import stores
from control_plane.photos.pictures import Pictures
from control_plane.photos.stores import Bucket, Folder, Store, StoreUnavailable, open_store
from tests.unit.control_plane.test_pictures import SECRET, photo

CLOUD = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def cloud(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in {**CLOUD, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="weeds")
    return "s3://weeds/pictures"


@pytest.fixture(params=["none", "file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    url = {"none": None, "file": f"file://{tmp_path}/a%20b"}.get(request.param)
    return open_store(request.getfixturevalue("cloud") if request.param == "s3" else url, tmp_path)


async def test_a_picture_is_kept_read_and_removed_everywhere(store: Store) -> None:
    pictures = Pictures(store)
    kept = await pictures.keep(photo())
    assert await pictures.keep(photo()) == kept
    content = await pictures.read(kept.sha256)
    assert content.startswith(b"\xff\xd8")
    assert SECRET not in content
    assert (await pictures.thumbnail(kept.sha256)).startswith(b"\xff\xd8")
    assert (pictures.file(kept.sha256) is None) == isinstance(store, Bucket)
    for _ in range(2):
        await pictures.remove(kept.sha256)
    with pytest.raises(FileNotFoundError):
        await pictures.read(kept.sha256)


async def test_a_picture_lies_under_its_digest(cloud: str, tmp_path: Path) -> None:
    kept = await Pictures(open_store(cloud, tmp_path)).keep(photo())
    name = kept.sha256.hex()
    listed = boto3.client("s3").list_objects_v2(Bucket="weeds")["Contents"]
    assert f"pictures/{name[:2]}/{name}.jpg" in [each["Key"] for each in listed]


async def test_a_store_that_does_not_answer_is_a_documented_error(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(stores, "BUCKET_SECONDS", 5.0)
    pictures = Pictures(Bucket(cloud + "-away"))
    with pytest.raises(errors.HistoryUnavailable):
        await pictures.keep(photo())
    with pytest.raises(errors.HistoryUnavailable):
        await pictures.read(bytes(32))
    with pytest.raises(StoreUnavailable):
        await pictures.remove(bytes(32))


async def test_a_bucket_that_is_not_there_is_a_documented_error(cloud: str) -> None:
    assert cloud
    with pytest.raises(errors.HistoryUnavailable):
        await Pictures(Bucket("s3://nobodys-bucket/x")).keep(photo())


@pytest.mark.parametrize("url", ["s3://key:secret@weeds/x", "s3://weeds/x?key=secret", "nonsense://x", "pictures"])
def test_an_address_that_cannot_be_used_stops_the_start(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="WEEDWATCH_PICTURES_URL") as refused:
        open_store(url, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_folder_is_the_default(tmp_path: Path) -> None:
    store = open_store(None, tmp_path)
    assert isinstance(store, Folder)
    assert store.file("ab/c.jpg") == tmp_path / "ab" / "c.jpg"
