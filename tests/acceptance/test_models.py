"""Versions change under load and nobody notices; a version that cannot be loaded reaches nobody."""

import json
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acceptance.conftest import ROOT, Service
from tests.acceptance.running import wait_until
from tests.proofs.stack import Stack, running
from tests.versions import as_version

SECONDS = 120.0
BUILT = ROOT / "model_store" / "plants-1.mar"


@pytest.fixture(scope="module")
def models(service: Service) -> Iterator[Service]:
    """A service with a model store of its own, which begins with the archive that `service` has built."""
    service.http.get("/health/ready").raise_for_status()
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    store = folder / "store"
    store.mkdir()
    shutil.copy(BUILT, store)
    try:
        with (
            running(Stack(ROOT, folder, environment={"WEEDWATCH_MODEL_STORE": str(store)})) as stack,
            httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60) as http,
        ):
            yield Service(stack, http)
    finally:
        shutil.rmtree(folder)


def store_of(models: Service) -> Path:
    return models.stack.folder / "store"


def facts(models: Service) -> dict[str, Any]:
    answer = models.http.get("/models/plants")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert answer.headers["etag"] == f'"{body["rollout"]["revision"]}"'
    return body


def add(models: Service, version: str) -> None:
    added = models.http.post("/models/plants/versions", json={"version": version}, headers=models.admin)
    assert (added.status_code, added.json()["state"]) == (201, "ready"), added.text


def change(models: Service, wanted: dict[str, Any] | None) -> dict[str, Any]:
    """Ask for a rollout, None for a rollback, and wait until that has ended."""
    headers = {**models.admin, "If-Match": f'"{facts(models)["rollout"]["revision"]}"'}
    if wanted is None:
        begun = models.http.post("/models/plants/rollback", headers=headers)
    else:
        begun = models.http.put("/models/plants/rollout", json=wanted, headers=headers)
    assert begun.status_code == 202, begun.text
    operation: dict[str, Any] = {}

    def ended() -> bool:
        operation.update(models.http.get(begun.headers["location"]).json())
        return str(operation["state"]) != "running"

    wait_until(ended, SECONDS)
    return operation


def registered(models: Service) -> set[str]:
    """The versions that TorchServe has."""
    port = json.loads((models.stack.state / "run.json").read_text())["ports"]["management"]
    answer = httpx2.get(f"http://127.0.0.1:{port}/models/plants/all", timeout=10)
    return {each["modelVersion"] for each in answer.json()} if answer.status_code == 200 else set()


@contextmanager
def asked_all_the_time(models: Service, photo: bytes) -> Iterator[list[tuple[int, str, str]]]:
    """Three clients ask meanwhile; what they were answered: status, version, role."""
    answers: list[tuple[int, str, str]] = []
    over = threading.Event()

    def ask() -> None:
        with httpx2.Client(base_url=models.http.base_url, timeout=60) as http:
            while not over.is_set():
                answer = http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"})
                body = answer.json()
                answers.append((answer.status_code, str(body.get("version", body)), str(body.get("role"))))

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        yield answers
    finally:
        over.set()
        for client in clients:
            client.join()


def test_a_change_needs_the_token_and_the_revision_that_was_read(models: Service) -> None:
    wanted = {"stable": "1"}
    assert models.http.put("/models/plants/rollout", json=wanted).status_code == 401
    for given in ({}, {"If-Match": '"0"'}, {"If-Match": "x"}):
        refused = models.http.put("/models/plants/rollout", json=wanted, headers={**models.admin, **given})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


def test_what_is_not_there_is_said(models: Service) -> None:
    assert models.http.get("/models/roses").json()["code"] == "model_not_found"
    missing = models.http.post("/models/plants/versions", json={"version": "77"}, headers=models.admin)
    assert missing.status_code == 404
    assert "make archive" in missing.json()["detail"]
    headers = {**models.admin, "If-Match": f'"{facts(models)["rollout"]["revision"]}"'}
    unknown = models.http.put("/models/plants/rollout", json={"stable": "77"}, headers=headers)
    assert unknown.json()["code"] == "model_not_found"


