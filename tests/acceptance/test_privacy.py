"""Erasure, the audit and places through public HTTP and the commands; and no admin act without its row in the audit."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Browser, expect

from control_plane.access.policy import POLICY
from tests.acceptance.conftest import Service
from tests.waiting import eventually

GPS = {1: "N", 2: (52.0, 30.0, 36.0), 3: "W", 4: (13.0, 24.0, 0.0)}
MODEL = "/models/plants"
NOBODY = "01990000-0000-7000-8000-000000000000"


def tagged(photo: bytes) -> bytes:
    """The photo as a camera would have written it."""
    with Image.open(io.BytesIO(photo)) as image:
        exif = image.getexif()
        exif._ifds[ExifTags.IFD.GPSInfo] = exif[ExifTags.IFD.GPSInfo] = GPS
        taken: dict[int, Any] = {ExifTags.Base.DateTimeOriginal: "2026:05:01 10:11:12"}
        exif._ifds[ExifTags.IFD.Exif] = exif[ExifTags.IFD.Exif] = taken
        out = io.BytesIO()
        image.save(out, "JPEG", exif=exif)
        return out.getvalue()


def predict(service: Service, photo: bytes, headers: dict[str, str] | None = None, **fields: str) -> dict[str, Any]:
    answer = service.http.post("/predict", files={"image": photo}, data=fields, headers=headers or {})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def weedwatch(service: Service, *words: str) -> subprocess.CompletedProcess[str]:
    where = (
        "--url",
        f"http://127.0.0.1:{service.stack.port}",
        "--token-file",
        str(service.stack.state / "admin-token"),
    )
    command = [sys.executable, "-m", "weedwatch", *where, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def database(service: Service) -> Iterator[psycopg.Connection[Any]]:
    port = json.loads((service.stack.state / "run.json").read_text())["ports"]["postgres"]
    password = (service.stack.state / "postgres" / "password").read_text().strip()
    with psycopg.connect(f"postgresql://weedwatch:{password}@127.0.0.1:{port}/weedwatch", autocommit=True) as found:
        yield found


def test_time_and_place_are_read_only_of_a_photo_that_is_kept(service: Service, photo: bytes) -> None:
    sent = tagged(photo)
    kept, given = (
        predict(service, sent, consent="true"),
        predict(service, sent, consent="true", latitude="1", longitude="2"),
    )
    names = ("latitude", "longitude", "place_from_picture", "taken_at")
    assert [kept[name] for name in names] == [52.51, -13.4, True, "2026-05-01T10:11:12"]
    assert [given[name] for name in names] == [1, 2, False, "2026-05-01T10:11:12"]
    assert [predict(service, sent)[name] for name in names] == [None, None, False, None]
    picture = service.http.get(f"/history/{kept['request_id']}/image").content
    with Image.open(io.BytesIO(picture)) as image:
        assert not image.getexif()
    back = service.http.patch(f"/history/{kept['request_id']}", json={"consent": False}).json()
    assert [back[name] for name in names] == [None, None, False, None]
    later = predict(service, sent)["request_id"]
    service.http.patch(f"/history/{later}", json={"consent": True})
    put = service.http.put(f"/history/{later}/image", content=sent, headers={"Content-Type": "image/jpeg"}).json()
    assert [put[name] for name in names] == [52.51, -13.4, True, "2026-05-01T10:11:12"]


def test_a_record_is_erased_and_the_certificate_can_be_asked_for_again(service: Service, photo: bytes) -> None:
    made = predict(service, photo, consent="true", subject="Erasmus", latitude="1.5", longitude="2.5")
    path = f"/history/{made['request_id']}"
    certificate = service.http.delete(path).json()
    assert certificate["removed"]["records"] == 1
    assert service.http.get(f"/erasures/{certificate['id']}").json() == certificate
    assert [service.http.get(each).status_code for each in (path, f"{path}/image")] == [404, 404]
    assert service.http.delete(path).json()["code"] == "not_found"
    assert service.http.get(f"/erasures/{NOBODY}").status_code == 404
    assert service.http.post("/erasures", json={}).status_code == 422
    assert service.http.post("/erasures", json={"subject": "a\x00b"}).status_code == 422
    assert "Erasmus" not in json.dumps(certificate)


def test_a_person_is_erased_by_a_command(service: Service, photo: bytes) -> None:
    for _ in range(2):
        predict(service, photo, subject="Ludmilla")
    ended = weedwatch(service, "erase", "--subject", "Ludmilla", "--yes", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["removed"]["records"] == 2
    assert service.http.get("/history?q=Ludmilla").json()["items"] == []
    assert "Ludmilla" not in service.log("*.jsonl*")
    assert weedwatch(service, "erase").returncode == 2


def test_the_audit_says_who_did_what_from_where(service: Service) -> None:
    deleted = service.http.delete("/history?before=2020-01-01", headers=service.admin)
    newest = service.http.get("/audit?limit=1", headers=service.admin).json()["items"][0]
    assert (newest["action"], newest["address"]) == ("delete history", "127.0.0.1")
    assert newest["request_id"] == deleted.headers["x-request-id"]
    page = service.http.get(f"/audit?limit=1&cursor={newest['number']}", headers=service.admin).json()
    assert page["items"][0]["number"] == newest["number"] - 1
    assert service.http.get("/audit").status_code == 401
    found = service.http.get("/audit/verification", headers=service.admin).json()
    assert (found["holds"], found["rows"]) == (True, found["total"])


def test_a_changed_row_of_the_audit_is_found_by_a_command(service: Service) -> None:
    assert weedwatch(service, "audit", "ls").returncode == 0
    assert weedwatch(service, "audit", "verify").returncode == 0
    with database(service) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_only_added_to")
        connection.execute("UPDATE audit SET actor = 'x' || actor WHERE id = 1")
        ended = weedwatch(service, "audit", "verify")
        connection.execute("UPDATE audit SET actor = substr(actor, 2) WHERE id = 1")
        connection.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_only_added_to")
    assert ended.returncode == 1
    assert "Row 1 is not what was written" in ended.stdout
    assert weedwatch(service, "audit", "verify").returncode == 0


# What each admin act is asked with; every one that the policy knows must stand here.
ACTS: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("DELETE", "/history"): ("/history", {}),
    ("POST", "/models/{name}/versions"): (
        f"{MODEL}/versions",
        {"data": {"version": "8"}, "files": {"archive": ("plants-8.mar", b"unaudited")}},
    ),
    ("DELETE", "/models/{name}/versions/{version}"): (f"{MODEL}/versions/9", {}),
    ("PUT", "/models/{name}/versions/{version}/workers"): (f"{MODEL}/versions/1/workers", {"json": {"workers": 3}}),
    ("PUT", "/models/{name}/rollout"): (f"{MODEL}/rollout", {"json": {"stable": "9"}}),
    ("POST", "/models/{name}/promote"): (
        f"{MODEL}/promote",
        {"json": {"version": "9", "force": True, "reason": "a test"}},
    ),
    ("POST", "/models/{name}/rollback"): (f"{MODEL}/rollback", {}),
    ("POST", "/models/{name}/versions/{version}/evaluate"): (f"{MODEL}/versions/9/evaluate", {}),
    ("DELETE", "/models/{name}/operations/{number}"): (f"{MODEL}/operations/{NOBODY}", {}),
    ("POST", "/keys"): ("/keys", {"json": {"name": "unaudited"}}),
    ("DELETE", "/keys/{key_id}"): ("/keys/KEY", {}),
    ("POST", "/keys/{key_id}/rotation"): ("/keys/KEY/rotation", {"json": {}}),
}
TABLES = ("predictions", "deletions", "tombstones", "model_versions", "rollouts", "operations", "keys", "audit")


def test_no_admin_act_takes_effect_that_cannot_be_audited(service: Service, photo: bytes) -> None:
    asked = {key for key, access in POLICY.items() if access == "admin" and key[0] != "GET"}
    assert asked == set(ACTS)
    made = predict(service, photo, subject="Unaudited")
    key = service.http.post("/keys", json={"name": "audited"}, headers=service.admin).json()["id"]
    headers = {**service.admin, "If-Match": f'"{service.http.get(MODEL).json()["rollout"]["revision"]}"'}
    with database(service) as connection:
        _prepare(connection)
        before = contents(connection)
        connection.execute("REVOKE INSERT ON audit FROM CURRENT_USER")
        try:
            answers = {
                act: service.http.request(act[0], path.replace("KEY", key), headers=headers, **body)
                for act, (path, body) in ACTS.items()
            }
            answers["DELETE", "one"] = service.http.delete(f"/history/{made['request_id']}")
            answers["POST", "/erasures"] = service.http.post("/erasures", json={"subject": "Unaudited"})
            after = contents(connection)
        finally:
            connection.execute("GRANT INSERT ON audit TO CURRENT_USER")
            connection.execute("UPDATE rollouts SET previous = NULL")
            connection.execute("DELETE FROM operations WHERE id = %s", (NOBODY,))
            connection.execute("DELETE FROM model_versions WHERE version = '9'")
    eventually(lambda: service.http.get("/health/detailed").json()["database"]["up"], 60)
    assert {act: (each.status_code, each.text) for act, each in answers.items() if each.status_code != 503} == {}
    assert after == before
    service.http.delete(f"/keys/{key}", headers=service.admin)


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """A version that is ready, one to go back to, a change to cancel: each act would do something."""
    nine = '{"version": "9"}'
    connection.execute(
        "INSERT INTO model_versions SELECT (jsonb_populate_record(v, %s)).* FROM model_versions AS v "
        "WHERE version = '1'",
        (nine,),
    )
    connection.execute("UPDATE rollouts SET previous = '9'")
    connection.execute(
        "INSERT INTO operations (id, model, revision, stable, canary_percent, actor, action, state, stage) "
        "VALUES (%s, 'plants', 1, '1', 0, 'test', 'test', 'failed', 'cancelled')",
        (NOBODY,),
    )


def contents(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Of every table that an act may change, but for what the service notes by itself."""
    return {
        table: sorted(row for (row,) in connection.execute(f"SELECT t::text FROM {table} AS t"))  # noqa: S608
        for table in TABLES
    }


