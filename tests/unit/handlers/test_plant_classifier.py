"""The handler's parts that need no network: ranking, headers, refusals, log lines, metrics."""

import json
import math
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from handlers import frame, plant_classifier, telling
from handlers.batch import read_row
from handlers.plant_classifier import Network, PlantClassifier, rank, softmax
from handlers.preprocessing import Floats, InputSpec, preprocess
from handlers.source import HANDLERS
from handlers.telling import MOST_LABELS, Lines, Tally, counted_by_name
from tests.unit.handlers.pictures import encode, photo

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ResourceWarning)  # TorchServe does not close its version file
    import ts
    from ts.context import Context, RequestProcessor
    from ts.metrics.metric_cache_yaml_impl import MetricsCacheYamlImpl
    from ts.utils.util import list_classes_from_module

METRICS = HANDLERS / "torchserve-metrics.yaml"
PICTURE = encode(photo(60, 50))


def context(*headers: Mapping[str, str]) -> Any:
    """TorchServe's own context of a batch, with the metrics that it declares."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # TorchServe does not close the file
        cache = MetricsCacheYamlImpl(str(METRICS))
        cache.initialize_cache()
    manifest = {"model": {"modelVersion": "3"}}
    ctx = Context("plants", "", manifest, len(headers), None, "0.12.0", metrics=cache)
    ctx.request_ids = {index: f"torchserve-{index}" for index in range(len(headers))}
    ctx.request_processor = [RequestProcessor(dict(header)) for header in headers]
    return ctx


class Runs(list[int]):
    """A network that answers every picture alike and notes the size of each batch."""

    def __call__(self, batch: Floats) -> Floats:
        self.append(len(batch))
        return np.tile(np.log(np.array([0.1, 0.7, 0.2], dtype=np.float32)), (len(batch), 1))


def handler(ctx: Any, network: Network | None = None) -> PlantClassifier:
    classifier = PlantClassifier()
    classifier.identity = {"model": "plants", "version": "3"}
    classifier.labels = ["fern", "reed, common", "dock"]
    classifier.spec = InputSpec(32, 32, 32)
    classifier.max_pixels = 1_000_000
    classifier.network = Runs() if network is None else network
    classifier.tally = Tally(ctx.metrics, "plants", classifier.labels)
    classifier.lines = Lines(3600)
    return classifier


def written(classifier: PlantClassifier, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    classifier.lines.write()
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_batch_is_one_run_of_the_network_and_keeps_its_order(capsys: pytest.CaptureFixture[str]) -> None:
    ctx = context({"X-Top-K": "1"}, {}, {"x-top-k": "2"}, {})
    network = Runs()
    classifier = handler(ctx, network)
    rows: list[dict[str, bytes | bytearray]] = [
        {"body": bytearray(PICTURE)},
        {"body": b"broken"},
        {"data": PICTURE},
        {},
    ]
    answers = [json.loads(answer) for answer in classifier.handle(rows, ctx)]
    assert network == [2]
    assert answers[0]["predictions"] == [{"label": "reed, common", "confidence": pytest.approx(0.7, abs=1e-6)}]
    assert [prediction["label"] for prediction in answers[2]["predictions"]] == ["reed, common", "dock"]
    assert (answers[1]["code"], answers[3]["code"]) == ("invalid_image", "invalid_image")
    assert [ctx.get_response_status(index)[0] for index in range(4)] == [200, 422, 200, 422]
    assert len(written(classifier, capsys)) == 4


def test_a_batch_without_a_usable_picture_does_not_run_the_network() -> None:
    ctx = context({})
    network = Runs()
    handler(ctx, network).handle([{"body": b"%PDF-1"}], ctx)
    assert network == []
    assert ctx.get_response_status(0)[0] == 415


def test_a_frame_is_one_run_and_each_of_its_pictures_has_an_answer_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ctx = context({"x-frame": "1", "content-type": "application/octet-stream"})
    network = Runs()
    pictures = [
        frame.Part({"request_id": "a", "top_k": 1}, PICTURE),
        frame.Part({"request_id": "b", "correlation_id": "theirs"}, b"broken"),
        frame.Part({"request_id": "c", "seconds_left": -1.0}, PICTURE),
        frame.Part({"request_id": "d", "seconds_left": 60}, PICTURE),
    ]
    classifier = handler(ctx, network)
    (answer,) = classifier.handle([{"body": frame.pack(pictures)}], ctx)
    parts = frame.unpack(answer)
    assert network == [2]
    assert [part.header["status"] for part in parts] == [200, 422, 504, 200]
    assert [len(json.loads(parts[index].body)["predictions"]) for index in (0, 3)] == [1, 3]
    assert ctx.get_response_status(0)[0] == 200
    lines = written(classifier, capsys)
    assert [line["request_id"] for line in lines] == ["a", "b", "c", "d"]
    assert lines[1]["correlation_id"] == "theirs"


def test_a_picture_by_name_is_read_from_the_exchange_folder_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = tmp_path / "exchange"
    exchange.mkdir()
    monkeypatch.setenv("WEEDWATCH_EXCHANGE_DIR", str(exchange))
    (exchange / ("a" * 32)).write_bytes(PICTURE)
    (tmp_path / ("b" * 32)).write_bytes(PICTURE)
    names = ("a" * 32, "b" * 32, "../" + "b" * 32, str(tmp_path / ("b" * 32)), "")
    ctx = context({"x-frame": "1"})

    (answer,) = handler(ctx).handle([{"body": frame.pack([frame.Part({"file": name}, b"") for name in names])}], ctx)

    assert [part.header["status"] for part in frame.unpack(answer)] == [200, 503, 503, 503, 503]
    assert json.loads(frame.unpack(answer)[1].body)["code"] == "not_in_exchange"


@pytest.mark.parametrize(
    "data", [b"", b"\0\0", b"\0\0\0\1", frame.pack([frame.Part({}, PICTURE)])[:-1], b"\xff" * 30, frame.pack([]) + b"x"]
)
def test_bytes_that_are_no_frame_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame|part|Frame"):
        frame.unpack(data)


def test_a_frame_comes_back_as_it_was_packed() -> None:
    parts = [frame.Part({"request_id": "ü"}, b""), frame.Part({}, bytes(range(256)))]
    assert frame.unpack(frame.pack(parts)) == parts


def test_a_picture_above_the_bound_is_too_large() -> None:
    ctx = context({})
    classifier = handler(ctx)
    classifier.max_pixels = 60 * 50 - 1
    assert json.loads(classifier.handle([{"body": PICTURE}], ctx)[0])["code"] == "too_many_pixels"
    assert ctx.get_response_status(0)[0] == 413


def test_each_picture_gives_one_json_line_with_its_ids(capsys: pytest.CaptureFixture[str]) -> None:
    ctx = context(
        {"x-request-id": "ours", "X-CORRELATION-ID": "theirs", "Traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        {"traceparent": "00-1-2-01"},
    )
    classifier = handler(ctx)
    classifier.handle([{"body": PICTURE}, {"body": "text\nof two lines"}], ctx)
    first, second = written(classifier, capsys)
    assert (first["request_id"], first["correlation_id"], first["trace_id"]) == ("ours", "theirs", "a" * 32)
    assert (first["message"], first["level"], first["label"], first["model"], first["version"]) == (
        "picture answered",
        "INFO",
        "reed, common",
        "plants",
        "3",
    )
    assert (second["message"], second["request_id"]) == ("picture refused", "torchserve-1")
    assert not {"correlation_id", "trace_id"} & set(second)


def test_metric_updates_are_fewer_than_ten_and_can_be_read_by_the_frontend(caplog: pytest.LogCaptureFixture) -> None:
    ctx = context(*({} for _ in range(8)))
    with caplog.at_level("INFO", "ts.metrics"):
        handler(ctx).handle([{"body": PICTURE}] * 8, ctx)
    lines = [record.message for record in caplog.records if record.message.startswith("[METRICS]")]
    assert len(lines) < 10
    (counted,) = (line for line in lines if "predictions_total" in line)
    assert counted.startswith("[METRICS]weedwatch_handler_predictions_total.Count:8|#model:plants,label:reed_ common|")


def test_what_is_counted_is_told_once_a_second_and_nothing_is_lost(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(telling, "monotonic", lambda: now)
    ctx = context({})
    classifier = handler(ctx)
    with caplog.at_level("INFO", "ts.metrics"):
        for _ in range(5):
            classifier.handle([{"body": PICTURE}], ctx)
        now += 1.0
        classifier.handle([{"body": PICTURE}], ctx)
    told = [record.message for record in caplog.records if "predictions_total" in record.message]
    assert [line.split("|")[0].rsplit(":", 1)[1] for line in told] == ["1", "5"]
    assert sum("stage:inference" in record.message for record in caplog.records) == 2


def test_the_labels_of_a_large_model_share_a_series(caplog: pytest.LogCaptureFixture) -> None:
    labels = [f"label {number}" for number in range(1000)]
    assert counted_by_name(labels) == frozenset(labels[: MOST_LABELS - 1])
    assert counted_by_name(labels[:MOST_LABELS]) == frozenset(labels[:MOST_LABELS])
    ctx = context({})
    classifier = handler(ctx)
    classifier.tally = Tally(ctx.metrics, "plants", [*("moss" for _ in range(MOST_LABELS)), *classifier.labels])
    with caplog.at_level("INFO", "ts.metrics"):
        classifier.handle([{"body": PICTURE}], ctx)
    assert any("predictions_total.Count:1|#model:plants,label:other|" in record.message for record in caplog.records)


def test_a_load_that_fails_says_why_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ctx = Context("plants", str(tmp_path), {"model": {"modelVersion": "3"}}, 1, None, "0.12.0")
    with pytest.raises(FileNotFoundError):
        PlantClassifier().initialize(ctx)
    (line,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (line["event"], line["level"], line["version"]) == ("load_failed", "ERROR", "3")
    assert "class_labels.json" in line["error"]


def test_softmax_gives_probabilities_even_for_extreme_logits() -> None:
    probabilities = softmax(np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0]], dtype=np.float32))
    assert probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert probabilities[0, 0] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)


def test_equal_confidences_keep_the_order_of_the_labels() -> None:
    ranked = rank(np.full(4, 0.25, dtype=np.float32), ["d", "c", "b", "a"], 3)
    assert [prediction["label"] for prediction in ranked] == ["d", "c", "b"]


@pytest.mark.parametrize(
    ("text", "count"), [("1", 1), ("100", 100), ("0", 10), ("101", 10), ("-1", 10), ("x", 10), ("9" * 5000, 10)]
)
def test_a_number_of_predictions_outside_of_1_to_100_counts_as_not_asked(text: str, count: int) -> None:
    ((picture,), framed) = read_row({"body": PICTURE}, {"x-top-k": text}, "id")
    assert (picture.top_k, framed) == (count, False)


def test_a_frame_may_ask_for_more_labels_than_a_header() -> None:
    ((picture,), _) = read_row({"body": frame.pack([frame.Part({"top_k": 5000}, PICTURE)])}, {"x-frame": "1"}, "id")
    assert picture.top_k == 5000


def test_a_tensor_is_answered_as_the_picture_that_it_was_made_from() -> None:
    ctx = context({"x-frame": "1"})
    classifier = handler(ctx)
    classifier.network = lambda batch: np.stack([batch.mean(axis=(1, 2, 3)), batch[:, 0, 3, 4], batch[:, 2, 9, 1]], 1)
    tensor = preprocess(PICTURE, classifier.spec).tobytes()
    parts = [frame.Part({}, PICTURE), frame.Part({"tensor": [3, 32, 32]}, tensor)]
    (answer,) = classifier.handle([{"body": frame.pack(parts)}], ctx)
    picture, same = (json.loads(part.body)["predictions"] for part in frame.unpack(answer))
    assert picture == same


@pytest.mark.parametrize(
    ("shape", "data", "word"),
    [
        ([3, 32, 32], bytes(4 * 3 * 32 * 32 - 1), "shape"),
        ([3, 32, 31], bytes(4 * 3 * 32 * 31), "shape"),
        ([], b"", "shape"),
        ([3, 32, 32], np.full((3, 32, 32), np.nan, np.float32).tobytes(), "NaN"),
    ],
)
def test_a_tensor_that_is_not_the_networks_input_fails_alone(shape: list[int], data: bytes, word: str) -> None:
    ctx = context({"x-frame": "1"})
    parts = [frame.Part({"tensor": shape}, data), frame.Part({}, PICTURE)]
    (answer,) = handler(ctx).handle([{"body": frame.pack(parts)}], ctx)
    refused, good = frame.unpack(answer)
    assert (refused.header["status"], good.header["status"]) == (422, 200)
    assert word in json.loads(refused.body)["message"]


def test_torchserve_finds_exactly_one_class_in_the_handler() -> None:
    assert list_classes_from_module(plant_classifier) == [PlantClassifier]


def test_the_metrics_file_keeps_all_that_torchserve_declares_itself() -> None:
    def names(path: Path) -> set[str]:
        declared = yaml.safe_load(path.read_text())
        sections = (declared["ts_metrics"], declared["model_metrics"])
        return {metric["name"] for section in sections for metrics in section.values() for metric in metrics}

    assert names(Path(ts.__file__).parent / "configs" / "metrics.yaml") <= names(METRICS)


def test_lines_are_written_by_themselves_in_order_and_together(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []
    written = threading.Event()

    class Output:
        def write(self, text: str) -> None:
            writes.append(text)
            if '"number": 2' in text:
                written.set()

        def flush(self) -> None:
            pass

    monkeypatch.setattr("sys.stdout", Output())
    lines = Lines(0.05)
    for number in range(3):
        lines.add({"number": number})
    assert written.wait(60)
    ours = [text for text in writes if '"number"' in text]  # others' lines are written meanwhile
    assert [json.loads(line)["number"] for line in "".join(ours).splitlines() if '"number"' in line] == [0, 1, 2]
    assert len(ours) < 3
