"""What the logs of a real service say: the same keys in every part, and one line for a prediction."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.conftest import Service

KEYS = {"timestamp", "level", "logger", "message"}
LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def lines(service: Service, pattern: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log(pattern).splitlines() if line.strip()]


def of(service: Service, request_id: str, pattern: str) -> list[dict[str, Any]]:
    """The lines of a request, when the newest has come."""
    deadline = time.monotonic() + 30
    while not (found := [line for line in lines(service, pattern) if line.get("request_id") == request_id]):
        assert time.monotonic() < deadline, f"{request_id} is not in {pattern}"
        time.sleep(0.1)
    return found


@pytest.mark.parametrize("pattern", ["control_plane.jsonl", "handler.log", "torchserve.log", "access.log"])
def test_every_part_logs_json_with_the_same_keys(service: Service, photo: bytes, pattern: str) -> None:
    answer = service.http.post("/predict", files={"image": ("a.jpg", photo)})
    of(service, answer.json()["request_id"], "handler.log")
    found = lines(service, pattern)
    assert found
    for line in found:
        assert set(line) >= KEYS
        assert line["level"] in LEVELS
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta()


def test_a_prediction_is_one_line_with_what_was_found(service: Service, photo: bytes) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-ID": "field-trip-7"}
    body = service.http.post("/predict", files={"image": ("a.jpg", photo)}, headers=headers).json()
    (line,) = of(service, body["request_id"], "control_plane.jsonl")
    assert line["message"] == "Prediction successful"
    assert (line["level"], line["trace_id"], line["correlation_id"]) == ("INFO", trace, "field-trip-7")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    for name in ("model", "version", "verdict", "label"):
        assert line[name] == body[name]
    assert line["confidence"] == body["predictions"][0]["confidence"] > 0.9
    assert line["milliseconds"] > 0
    (handled,) = of(service, body["request_id"], "handler.log")
    assert (handled["message"], handled["trace_id"]) == ("picture answered", trace)
    assert (handled["label"], handled["correlation_id"]) == (body["label"], "field-trip-7")


def test_an_answer_that_is_given_again_is_no_further_prediction(service: Service, photo: bytes) -> None:
    def send() -> str:
        answer = service.http.post(
            "/predict", files={"image": ("a.jpg", photo)}, headers={"Idempotency-Key": "logged-once"}
        )
        return str(answer.headers["X-Request-ID"])

    first, again = send(), send()
    (line,) = of(service, first, "control_plane.jsonl")
    assert line["message"] == "Prediction successful"
    (line,) = of(service, again, "control_plane.jsonl")
    assert line["message"] == "Prediction given again"


def test_a_request_that_fails_is_no_successful_prediction(service: Service) -> None:
    answer = service.http.post("/predict", content=b"no picture", headers={"Content-Type": "image/jpeg"})

    def said() -> list[dict[str, Any]]:
        return [line for line in of(service, answer.headers["X-Request-ID"], "control_plane.jsonl") if "status" in line]

    deadline = time.monotonic() + 30
    while not said() and time.monotonic() < deadline:
        time.sleep(0.1)
    (line,) = said()
    assert (line["message"], line["status"]) == ("request", 422)
    assert "label" not in line


def test_tensors_are_a_prediction_too(service: Service) -> None:
    example = service.http.get("/info/example").content
    named = {"name": "image", "shape": [1], "datatype": "BYTES"}
    head = json.dumps({"inputs": [{**named, "parameters": {"binary_data_size": 4 + len(example)}}]})
    answer = service.http.post(
        "/v2/models/plants/infer",
        content=head.encode() + len(example).to_bytes(4, "little") + example,
        headers={"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 200, answer.text
    (line,) = of(service, answer.headers["X-Request-ID"], "control_plane.jsonl")
    assert (line["message"], line["pictures"], line["model"]) == ("Prediction successful", 1, "plants")
