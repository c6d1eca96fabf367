"""Versions are uploaded, checked in the quarantine and ready, or refused with the reason."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT
from tests.changing import MODEL, Changing, changing
from tests.hostile.versions import RunsACommand, as_version, members_of, pack
from tests.uploading import Uploading
from tests.waiting import eventually

BOX = "box"


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploading]:
    box = tmp_path_factory.mktemp(BOX)
    with changing(ROOT, WEEDWATCH_MODEL_URLS=f"file://{box}/", WEEDWATCH_MAX_VERSION_BYTES=str(2**25)) as place:
        yield Uploading(place)


def archive_of(place: Changing, version: str, **changes: bytes) -> bytes:
    named = {name.replace("__", "."): content for name, content in changes.items()}
    return pack(as_version(members_of(place.archive), version) | named)


def test_an_uploaded_archive_is_checked_and_answers_when_it_is_asked_for(uploads: Uploading) -> None:
    answer = uploads.send({"archive": archive_of(uploads.place, "2")})
    assert (answer.status_code, answer.json()["state"]) == (202, "uploaded")
    eventually(lambda: uploads.place.metric("weedwatch_uploads_waiting_seconds") > 0, 60)
    again = uploads.send({"archive": archive_of(uploads.place, "2")})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")

    ended = uploads.ended("2")
    assert (ended["state"], ended["source"], ended["created_by"]) == ("ready", "upload", "admin")
    assert ended["labels"] == 9
    assert uploads.place.metric("weedwatch_uploads_total", outcome="ready") == 1
    eventually(lambda: uploads.place.metric("weedwatch_uploads_waiting_seconds") == 0, 60)
    assert uploads.place.change({"stable": "2"})["state"] == "done"
    assert uploads.place.change({"stable": "1"})["state"] == "done"


def test_an_upload_needs_the_token(uploads: Uploading) -> None:
    answer = uploads.place.http.post(f"{MODEL}/versions", files={"archive": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_a_version_that_answers_its_references_wrongly_is_refused(uploads: Uploading) -> None:
    pinned = members_of(uploads.place.archive)["reference.json"].replace(b'"confidence": 0', b'"confidence": 5')
    uploads.send({"archive": archive_of(uploads.place, "4", reference__json=pinned)})
    ended = uploads.ended("4")
    assert ended["state"] == "refused"
    assert "reference.json says" in ended["reason"]
    eventually(lambda: uploads.place.metric("weedwatch_uploads_total", outcome="refused") == 1, 60)
    # Refused is not for ever: the corrected archive may take the same number.
    uploads.send({"archive": archive_of(uploads.place, "4")})
    assert uploads.ended("4")["state"] == "ready"


def test_a_model_that_cannot_be_loaded_is_refused_in_the_handlers_words(uploads: Uploading) -> None:
    uploads.send({"archive": archive_of(uploads.place, "5", model__onnx=b"no network")})
    ended = uploads.ended("5")
    assert ended["state"] == "refused"
    assert "cannot be loaded" in ended["reason"]


def test_a_pickle_that_runs_a_command_never_runs(uploads: Uploading, tmp_path: Path) -> None:
    import pickle  # noqa: PLC0415 - to make one, not to load it

    marker = tmp_path / "marker"
    labels = members_of(uploads.place.archive)["class_labels.json"]
    uploads.send({"model": pickle.dumps(RunsACommand(marker)), "labels": labels}, "6")
    ended = uploads.ended("6")
    assert ended["state"] == "refused"
    assert "posix.system" in ended["reason"]
    assert not marker.exists()


def test_a_version_comes_from_a_url_below_an_allowed_prefix_only(
    uploads: Uploading, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    box = next(tmp_path_factory.getbasetemp().glob(f"{BOX}*"))
    (box / "plants.mar").write_bytes(archive_of(uploads.place, "7"))
    shutil.copy(box / "plants.mar", tmp_path / "outside.mar")
    (box / "link.mar").symlink_to(tmp_path / "outside.mar")

    def ask(url: str, version: str) -> "tuple[int, str]":
        body = {"version": version, "url": url}
        answer = uploads.place.http.post(f"{MODEL}/versions", json=body, headers=uploads.place.admin)
        return answer.status_code, str(answer.json().get("code", "taken"))

    assert ask(f"file://{tmp_path}/outside.mar", "7") == (422, "invalid_request")
    assert ask(f"file://{box}/../{tmp_path.name}/outside.mar", "7") == (422, "invalid_request")
    assert ask(f"file://{box}/link.mar", "8") == (202, "taken")
    assert "leads out" in uploads.ended("8")["reason"]
    assert ask(f"file://{box}/plants.mar", "7") == (202, "taken")
    ended = uploads.ended("7")
    assert (ended["state"], ended["source"]) == ("ready", f"file://{box}/plants.mar")


def test_a_form_that_makes_no_sense_is_refused_at_once(uploads: Uploading) -> None:
    good = archive_of(uploads.place, "9")
    for files, says in (
        ({"model": b"x"}, "labels"),
        ({"archive": good, "model": b"x"}, "either"),
        ({"archive": b"no zip"}, "no manifest"),
        ({"archive": archive_of(uploads.place, "../x")}, "cannot be used"),
    ):
        refused = uploads.send(files)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert says in refused.json()["detail"]
    large = uploads.send({"archive": bytes(2**25 + 1)}, "9")
    assert (large.status_code, large.json()["code"]) == (413, "file_too_large")
    quarantine = uploads.place.stack.state / "quarantine"
    assert [each.name for each in quarantine.iterdir() if each.is_dir()] == []
