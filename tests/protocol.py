"""Asks a running service as clients of KServe and Triton do: with `tritonclient`, as its authors wrote it."""

import base64
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from handlers.preprocessing import Floats, InputSpec, preprocess

MODEL = "plants"


@dataclass(frozen=True)
class Answers:
    """Of one request, row by row."""

    probabilities: Floats
    labels: list[str]
    request_ids: list[str]
    response: dict[str, Any]


@contextmanager
def triton(port: int) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{port}") as client:
        yield client


def image_input(pictures: Sequence[bytes], *, binary: bool, column: bool = False) -> InferInput:
    """In JSON a picture is base64: JSON cannot hold bytes."""
    array = np.array([each if binary else base64.b64encode(each) for each in pictures], dtype=object)
    array = array.reshape(-1, 1) if column else array
    given = InferInput("image", list(array.shape), "BYTES")
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def pixels_input(tensor: Floats, *, binary: bool) -> InferInput:
    given = InferInput("pixels", list(tensor.shape), "FP32")
    given.set_data_from_numpy(tensor, binary_data=binary)
    return given


def preprocessed(pictures: Sequence[bytes], archive: Path) -> Floats:
    """Outside of the service, as the archive's card says."""
    with zipfile.ZipFile(archive) as mar:
        spec = InputSpec.from_dict(json.loads(mar.read("model_card.json"))["input"])
    return np.stack([preprocess(each, spec) for each in pictures])


def infer(client: InferenceServerClient, given: InferInput, *, binary: bool, **more: Any) -> Answers:
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("probabilities", "label", "request_id")]
    result = client.infer(MODEL, [given], outputs=wanted, **more)
    return Answers(
        result.as_numpy("probabilities"),
        _texts(result.as_numpy("label")),
        _texts(result.as_numpy("request_id")),
        result.get_response(),
    )


def difference(probabilities: Floats, labels: Sequence[str], predictions: Sequence[Mapping[str, Any]]) -> float:
    """The largest, between one row and the predictions of `POST /predict` for the same picture."""
    said: dict[str, float] = {each["label"]: each["confidence"] for each in predictions}
    return max(abs(float(value) - said[label]) for value, label in zip(probabilities, labels, strict=True))


def _texts(values: Any) -> list[str]:
    return [each.decode() if isinstance(each, bytes) else str(each) for each in values]
