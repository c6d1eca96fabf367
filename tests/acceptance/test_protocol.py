"""The Open Inference Protocol: a client that others wrote is served, and what does not fit is said in a sentence."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from tritonclient.http import InferenceServerClient, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.acceptance.conftest import ROOT, SAMPLES
from tests.changing import SECONDS, Changing, changing
from tests.protocol import difference, image_input, infer, pixels_input, preprocessed, triton
from tests.waiting import eventually

JPEG = {"Content-Type": "image/jpeg"}
INFER = "/v2/models/plants/infer"
PICTURES = [file.read_bytes() for file in sorted(SAMPLES.glob("*.jpg"))]
KINDS = ["image", "pixels"]


@pytest.fixture(scope="module")
def place() -> Iterator[Changing]:
    with changing(ROOT, WEEDWATCH_MAX_IMAGE_BYTES="2000000", WEEDWATCH_MAX_PIXELS="1000000") as place:
        yield place


@pytest.fixture
def client(place: Changing) -> Iterator[InferenceServerClient]:
    with triton(place.stack.port) as client:
        yield client


def given(place: Changing, kind: str, pictures: list[bytes], *, binary: bool) -> Any:
    if kind == "image":
        return image_input(pictures, binary=binary)
    return pixels_input(preprocessed(pictures, place.archive), binary=binary)


def refused(status: int, ask: Callable[[], object]) -> str:
    with pytest.raises(InferenceServerException) as error:
        ask()
    assert error.value.status() == str(status)
    sentence = str(error.value.message())
    assert sentence.endswith(".")
    return sentence


def test_health_and_metadata(client: InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("plants")
    assert client.is_model_ready("plants", "1")
    assert not client.is_model_ready("roses")
    assert not client.is_model_ready("plants", "77")
    server = client.get_server_metadata()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("weedwatch", True)
    model = client.get_model_metadata("plants")
    assert model == client.get_model_metadata("plants", "1")
    assert (model["name"], model["versions"]) == ("plants", ["1"])
    assert {each["name"]: (each["datatype"], each["shape"]) for each in model["inputs"]} == {
        "image": ("BYTES", [-1]),
        "pixels": ("FP32", [-1, 3, 224, 224]),
    }
    assert {each["name"]: (each["datatype"], each["shape"]) for each in model["outputs"]} == {
        "probabilities": ("FP32", [-1, len(model["parameters"]["labels"])]),
        "label": ("BYTES", [-1]),
        "request_id": ("BYTES", [-1]),
    }


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_predict(place: Changing, client: InferenceServerClient, kind: str, binary: bool) -> None:
    pictures = PICTURES[:3]
    labels = client.get_model_metadata("plants")["parameters"]["labels"]
    answers = infer(client, given(place, kind, pictures, binary=binary), binary=binary, request_id="walk-7")
    assert answers.response["id"] == "walk-7"
    assert (answers.response["model_name"], answers.response["model_version"]) == ("plants", "1")
    assert (str(answers.probabilities.dtype), answers.probabilities.shape) == ("float32", (3, len(labels)))
    for row, picture in enumerate(pictures):
        right = place.http.post("/predict?top_k=100", content=picture, headers=JPEG).json()
        assert answers.labels[row] == right["label"]
        assert difference(answers.probabilities[row], labels, right["predictions"]) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_each_answer_is_recorded_under_its_own_id(place: Changing, client: InferenceServerClient, kind: str) -> None:
    answers = infer(client, given(place, kind, PICTURES[:3], binary=True), binary=True, request_id=f"mine-{kind}")
    assert len(set(answers.request_ids)) == 3
    for row, request_id in enumerate(answers.request_ids):
        record = place.http.get(f"/history/{request_id}").json()
        assert (record["label"], record["role"], record["correlation_id"]) == (
            answers.labels[row],
            "stable",
            f"mine-{kind}",
        )
        assert record["image"]["format"] == ("JPEG" if kind == "image" else "FP32")
        assert record["consent"] is False


def test_outputs_as_they_are_asked_for(client: InferenceServerClient) -> None:
    some = image_input(PICTURES[:2], binary=True, column=True)
    everything = client.infer("plants", [some], model_version="1")
    best = everything.as_numpy("probabilities").argmax(axis=1)
    only = client.infer("plants", [some], outputs=[InferRequestedOutput("label")])
    assert only.as_numpy("probabilities") is None
    assert list(only.as_numpy("label")) == list(everything.as_numpy("label"))
    classes = client.infer("plants", [some], outputs=[InferRequestedOutput("probabilities", class_count=2)])
    found = [each.decode().split(":") for each in classes.as_numpy("probabilities")[:, 0]]
    assert [int(index) for _, index, _ in found] == list(best)
    assert [label.encode() for _, _, label in found] == list(only.as_numpy("label"))
    later = client.async_infer("plants", [some])
    assert list(later.get_result().as_numpy("label")) == list(only.as_numpy("label"))


def test_what_is_not_there_and_what_is_not_served_is_said(client: InferenceServerClient) -> None:
    one = image_input(PICTURES[:1], binary=True)
    assert "roses" in refused(404, lambda: client.infer("roses", [one]))
    assert "77" in refused(404, lambda: client.infer("plants", [one], model_version="77"))
    assert "roses" in refused(404, lambda: client.get_model_metadata("roses"))
    refused(404, lambda: client.get_model_config("plants"))
    assert "Compressed" in refused(415, lambda: client.infer("plants", [one], request_compression_algorithm="gzip"))
    assert "answer" in refused(504, lambda: client.infer("plants", [one], timeout=1))


def test_a_bad_picture_fails_the_request_and_is_named(client: InferenceServerClient) -> None:
    def ask(*pictures: bytes) -> Callable[[], object]:
        return lambda: client.infer("plants", [image_input(pictures, binary=True)])

    assert "damaged" in refused(400, ask(b"no picture"))
    assert refused(400, ask(PICTURES[0], b"no picture")).startswith("Picture 2 of 2: ")
    assert refused(400, ask(PICTURES[0], PICTURES[0][:300])).startswith("Picture 2 of 2: ")
    assert "0 bytes" in refused(400, ask(b""))
    assert "PDF" in refused(415, ask(b"%PDF-1.7 and so on"))
    assert "megapixels" in refused(413, ask(_huge()))
    refused(413, ask(PICTURES[0] + bytes(2_000_000)))
    assert "16 pictures" in refused(400, ask(*PICTURES[:1] * 17))


def test_a_tensor_that_does_not_fit_is_refused(place: Changing, client: InferenceServerClient) -> None:
    tensor = preprocessed(PICTURES[:1], place.archive)

    def ask(array: Any) -> Callable[[], object]:
        return lambda: client.infer("plants", [pixels_input(np.ascontiguousarray(array), binary=True)])

    assert "224" in refused(400, ask(tensor[:, :, :100]))
    assert "224" in refused(400, ask(tensor[:, :1]))
    assert "shape" in refused(400, ask(tensor[0]))
    assert "NaN" in refused(400, ask(np.where(tensor > 2, np.float32("nan"), tensor)))


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"\xff\xd8\xff\xe0", {}, 400),
        (b"[" * 50_000, {}, 400),
        (b"{}", {"Inference-Header-Content-Length": "3"}, 400),
        (json.dumps({"inputs": [{"name": "\ud800", "datatype": "BYTES", "shape": [1]}]}).encode(), {}, 400),
        (b"{}", {"X-Deadline-Ms": "0"}, 400),
        (b"{}", {"X-Sticky-Key": "a b"}, 400),
        (bytes(16 * 2**20 + 1), {}, 413),
    ],
)
def test_hostile_bodies_are_answered_in_the_form_of_the_protocol(
    place: Changing, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = place.http.post(INFER, content=body, headers=headers)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert answer.headers["x-request-id"]


def test_a_body_without_a_declared_length_is_bounded_too(place: Changing) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(2**20)

    try:
        status = place.http.post(INFER, content=endless()).status_code
    except httpx2.TransportError:  # answered and closed while we were still sending
        return
    assert status == 413


def test_an_archive_from_before_tensors_serves_pictures_and_says_why_no_tensors(place: Changing) -> None:
    def older(content: bytes) -> bytes:
        return json.dumps({**json.loads(content), "frame": 2}).encode()

    place.add("2", build__json=older)
    assert place.change({"stable": "1", "canary": "2", "canary_percent": 1})["state"] == "done"
    with triton(place.stack.port) as client:
        eventually(lambda: bool(client.is_model_ready("plants", "2")), SECONDS)
        picture, tensor = (given(place, kind, PICTURES[:1], binary=True) for kind in KINDS)
        assert [each["name"] for each in client.get_model_metadata("plants", "2")["inputs"]] == ["image"]
        answers = infer(client, picture, binary=True, model_version="2")
        assert answers.response["model_version"] == "2"
        assert place.http.get(f"/history/{answers.request_ids[0]}").json()["role"] == "canary"
        sentence = refused(400, lambda: client.infer("plants", [tensor], model_version="2"))
        assert "too old" in sentence
    assert place.change(None)["state"] == "done"


def _huge() -> bytes:
    """The header of a PNG of 2000 × 2000 pixels."""
    out = BytesIO()
    Image.new("1", (2000, 2000)).save(out, "PNG")
    return out.getvalue()
