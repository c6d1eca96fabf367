"""Versions change under load and nobody notices; a version that cannot be loaded reaches nobody."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.conftest import ROOT
from tests.changing import Changing, changing
from tests.load import repeating
from tests.waiting import eventually

SECONDS = 120.0
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    with changing(ROOT) as place:
        yield place


@contextmanager
def asked_all_the_time(models: Changing, photo: bytes) -> Iterator[list[tuple[int, str, str]]]:
    """Three clients ask meanwhile; what they were answered: status, version, role."""

    def ask(_: int) -> tuple[int, str, str]:
        answer = models.http.post("/predict", content=photo, headers=JPEG)
        body = answer.json()
        return answer.status_code, str(body.get("version", body)), str(body.get("role"))

    with repeating(ask, clients=3) as answers:
        yield answers


def only(models: Changing, version: str) -> None:
    eventually(lambda: set(models.registered()) == {version}, SECONDS)


def test_a_change_needs_the_token_and_the_revision_that_was_read(models: Changing) -> None:
    wanted = {"stable": "1"}
    assert models.http.put("/models/plants/rollout", json=wanted).status_code == 401
    for given in ({}, {"If-Match": '"0"'}, {"If-Match": "x"}):
        refused = models.http.put("/models/plants/rollout", json=wanted, headers={**models.admin, **given})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_what_is_not_there_is_said(models: Changing) -> None:
    assert models.http.get("/models/roses").json()["code"] == "model_not_found"
    missing = models.http.post("/models/plants/versions", json={"version": "77"}, headers=models.admin)
    assert missing.status_code == 404
    assert "make archive" in missing.json()["detail"]
    assert models.ask_for({"stable": "77"}).json()["code"] == "model_not_found"


def test_versions_change_under_load_and_nobody_notices(models: Changing, photo: bytes) -> None:
    models.add("2")
    with asked_all_the_time(models, photo) as answers:
        eventually(lambda: len(answers) > 5, SECONDS)
        assert models.change({"stable": "2"})["state"] == "done"
        eventually(lambda: answers[-1][1] == "2", SECONDS)
        only(models, "2")
        assert models.change(None)["state"] == "done"
        eventually(lambda: answers[-1][1] == "1", SECONDS)
        only(models, "1")
        models.http.get("/health/ready").raise_for_status()

    assert {status for status, _, _ in answers} == {200}
    assert {version for _, version, _ in answers} == {"1", "2"}
    assert {role for _, _, role in answers} == {"stable"}


def test_a_canary_answers_its_share_and_a_key_stays_with_its_version(models: Changing, photo: bytes) -> None:
    models.add("2")
    assert models.change({"stable": "1", "canary": "2", "canary_percent": 30})["state"] == "done"

    def version_for(key: str) -> tuple[str, str]:
        answer = models.http.post("/predict", content=photo, headers={**JPEG, "X-Sticky-Key": key}).json()
        return answer["version"], answer["role"]

    eventually(lambda: {each["version"] for each in models.http.get("/info").json()["models"]} == {"1", "2"}, SECONDS)
    keys = [f"person-{number}" for number in range(40)]
    first = [version_for(key) for key in keys]
    assert first == [version_for(key) for key in keys]
    assert set(first) == {("1", "stable"), ("2", "canary")}
    assert 3 <= Counter(first)["2", "canary"] <= 22

    in_use = models.http.delete("/models/plants/versions/2", headers=models.admin)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "conflict")
    assert models.change(None)["state"] == "done"
    only(models, "1")
    assert models.http.delete("/models/plants/versions/2", headers=models.admin).status_code == 204
    assert [each["version"] for each in models.facts()["versions"]] == ["1"]


def slow(content: bytes) -> bytes:
    return content.replace(b"        rows = [\n", b"        __import__('time').sleep(0.3)\n        rows = [\n", 1)


def failing(content: bytes) -> bytes:
    """At every picture with this comment in it: the reference pictures have none."""
    raising = b"""
        if any(b"canary-must-fail" in bytes(row.get("body", b"")) for row in data):
            raise OSError
