"""What a client finds behind one address, with real TorchServe and PostgreSQL."""

import csv
import io
import json
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from PIL import Image
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from control_plane.version import VERSION
from tests.acceptance.conftest import SAMPLES, Service

PROBLEM = "application/problem+json"


def predict(service: Service, photo: bytes, headers: dict[str, str] | None = None, **fields: str) -> dict[str, object]:
    answer = service.http.post("/predict", files={"image": ("photo.jpg", photo)}, data=fields, headers=headers)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert isinstance(body, dict)
    return body


def test_a_photo_gets_names_and_the_record_is_there(service: Service, photo: bytes) -> None:
    answer = predict(service, photo, subject="ditch 7", latitude="52.5", longitude="13.4")
    assert answer["verdict"] == "species"
    assert answer["label"] == "Reynoutria japonica"
    assert answer["model"] == "plants"
    candidates = answer["predictions"]
    assert isinstance(candidates, list)
    assert [each["confidence"] for each in candidates] == sorted((c["confidence"] for c in candidates), reverse=True)
    assert len(candidates) == 3
    assert UUID(str(answer["request_id"])).version == 7
    assert service.http.get(f"/history/{answer['request_id']}").json() == {**answer, "shadows": []}


@pytest.mark.parametrize("sample", sorted(file.name for file in SAMPLES.glob("*.jpg")))
def test_every_committed_sample_gets_an_answer_as_form_and_raw(service: Service, sample: str) -> None:
    photo = (SAMPLES / sample).read_bytes()
    form = predict(service, photo)
    raw = service.http.post("/predict?top_k=9", content=photo, headers={"Content-Type": "image/jpeg"}).json()
    assert raw["label"] == form["label"]
    assert sum(each["confidence"] for each in raw["predictions"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_same_picture_in_another_format_gets_the_same_name(service: Service, photo: bytes, kind: str) -> None:
    out = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        image.save(out, kind)
    assert predict(service, out.getvalue())["label"] == "Reynoutria japonica"


def test_the_request_id_is_in_header_body_logs_of_both_sides_and_history(service: Service, photo: bytes) -> None:
    sent = {"X-Request-ID": "client-42", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    answer = service.http.post("/predict", files={"file": ("a.jpg", photo)}, headers=sent)
    body = answer.json()
    minted = body["request_id"]
    assert answer.headers["X-Request-ID"] == minted != "client-42"
    assert answer.headers["X-Correlation-ID"] == body["correlation_id"] == "client-42"
    assert [each["request_id"] for each in service.http.get("/history?q=client-42").json()["items"]] == [minted]
    deadline = time.monotonic() + 30
    while not (minted in service.log("control_plane*") and minted in service.log("handler*")):
        assert time.monotonic() < deadline, "the request id is not in the logs of control plane and handler"
        time.sleep(0.2)
    lines = [json.loads(line) for line in service.log("control_plane.jsonl").splitlines() if minted in line]
    assert {"timestamp", "level", "message", "module", "function"} <= set(lines[-1])


def test_a_reused_client_id_loses_no_record(service: Service, photo: bytes) -> None:
    ids = {str(predict(service, photo, headers={"X-Request-ID": "again"})["request_id"]) for _ in range(3)}
    found = {each["request_id"] for each in service.http.get("/history?q=again").json()["items"]}
    assert ids <= found
    assert len(ids) == 3


@pytest.mark.parametrize("malformed", ["a b", "x" * 129, "ü".encode().decode("latin-1")])
def test_a_malformed_client_id_is_ignored(service: Service, photo: bytes, malformed: str) -> None:
    answer = service.http.post(
        "/predict", files={"image": ("a.jpg", photo)}, headers=[(b"x-request-id", malformed.encode("latin-1"))]
    )
    assert answer.status_code == 200
    assert answer.json()["correlation_id"] is None


def test_a_picture_is_kept_only_with_consent_and_without_its_metadata(service: Service, photo: bytes) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret garden"
    out = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        image.save(out, "JPEG", exif=exif)
    without = predict(service, out.getvalue())
    refused = service.http.get(f"/history/{without['request_id']}/image")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    kept = predict(service, out.getvalue(), consent="true")
    assert (without["picture_kept"], kept["picture_kept"]) == (False, True)
    picture = service.http.get(f"/history/{kept['request_id']}/image")
    assert picture.headers["content-type"] == "image/jpeg"
    assert b"secret garden" not in picture.content
    with Image.open(io.BytesIO(picture.content)) as image, Image.open(io.BytesIO(photo)) as original:
        assert image.size == original.size


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("top_k=0", {}, "invalid_request"),
        ("top_k=many", {}, "invalid_request"),
        ("latitude=1", {}, "invalid_request"),
        ("latitude=nan&longitude=1", {}, "invalid_request"),
        ("subject=a%00b", {}, "invalid_request"),
        ("model=other", {}, "model_not_found"),
        ("version=77", {}, "model_not_found"),
        ("", {"X-Deadline-Ms": "0"}, "invalid_request"),
        ("", {"X-Deadline-Ms": "1"}, "deadline_exceeded"),
    ],
)
def test_a_bad_parameter_is_a_documented_problem(
    service: Service, photo: bytes, query: str, headers: dict[str, str], code: str
) -> None:
    answer = service.http.post(f"/predict?{query}", content=photo, headers={"Content-Type": "image/jpeg", **headers})
    body = answer.json()
    assert answer.headers["content-type"] == PROBLEM
    assert (body["code"], body["status"]) == (code, answer.status_code)
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert service.http.get(f"/history/{body['request_id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", "not_found"),
        ("GET", "/predict", "method_not_allowed"),
        ("GET", "/history/no-uuid", "invalid_request"),
        ("GET", "/history?cursor=!!", "invalid_request"),
        ("GET", "/history?limit=0", "invalid_request"),
        ("GET", "/history?q=%00", "invalid_request"),
        ("GET", "/history?since=yesterday", "invalid_request"),
        ("GET", "/history?since=0001-01-01T00:00:00", None),
        ("GET", "/history?until=9999-12-31T23:59:59", None),
        ("DELETE", "/history", "unauthorized"),
        ("GET", "/ui/../../pyproject.toml", "not_found"),
        ("GET", "/ui/%2e%2e/pyproject.toml", "not_found"),
    ],
)
def test_every_other_address_answers_in_the_same_form(
    service: Service, method: str, path: str, code: str | None
) -> None:
    answer = service.http.request(method, path)
    if code is None:
        assert answer.status_code == 200
    else:
        assert (answer.headers["content-type"], answer.json()["code"]) == (PROBLEM, code)


