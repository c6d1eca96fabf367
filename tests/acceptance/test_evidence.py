"""Evidence decides: evaluations, promotions, shadows, and a guard that sees a canary disagree."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.changing import MODEL, Changing, changing
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.versions import exchanged
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "model_store/sources/plants/1/samples"
LANTANA, HOGWEED = "Lantana camara", "Heracleum mantegazzianum"
SECONDS = 60.0


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="ww-"))  # pytest's own folders keep PostgreSQL's user out
    folder.chmod(0o755)
    try:
        with own_postgres(folder / "database") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def service(postgres: OwnPostgres) -> Iterator[Changing]:
    with changing(ROOT, DATABASE_URL=postgres.url) as found:
        source = found.store / "sources/plants/1"
        source.mkdir(parents=True)
        (source / "golden.json").write_text('{"generator": "drawn plants", "seed": 5, "per_class": 4}')
        found.add("2", exchanged(LANTANA, HOGWEED))
        found.add("3")
        yield found


def evaluated(service: Changing, version: str) -> dict[str, Any]:
    begun = service.http.post(f"{MODEL}/versions/{version}/evaluate", headers=service.admin)
    assert begun.status_code == 202, begun.text
    ended = service.ended(begun.headers["location"])
    assert (ended["state"], ended["version"]) == ("done", version), ended
    found: dict[str, Any] = service.http.get(f"{MODEL}/versions/{version}/evidence").json()
    return found


def promote(service: Changing, **wanted: Any) -> Any:
    headers = {**service.admin, "If-Match": f'"{service.facts()["rollout"]["revision"]}"'}
    return service.http.post(f"{MODEL}/promote", json=wanted, headers=headers)


def predict(service: Changing, sample: str, **asked: Any) -> dict[str, Any]:
    answer = service.http.post("/predict", files={"image": (SAMPLES / sample).read_bytes()}, **asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shadows(service: Changing, request_id: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := service.http.get(f"/history/{request_id}").json()["shadows"]:
            return list(found)
        time.sleep(0.2)
    return []


def test_without_evidence_nothing_is_promoted(service: Changing) -> None:
    refused = promote(service, version="2")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_promoted")
    assert [each["rule"] for each in refused.json()["errors"]] == ["evidence"]
    assert "weedwatch models evaluate plants 2" in refused.json()["detail"]
    assert service.http.get(f"{MODEL}/versions/2/evidence").status_code == 404


def test_two_exchanged_labels_are_found_and_refused_by_name(service: Changing) -> None:
    sighting = predict(service, "lantana.jpg", params={"consent": "true"})
    evidence = evaluated(service, "2")
    assert {flip["label"]: set(flip["to"]) for flip in evidence["flips"]} == {LANTANA: {HOGWEED}, HOGWEED: {LANTANA}}
    assert evidence["pictures"] == 36
    assert evidence["accuracy"]["against"] > evidence["accuracy"]["version"]
    records = [record for flip in evidence["flips"] for record in flip["records"]]
    assert sighting["request_id"] in [record["id"] for record in records if record["source"] == "sighting"]
    refused = promote(service, version="2")
    assert refused.status_code == 409
    named = [each["message"] for each in refused.json()["errors"] if each["rule"] == "flips_of_a_label_at_most"]
    assert len(named) == 2
    assert all(LANTANA in each and HOGWEED in each for each in named)
    assert service.stable == "1"
    shown = next(each for each in service.facts()["versions"] if each["version"] == "2")["evidence"]
    assert (shown["flipped"], shown["is_current"]) == (sum(flip["count"] for flip in evidence["flips"]), True)


def test_a_policy_that_cannot_be_read_stops_promotions_and_nobody_who_looks(service: Changing) -> None:
    file = service.store / "sources/plants/1/policy.yaml"
    file.write_text("least_picture: 7")
    try:
        refused = promote(service, version="2")
        assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (409, "policy")
        assert "least_picture" in refused.json()["detail"]
        assert service.facts()["versions"]
    finally:
        file.unlink()


def test_a_version_as_good_is_promoted_and_force_is_audited(service: Changing, postgres: OwnPostgres) -> None:
    assert evaluated(service, "3")["findings"] == []
    promoted = promote(service, version="3")
    assert promoted.status_code == 202, promoted.text
    assert service.ended(promoted.headers["location"])["state"] == "done"
    assert service.stable == "3"
    assert promote(service, version="2", force=True).status_code == 422  # without a reason
    forced = promote(service, version="2", force=True, reason="a test")
    assert service.ended(forced.headers["location"])["state"] == "done"
    assert service.stable == "2"
    acts = postgres.ask("SELECT array_agg(DISTINCT action) FROM audit")
    assert {"model.evaluated", "model.promote", "model.promote-forced", "model.forced"} <= set(acts)
    assert service.change(None)["state"] == "done"
    assert service.stable == "3"


def test_a_shadow_is_stored_with_the_answer_that_it_did_not_give(service: Changing) -> None:
    ended = service.change({"stable": "1", "shadow": "2", "shadow_percent": 100})
    assert ended["state"] == "done", ended
    wait_until(lambda: predict(service, "fern.jpg")["version"] == "1", SECONDS)
    lantana, knotweed = predict(service, "lantana.jpg"), predict(service, "knotweed.jpg")
    assert (lantana["version"], lantana["label"]) == ("1", LANTANA)
    (other,), (same,) = shadows(service, lantana["request_id"]), shadows(service, knotweed["request_id"])
    assert (other["version"], other["label"], other["agrees"]) == ("2", HOGWEED, False)
    assert (same["label"], same["agrees"]) == (knotweed["label"], True)
    assert service.http.post("/predict?version=2", content=b"x").status_code in (404, 422)
    seen = next(each for each in service.facts()["versions"] if each["version"] == "2")
    assert (seen["role"], seen["last_minute"]["disagreed"]) == ("shadow", 1)


def test_a_canary_that_stable_contradicts_is_taken_away(service: Changing) -> None:
    ended = service.change({"stable": "1", "canary": "2", "canary_percent": 50})
    assert ended["state"] == "done", ended
    deadline = time.monotonic() + SECONDS
    number = 0
    while service.facts()["rollout"]["canary"] and time.monotonic() < deadline:
        predict(service, ("lantana.jpg", "giant-hogweed.jpg")[number % 2], headers={"X-Sticky-Key": str(number)})
        number += 1
    facts = service.facts()
    assert facts["rollout"]["canary"] is None
    assert facts["operation"]["actor"] == "guard"
    assert "otherwise" in facts["operation"]["why"]
    assert 'weedwatch_guard_rollbacks_total{model="plants",reason="disagrees",version="2"} 1.0' in (
        service.http.get("/metrics").text
    )