"""
    return content.replace(b"        rows = [\n", raising + b"        rows = [\n", 1)


@pytest.mark.parametrize(("version", "change", "word"), [("7", slow, "takes"), ("8", failing, "failed")])
def test_a_canary_that_does_worse_is_taken_away_by_itself(
    models: Changing, photo: bytes, version: str, change: Callable[[bytes], bytes], word: str
) -> None:
    note = b"canary-must-fail"
    marked = photo[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + photo[2:]
    models.add(version, plant_classifier__py=change)
    assert models.change({"stable": "1", "canary": version, "canary_percent": 50})["state"] == "done"
    began = time.monotonic()
    with asked_all_the_time(models, marked) as answers:
        eventually(lambda: models.facts()["rollout"]["canary"] is None, SECONDS)
    assert time.monotonic() - began < 60

    operation = models.facts()["operation"]
    assert (operation["actor"], operation["action"], operation["state"]) == ("guard", "rollback", "done")
    assert word in operation["why"]
    reason = {"takes": "slow", "failed": "failed"}[word]
    labels = {"model": "plants", "version": version, "reason": reason}
    eventually(lambda: models.metric("weedwatch_guard_rollbacks_total", **labels) == 1, SECONDS)
    assert {role for _, _, role in answers} >= {"stable"}
    only(models, "1")


def test_a_version_that_cannot_be_loaded_reaches_nobody_and_the_cause_is_said(models: Changing, photo: bytes) -> None:
    models.add("3", model__onnx=lambda content: content[:1000])
    failed = models.changes("rollout", "failed")
    with asked_all_the_time(models, photo) as answers:
        operation = models.change({"stable": "3"})
        only(models, "1")

    assert operation["state"] == "failed"
    assert models.changes("rollout", "failed") == failed + 1
    assert "cannot be loaded" in operation["message"]
    assert "onnx" in operation["message"].lower()
    assert {(status, version) for status, version, _ in answers} == {(200, "1")}
    (sick,) = (each for each in models.facts()["versions"] if each["version"] == "3")
    assert (sick["state"], sick["role"]) == ("sick", None)
    named = {"model": "plants", "version": "3"}
    eventually(lambda: models.metric("weedwatch_version_sick", **named) == 1, SECONDS)
    assert models.ask_for({"stable": "3"}).json()["code"] == "conflict"


def test_a_version_that_answers_its_references_wrongly_is_refused(models: Changing) -> None:
    def swapped(content: bytes) -> bytes:
        labels = json.loads(content)
        return json.dumps([*labels[1:], labels[0]]).encode()

    models.add("4", class_labels__json=swapped)
    operation = models.change({"stable": "4"})

    assert operation["state"] == "failed"
    assert "was answered" in operation["message"]
    models.http.get("/health/ready").raise_for_status()
    assert models.stable == "1"


def test_a_change_can_be_watched_until_it_has_ended(models: Changing) -> None:
    models.add("9")
    location = models.ask_for({"stable": "1", "canary": "9", "canary_percent": 1}).headers["location"]
    with models.http.stream("GET", f"{location}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(line.removeprefix("data: ")) for line in events.iter_lines() if line.startswith("data: ")]

    assert [told[0]["state"], told[-1]["state"]] == ["running", "done"]
    assert len({(each["stage"], each["message"]) for each in told}) == len(told) >= 3
    gone = models.http.get("/models/plants/operations/01890000-0000-7000-8000-000000000000/events")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert models.change(None)["state"] == "done"


def test_a_version_whose_archive_is_gone_fails_at_once(models: Changing) -> None:
    models.add("6")
    (models.store / "plants-6.mar").unlink()
    operation = models.change({"stable": "6"})
    assert operation["state"] == "failed"
    assert "no archive" in operation["message"]
    assert models.stable == "1"


def test_one_change_at_a_time_and_one_under_way_can_be_cancelled(models: Changing) -> None:
    models.add("5")
    begun, second = models.ask_for({"stable": "5"}), models.ask_for({"stable": "5"})
    assert (second.status_code, "under way" in second.json()["detail"]) == (409, True)

    before = models.changes("rollout", "cancelled")
    cancelled = models.http.delete(begun.headers["location"], headers=models.admin).json()
    assert (cancelled["state"], cancelled["stage"]) == ("failed", "cancelled")
    models.http.delete(begun.headers["location"], headers=models.admin)  # it has ended
    assert models.changes("rollout", "cancelled") == before + 1
    only(models, "1")
    assert models.stable == "1"


def test_killed_torchserve_and_control_plane_come_back_to_what_is_wanted(models: Changing, photo: bytes) -> None:
    for kind in ("java", "control plane"):
        models.stack.process(kind).kill()
        time.sleep(1)
        eventually(models.stack.is_ready, SECONDS)
        answer = models.http.post("/predict", content=photo, headers=JPEG)
        assert (answer.status_code, answer.json()["version"]) == (200, "1")
