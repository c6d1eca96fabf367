"""The handler inside a real TorchServe keeps the contract of docs/architecture.md, section 3.1."""

import json
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from handlers.reference import draw
from handlers.telling import TELL_SECONDS
from tests.integration.handlers.archives import LABELS, build_tiny_archive
from tests.integration.handlers.torchserve import TorchServe
from tests.waiting import eventually

PICTURE = draw(1)


def metric(server: TorchServe, name: str, label: str = "") -> float:
    text = server.call("metrics", "GET", "/metrics").body.decode()
    lines = [line for line in text.splitlines() if line.startswith(name) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_a_picture_is_answered_with_ranked_labels_and_stage_times(server: TorchServe, tiny: str) -> None:
    answer = server.predict(tiny, PICTURE)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    confidences = [prediction["confidence"] for prediction in body["predictions"]]
    assert {prediction["label"] for prediction in body["predictions"]} == set(LABELS)
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-4)
    assert set(body["seconds"]) == {"preprocess", "inference", "postprocess"}
    assert b"\n" not in answer.body


def test_the_answer_is_the_one_that_was_pinned_when_the_archive_was_built(
    server: TorchServe, tiny: str, tiny_archive: Path
) -> None:
    with zipfile.ZipFile(tiny_archive) as packed:
        for pinned in json.loads(packed.read("reference.json")):
            best = server.predict(tiny, packed.read(pinned["file"])).json()["predictions"][0]
            assert best["label"] == pinned["label"]
            assert best["confidence"] == pytest.approx(pinned["confidence"], abs=1e-5)


@pytest.mark.parametrize("spelling", ["X_Top_K", "x_top_k", "X_TOP_K"])
def test_the_number_of_predictions_is_asked_for_by_header_in_any_case(
    server: TorchServe, tiny: str, spelling: str
) -> None:
    assert len(server.predict(tiny, PICTURE, **{spelling: "2"}).json()["predictions"]) == 2


def test_bytes_that_are_no_picture_answer_422(server: TorchServe, tiny: str) -> None:
    answer = server.predict(tiny, b"no picture")
    assert answer.status == 422
    assert answer.json()["code"] == "invalid_image"
    assert answer.json()["message"].endswith(".")


def test_a_foreign_format_answers_415(server: TorchServe, tiny: str) -> None:
    answer = server.predict(tiny, b"%PDF-1.7 ...")
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_text_body_is_refused_like_any_other_non_picture(server: TorchServe, tiny: str) -> None:
    assert server.predict(tiny, b"hello", Content_Type="text/plain").status == 422


def test_a_bad_picture_fails_alone_in_its_batch(server: TorchServe) -> None:
    archive = build_tiny_archive("batched", server.store)
    server.register(archive, batch_size=4, max_batch_delay=2000)
    alone = server.predict("batched", PICTURE).json()["predictions"]
    bodies = [PICTURE, b"no picture", draw(2), PICTURE]
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda body: server.predict("batched", body), bodies))
    assert [answer.status for answer in answers] == [200, 422, 200, 200]
    for answer in (answers[0], answers[3]):
        for got, expected in zip(answer.json()["predictions"], alone, strict=True):
            assert got["label"] == expected["label"]
            assert got["confidence"] == pytest.approx(expected["confidence"], abs=1e-4)
    inference_times = {answer.json()["seconds"]["inference"] for answer in answers if answer.status == 200}
    assert len(inference_times) == 1, "The batch was not one run of the network."


def test_the_handlers_log_has_one_json_line_per_picture_with_the_ids(server: TorchServe, tiny: str) -> None:
    server.predict(tiny, PICTURE, X_Request_Id="request-1", X_Correlation_Id="their-1")
    server.predict(tiny, b"no picture", X_Request_Id="request-2")

    def logged(request_id: str) -> list[dict[str, object]]:
        return [line for line in server.lines("handler.log") if line["request_id"] == request_id]

    eventually(lambda: bool(logged("request-1") and logged("request-2")), what="both requests are logged")
    (prediction,), (refused,) = logged("request-1"), logged("request-2")
    assert (prediction["message"], prediction["level"]) == ("picture answered", "INFO")
    assert prediction["correlation_id"] == "their-1"
    assert prediction["label"] in LABELS
    assert {"confidence", "milliseconds", "model", "version", "timestamp"} <= set(prediction)
    assert (refused["message"], refused["code"]) == ("picture refused", "invalid_image")


def test_metrics_count_predictions_by_label_and_time_each_stage(server: TorchServe, tiny: str) -> None:
    label = server.predict(tiny, PICTURE).json()["predictions"][0]["label"].replace(",", "_")
    name = "weedwatch_handler_predictions_total"
    before = metric(server, name, f'label="{label}"')
    seconds = "weedwatch_handler_stage_seconds_total"
    stages = {stage: f'stage="{stage}"' for stage in ("preprocess", "inference", "postprocess")}
    spent = {stage: metric(server, seconds, label) for stage, label in stages.items()}
    for _ in range(5):
        server.predict(tiny, PICTURE)
    time.sleep(TELL_SECONDS)
    server.predict(tiny, PICTURE)  # it tells of those before, too
    eventually(lambda: metric(server, name, f'label="{label}"') >= before + 5, what="the predictions are counted")
    for stage, of_stage in stages.items():
        assert metric(server, seconds, of_stage) > spent[stage]


def test_every_log_line_of_torchserve_is_json_and_stands_once(server: TorchServe, tiny: str) -> None:
    server.predict(tiny, PICTURE)
    server.predict("absent", PICTURE)
    time.sleep(0.5)
    found = server.lines("torchserve.log")
    assert found
    for line in [*found, *server.lines("access.log")]:
        assert {"timestamp", "level", "logger", "message"} <= set(line)
        assert line["level"] in {"INFO", "WARNING", "ERROR"}
        assert datetime.fromisoformat(str(line["timestamp"])).utcoffset() == timedelta()
    lines = [json.dumps(line) for line in found]
    assert len(set(lines)) == len(lines)
    assert not [line for line in lines if "Backend received inference" in line]
    assert server.lines("access.log")


def test_the_console_has_the_same_lines_where_that_is_asked_for(server: TorchServe, tiny: str) -> None:
    server.predict(tiny, PICTURE, X_Request_Id="on the console")

    def console() -> list[dict[str, object]]:
        said = (server.logs / "java.out").read_text().splitlines()
        return [json.loads(line) for line in said if line.startswith("{")]

    eventually(
        lambda: any(line.get("request_id") == "on the console" for line in console()), what="it is on the console"
    )
    loggers = {str(line["logger"]) for line in console()}
    assert {"handler", "ACCESS_LOG", "org.pytorch.serve.ModelServer"} <= loggers


def test_workers_do_not_inherit_secrets(server: TorchServe, tiny: str) -> None:
    workers = server.call("management", "GET", f"/models/{tiny}/1").json()[0]["workers"]
    environment = psutil.Process(workers[0]["pid"]).environ()
    assert "TS_INFERENCE_ADDRESS" in environment
    assert "DATABASE_URL" not in environment


def test_torchserve_never_gives_a_dead_worker_up(server: TorchServe, tiny: str) -> None:
    described = server.call("management", "GET", f"/models/{tiny}/1").json()[0]
    assert described["maxRetryTimeoutInSec"] > 20 * 24 * 3600
    assert described["responseTimeout"] == 12
    psutil.Process(described["workers"][0]["pid"]).kill()
    eventually(lambda: server.predict(tiny, PICTURE).status == 200, what="the worker is back")