@pytest.fixture
def reader(service: Service) -> Iterator[dict[str, str]]:
    """A key without the scope `locations`."""
    made = service.http.post(
        "/keys", json={"name": "reader", "scopes": ["predict", "read"]}, headers=service.admin
    ).json()
    yield {"Authorization": f"Bearer {made['key']}"}
    service.http.delete(f"/keys/{made['id']}", headers=service.admin)


def test_exact_places_are_for_those_who_may_see_them(service: Service, photo: bytes, reader: dict[str, str]) -> None:
    exact = {"latitude": "52.51234", "longitude": "13.40321"}
    headers = {**reader, "Idempotency-Key": "blurred"}
    made = predict(service, photo, headers, **exact)
    path = f"/history/{made['request_id']}"
    eventually(lambda: service.http.get(path, headers=reader).is_success, 60)
    answers = [
        made,
        predict(service, photo, headers, **exact),
        service.http.get(path, headers=reader).json(),
        service.http.get("/history", headers=reader).json()["items"][0],
        service.http.patch(path, json={"subject": "plot"}, headers=reader).json(),
    ]
    assert [(each["latitude"], each["longitude"], each["location_blurred"]) for each in answers] == [
        (52.5, 13.4, True)
    ] * 5
    table = service.http.get("/history?format=csv", headers=reader).text
    assert "52.5,13.4" in table
    everything = table + json.dumps(answers) + json.dumps(service.http.get(path, headers=reader).json())
    assert "52.51" not in everything
    assert "13.403" not in everything
    seen = service.http.get(path, headers=service.admin).json()
    assert (seen["latitude"], seen["location_blurred"]) == (52.51234, False)


def test_a_sighting_is_erased_in_its_room(service: Service, photo: bytes, browser: Browser) -> None:
    made = predict(service, photo, consent="true")
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{service.stack.port}/#/sightings/{made['request_id']}")
    page.get_by_role("button", name="Erase this sighting").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    expect(dialog).to_contain_text(f"weedwatch erase {made['request_id']}")
    dialog.get_by_role("button", name="Erase", exact=True).click()
    expect(page.get_by_role("heading", name="Sightings", level=1)).to_be_visible()
    assert service.http.get(f"/history/{made['request_id']}").status_code == 404
    page.close()


def test_state_is_kept_for_itself(service: Service) -> None:
    heads = list(Path(service.stack.state / "audit").glob("*.json"))
    assert len(heads) == 1
