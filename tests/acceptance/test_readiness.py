"""Without a model it starts and says what is missing; a model that comes is served without a restart.

A dead canary is named and taken away by itself; workers come and go as asked for, and nobody notices.
"""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.conftest import ROOT
from tests.acceptance.test_models import asked_all_the_time
from tests.changing import MODEL, Changing, without_model
from tests.waiting import eventually

SECONDS = 120.0
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    """The tests of this module go on from each other."""
    with without_model(ROOT) as place:
        yield place


def test_without_a_model_it_starts_and_says_what_is_missing(models: Changing, photo: bytes) -> None:
    assert models.http.get("/health/live").status_code == 200
    assert models.http.get("/health/ready").status_code == 503
    assert "no archive" in models.reasons()
    assert "make archive" in models.reasons()
    assert models.metric("weedwatch_not_ready", reason="no_model") == 1
    assert models.metric("weedwatch_ready") == 0
    assert models.metric("weedwatch_torchserve_up", torchserve="1") == 1
    refused = models.http.post("/predict", content=photo, headers=JPEG)
    assert (refused.status_code, refused.json()["code"]) == (503, "model_not_loaded")
    assert models.http.get("/info").json()["models"] == []
    assert models.http.get("/info/example").status_code == 503
    assert models.http.get("/models").json() == {"items": []}
    assert models.http.get("/health/detailed").json()["versions"] == []
    assert [models.http.get(page).status_code for page in ("/", "/docs", "/health/live")] == [200, 200, 200]
    assert "cannot answer yet. There is no archive" in models.stack.output()


def test_an_archive_that_was_cut_short_is_another_reason_than_none(models: Changing) -> None:
    whole = models.aside.read_bytes()
    models.archive.write_bytes(whole[: len(whole) // 2])
    eventually(lambda: "plants-1.mar cannot be read" in models.reasons(), SECONDS)
    assert models.ping() == "Healthy"


def test_a_model_that_comes_is_served_without_a_restart(models: Changing, photo: bytes) -> None:
    control_plane = models.stack.process("control plane").pid
    shutil.copy(models.aside, models.archive)
    eventually(models.stack.is_ready, SECONDS)
    answer = models.http.post("/predict", content=photo, headers=JPEG)
    assert (answer.status_code, answer.json()["version"]) == (200, "1")
    assert models.metric("weedwatch_not_ready", reason="no_model") == 0
    assert models.metric("weedwatch_ready") == 1
    assert models.stack.process("control plane").pid == control_plane


def test_workers_come_and_go_as_asked_for_and_nobody_notices(models: Changing, photo: bytes) -> None:
    assert models.http.put(f"{MODEL}/versions/1/workers", json={"workers": 2}).status_code == 401
    with asked_all_the_time(models, photo) as answers:
        for workers in (3, 1, None):
            changed = models.http.put(f"{MODEL}/versions/1/workers", json={"workers": workers}, headers=models.admin)
            wanted = changed.json()["wanted_workers"]
            assert wanted == (workers or wanted)
            eventually(lambda wanted=wanted: models.registered() == {"1": wanted}, SECONDS)  # type: ignore[misc]
    assert {status for status, _, _ in answers} == {200}
    (version,) = models.facts()["versions"]
    assert all(worker["memory_bytes"] > 2**20 for worker in version["workers"])
    assert version["last_errors"] == []


def test_a_dead_canary_is_named_and_taken_away_by_itself(models: Changing, photo: bytes) -> None:
    models.add("2")
    assert models.change({"stable": "1", "canary": "2", "canary_percent": 50})["state"] == "done"
    eventually(lambda: models.http.get("/health/detailed").json()["versions"][-1]["reason"] is None, SECONDS)
    with asked_all_the_time(models, photo) as answers:
        models.break_unpacked("2")
        for pid in models.workers("2"):
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: models.health_of("2").get("reason") is not None, SECONDS)
        assert models.health_of("2")["role"] == "canary"
        assert models.stack.is_ready()
        canary = {"model": "plants", "version": "2", "part": "canary"}
        # TorchServe itself notices a little later than a reference picture that is not answered.
        eventually(lambda: models.metric("weedwatch_version_workers", **canary, state="ready") == 0, SECONDS)
        assert models.metric("weedwatch_version_workers", **canary, state="wanted") >= 1
        assert models.metric("weedwatch_rollout_share", **canary) == 0.5
        eventually(lambda: models.facts()["rollout"]["canary"] is None, SECONDS)

    assert {status for status, _, _ in answers} == {200}
    assert models.metric("weedwatch_guard_rollbacks_total", model="plants", version="2", reason="silent") == 1
    assert models.changes("rollout", "done") == 1
    eventually(lambda: models.changes("rollback", "done") == 1, SECONDS)
    assert "weedwatch_version_workers" in models.http.get("/metrics").text
    eventually(lambda: models.metric("weedwatch_version_workers", **canary, state="wanted") == 0, SECONDS)
    operation = models.facts()["operation"]
    assert (operation["actor"], operation["action"], operation["state"]) == ("guard", "rollback", "done")
    assert "has answered nothing" in operation["why"]
    (dead,) = (each for each in models.facts()["versions"] if each["version"] == "2")
    assert "has answered nothing" in " ".join(dead["last_errors"])
