"""What is said of a record after its answer: consent, the photo, the place; and what the Status room draws."""

import io
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from tests.acceptance.conftest import Service

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def record(service: Service, photo: bytes) -> str:
    """The request id of an answer that was given without consent."""
    answer = service.http.post("/predict", content=photo, headers=JPEG)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])


def put(service: Service, record: str, picture: bytes) -> httpx2.Response:
    return service.http.put(f"/history/{record}/image", content=picture, headers=JPEG)


def kept_files(service: Service) -> list[Path]:
    return list((service.stack.state / "pictures").rglob("*.jpg"))


def test_the_photo_is_kept_once_there_is_consent(service: Service, record: str, photo: bytes) -> None:
    before = len(kept_files(service))
    refused = put(service, record, photo)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert service.http.patch(f"/history/{record}", json={"consent": True}).json()["consent"]
    other = put(service, record, photo + b"\0")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert len(kept_files(service)) == before
    assert put(service, record, photo).json()["picture_kept"]
    thumb = service.http.get(f"/history/{record}/image?size=thumb")
    with Image.open(io.BytesIO(thumb.content)) as small:
        assert max(small.size) == 320
    taken_back = service.http.patch(f"/history/{record}", json={"consent": False}).json()
    assert (taken_back["consent"], taken_back["picture_kept"]) == (False, False)
    assert service.http.get(f"/history/{record}/image").status_code == 404


def test_a_photo_that_another_record_shows_stays(service: Service, photo: bytes) -> None:
    first, second = (
        service.http.post("/predict?consent=true", content=photo, headers=JPEG).json()["request_id"] for _ in range(2)
    )
    service.http.patch(f"/history/{first}", json={"consent": False})
    assert service.http.get(f"/history/{first}/image").status_code == 404
    assert service.http.get(f"/history/{second}/image").status_code == 200


def test_place_and_note_can_be_given_changed_and_taken_away(service: Service, record: str) -> None:
    given = {"latitude": 52.5, "longitude": 13.4, "subject": "ditch"}
    for changes in (given, {"subject": None}, {"latitude": None, "longitude": None}):
        answer = service.http.patch(f"/history/{record}", json=changes)
        assert answer.status_code == 200, answer.text
        expected = {name: answer.json()[name] for name in changes}
        assert expected == changes
    assert service.http.get(f"/history/{record}").json() == {**answer.json(), "shadows": []}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"latitude": 1}', "invalid_request"),
        (b'{"label": "Rosa"}', "invalid_request"),
        (b"no json", "invalid_request"),
        (b'{"subject": "' + b"a" * 5000 + b'"}', "invalid_request"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(service: Service, record: str, body: bytes, code: str) -> None:
    before = service.http.get(f"/history/{record}").json()
    answer = service.http.patch(f"/history/{record}", content=body)
    assert answer.json()["code"] == code
    assert service.http.get(f"/history/{record}").json() == before


def test_what_is_not_there_cannot_be_changed(service: Service, photo: bytes) -> None:
    nobody = "01999f2c-0000-7000-8000-000000000000"
    assert service.http.patch(f"/history/{nobody}", json={"consent": True}).json()["code"] == "not_found"
    assert put(service, nobody, photo).json()["code"] == "not_found"


@pytest.mark.usefixtures("record")
def test_the_last_hour_knows_of_an_answer_within_seconds(service: Service) -> None:
    deadline = time.monotonic() + 60
    while True:
        series = service.http.get("/status/series").json()
        if sum(point["verdicts"]["species"] for point in series["points"]) > 0:
            break
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert (series["source"], series["step_seconds"]) == ("control_plane", 60)
    newest = [point for point in series["points"] if point["answered"]][-1]
    assert 0 < newest["p50_seconds"] <= newest["p95_seconds"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(newest["at"])).total_seconds()) < 3600


def test_the_old_address_of_the_charts_leads_to_the_room(service: Service) -> None:
    assert service.http.get("/monitoring").headers["location"] == "/#/status"


def test_an_example_to_try_it_with_is_there(service: Service) -> None:
    example = service.http.get("/info/example")
    assert service.http.post("/predict", content=example.content, headers=JPEG).json()["verdict"] in {
        "species",
        "not_a_target",
    }