def test_versions_change_under_load_and_nobody_notices(models: Service, photo: bytes) -> None:
    as_version(BUILT, store_of(models), "2")
    add(models, "2")
    with asked_all_the_time(models, photo) as answers:
        wait_until(lambda: len(answers) > 5, SECONDS)
        assert change(models, {"stable": "2"})["state"] == "done"
        wait_until(lambda: answers[-1][1] == "2", SECONDS)
        wait_until(lambda: registered(models) == {"2"}, SECONDS)
        assert change(models, None)["state"] == "done"
        wait_until(lambda: answers[-1][1] == "1", SECONDS)
        wait_until(lambda: registered(models) == {"1"}, SECONDS)
        models.http.get("/health/ready").raise_for_status()

    assert {status for status, _, _ in answers} == {200}
    assert {version for _, version, _ in answers} == {"1", "2"}
    assert {role for _, _, role in answers} == {"stable"}


def test_a_canary_answers_its_share_and_a_key_stays_with_its_version(models: Service, photo: bytes) -> None:
    as_version(BUILT, store_of(models), "2")
    add(models, "2")
    assert change(models, {"stable": "1", "canary": "2", "canary_percent": 30})["state"] == "done"

    def version_for(key: str) -> tuple[str, str]:
        headers = {"Content-Type": "image/jpeg", "X-Sticky-Key": key}
        answer = models.http.post("/predict", content=photo, headers=headers).json()
        return answer["version"], answer["role"]

    wait_until(lambda: {each["version"] for each in models.http.get("/info").json()["models"]} == {"1", "2"}, SECONDS)
    keys = [f"person-{number}" for number in range(40)]
    first = [version_for(key) for key in keys]
    assert first == [version_for(key) for key in keys]
    assert set(first) == {("1", "stable"), ("2", "canary")}
    assert 3 <= Counter(first)["2", "canary"] <= 22

    in_use = models.http.delete("/models/plants/versions/2", headers=models.admin)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "conflict")
    assert change(models, None)["state"] == "done"
    wait_until(lambda: registered(models) == {"1"}, SECONDS)
    assert models.http.delete("/models/plants/versions/2", headers=models.admin).status_code == 204
    assert [each["version"] for each in facts(models)["versions"]] == ["1"]


def test_a_version_that_cannot_be_loaded_reaches_nobody_and_the_cause_is_said(models: Service, photo: bytes) -> None:
    as_version(BUILT, store_of(models), "3", {"model.onnx": lambda content: content[:1000]})
    add(models, "3")
    with asked_all_the_time(models, photo) as answers:
        operation = change(models, {"stable": "3"})
        wait_until(lambda: registered(models) == {"1"}, SECONDS)

    assert operation["state"] == "failed"
    assert "cannot be loaded" in operation["message"]
    assert "onnx" in operation["message"].lower()
    assert {(status, version) for status, version, _ in answers} == {(200, "1")}
    (sick,) = (each for each in facts(models)["versions"] if each["version"] == "3")
    assert (sick["state"], sick["role"]) == ("sick", None)


def test_a_version_that_answers_its_references_wrongly_is_refused(models: Service) -> None:
    def swapped(content: bytes) -> bytes:
        labels = json.loads(content)
        return json.dumps([*labels[1:], labels[0]]).encode()

    as_version(BUILT, store_of(models), "4", {"class_labels.json": swapped})
    add(models, "4")
    operation = change(models, {"stable": "4"})

    assert operation["state"] == "failed"
    assert "was answered" in operation["message"]
    models.http.get("/health/ready").raise_for_status()
    assert facts(models)["rollout"]["stable"] == "1"


def test_one_change_at_a_time_and_one_under_way_can_be_cancelled(models: Service) -> None:
    as_version(BUILT, store_of(models), "5")
    add(models, "5")
    headers = {**models.admin, "If-Match": f'"{facts(models)["rollout"]["revision"]}"'}
    begun = models.http.put("/models/plants/rollout", json={"stable": "5"}, headers=headers)
    second = models.http.put("/models/plants/rollout", json={"stable": "5"}, headers=headers)
    assert (second.status_code, "under way" in second.json()["detail"]) == (409, True)

    cancelled = models.http.delete(begun.headers["location"], headers=models.admin).json()
    assert (cancelled["state"], cancelled["stage"]) == ("failed", "cancelled")
    wait_until(lambda: registered(models) == {"1"}, SECONDS)
    assert facts(models)["rollout"]["stable"] == "1"


def test_killed_torchserve_and_control_plane_come_back_to_what_is_wanted(models: Service, photo: bytes) -> None:
    for kind in ("java", "control plane"):
        models.stack.process(kind).kill()
        time.sleep(1)
        wait_until(models.stack.is_ready, SECONDS)
        answer = models.http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"})
        assert (answer.status_code, answer.json()["version"]) == (200, "1")