def test_history_pages_through_every_record_once(service: Service, photo: bytes) -> None:
    sent = [str(predict(service, photo, subject="paging")["request_id"]) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2", "q": "paging"} | ({"cursor": cursor} if cursor else {})
        page = service.http.get("/history", params=query).json()
        seen += [each["request_id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sent[::-1]


def test_history_as_csv_cannot_start_a_formula(service: Service, photo: bytes) -> None:
    predict(service, photo, subject="=1+1")
    answer = service.http.get("/history?format=csv&q=%3D1%2B1")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert row["subject"] == "'=1+1"
    assert row["label"] == "Reynoutria japonica"


def test_health_info_and_pages_tell_what_is_there(service: Service) -> None:
    assert service.http.get("/health").json() == {"status": "ok", "version": VERSION, "model_loaded": True}
    assert service.http.get("/health/live").json() == {"live": True}
    ready = service.http.get("/health/ready").json()
    assert ready["ready"]
    assert ready["reference"]["passed"] == ready["reference"]["total"] > 0
    detailed = service.http.get("/health/detailed").json()
    assert detailed["database"]["up"]
    assert all(worker["ready"] for worker in detailed["workers"])
    assert detailed["machine"]["memory_total_bytes"] > 0
    info = service.http.get("/info").json()
    assert "Reynoutria japonica" in info["models"][0]["labels"]
    assert info["limits"]["max_image_bytes"] == 32 * 2**20


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_api_pages_load_nothing_from_elsewhere(service: Service, page: str) -> None:
    answer = service.http.get(page)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert loaded
    for address in loaded:
        assert address.startswith("/")
        assert service.http.get(address).status_code == 200


def test_openapi_describes_every_answer(service: Service) -> None:
    document = service.http.get("/openapi.json").json()
    assert {"/predict", "/history", "/history/{request_id}", "/health/ready", "/info", "/metrics"} <= set(
        document["paths"]
    )
    assert "HTTPValidationError" not in json.dumps(document)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            expected = "application/json" if path.startswith("/v2") else PROBLEM
            assert {*operation["responses"]["4XX"]["content"]} == {expected}
    assert "multipart/form-data" in document["paths"]["/predict"]["post"]["requestBody"]["content"]


def test_metrics_count_what_happened(service: Service, photo: bytes) -> None:
    def values() -> dict[tuple[str, tuple[str, ...]], float]:
        answer = service.http.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        return {
            (sample.name, tuple(sorted(sample.labels.values()))): sample.value
            for family in text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
            for sample in family.samples
        }

    before = values()
    predict(service, photo)
    service.http.post("/predict", content=b"text", headers={"Content-Type": "image/jpeg"})
    service.http.post("/predict")
    after = values()

    def grown(name: str, *labels: str) -> float:
        return after.get((name, tuple(sorted(labels))), 0) - before.get((name, tuple(sorted(labels))), 0)

    assert grown("prediction_requests_total") == 3
    assert grown("prediction_processing_time_ms_count") == 1
    assert grown("prediction_errors_total", "no_image_provided") == 1
    assert grown("prediction_errors_total", "processing_error") == 1
    assert grown("weedwatch_predictions_total", "plants", "1", "stable", "species") == 1
    assert grown("weedwatch_errors_total", "invalid_image") == 1
    for stage in ("receive", "check", "queue", "torchserve", "preprocess", "inference", "record"):
        assert grown("weedwatch_stage_seconds_count", stage) >= 1
    assert after["weedwatch_ready", ()] == 1
    assert after["weedwatch_database_up", ()] == 1
    assert {"0.5", "1.0", "2.0", "3.0", "5.0"} <= {
        labels[0] for name, labels in after if "time_ms_bucket" not in name and labels and "." in labels[0]
    }


def test_a_browser_page_of_a_listed_origin_may_call(service: Service) -> None:
    asked = {"Origin": "https://field.example", "Access-Control-Request-Method": "POST"}
    assert service.http.options("/predict", headers=asked).headers["access-control-allow-origin"] == asked["Origin"]
    other = service.http.options("/predict", headers={**asked, "Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers


def test_more_requests_than_workers_are_all_answered_and_recorded(service: Service, photo: bytes) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: predict(service, photo, subject="crowd"), range(48)))
    ids = {str(each["request_id"]) for each in answers}
    found = {each["request_id"] for each in service.http.get("/history?q=crowd&limit=200").json()["items"]}
    assert len(ids) == 48
    assert ids == found


def test_deleting_the_history_needs_the_admin_and_is_audited(service: Service, photo: bytes) -> None:
    kept = predict(service, photo, consent="true")
    assert stat.S_IMODE((service.stack.state / "admin-token").stat().st_mode) == 0o600
    wrong = service.http.delete("/history", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
    assert service.http.delete("/history?before=2020-01-01", headers=service.admin).json() == {"deleted": 0}
    deleted = service.http.delete("/history?before=2099-01-01", headers=service.admin).json()["deleted"]
    assert deleted >= 1
    assert service.http.get("/history").json() == {"items": [], "next_cursor": None}
    assert service.http.get(f"/history/{kept['request_id']}/image").status_code == 404
    assert not list((service.stack.state / "pictures").rglob("*.jpg"))
