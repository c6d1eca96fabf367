"""Bodies of the inference protocol: what is sent comes back, what does not fit is refused in a sentence."""

import base64
import contextlib
import json
import random
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from control_plane.errors import InvalidRequest
from control_plane.web import tensors
from control_plane.web.tensors import Output, Wanted

PIXELS = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64.b64encode(b"picture").decode()]}


def sent(array: Any, *, binary: bool, outputs: Any = None, **more: Any) -> tuple[bytes, str | None]:
    """As the client that others wrote builds it."""
    name, datatype = ("image", "BYTES") if array.dtype == np.object_ else ("pixels", "FP32")
    given = InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    body, length = InferenceServerClient.generate_request_body([given], outputs=outputs, **more)
    return body, None if length is None else str(length)


def asked(**changes: Any) -> bytes:
    """A request in JSON, with some of it changed; those of the input by `input_`."""
    own = {name.removeprefix("input_"): value for name, value in changes.items() if name.startswith("input_")}
    rest = {name: value for name, value in changes.items() if not name.startswith("input_")}
    return json.dumps({"inputs": [{**IMAGE, **own}], **rest}).encode()


@pytest.mark.parametrize("seed", range(30))
def test_pictures_arrive_as_they_were_sent(seed: int) -> None:
    chance = random.Random(seed)
    pictures = [chance.randbytes(chance.choice([0, 1, 7, 5000])) for _ in range(chance.randint(1, tensors.MAX_ROWS))]
    shape = chance.choice([(len(pictures),), (len(pictures), 1)])
    for binary in (True, False):
        array = np.array([p if binary else base64.b64encode(p) for p in pictures], dtype=object).reshape(shape)
        assert tensors.read(*sent(array, binary=binary)).rows == tuple(pictures)


@pytest.mark.parametrize("seed", range(30))
def test_tensors_arrive_as_they_were_sent(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    shape = (*numbers.integers(1, 5, 1), 3, *numbers.integers(1, 20, 2))
    array = (numbers.normal(size=shape) * 10.0 ** numbers.integers(-30, 30)).astype(np.float32)
    for binary in (True, False):
        read = tensors.read(*sent(array, binary=binary))
        assert read.shape == array.shape[1:]
        assert read.rows == tuple(row.tobytes() for row in array)


def test_numbers_in_json_may_be_nested() -> None:
    body = {"name": "pixels", "datatype": "FP32", "shape": list(PIXELS.shape), "data": PIXELS.tolist()}
    assert tensors.read(json.dumps({"inputs": [body]}).encode()).rows == tuple(row.tobytes() for row in PIXELS)


def test_what_is_asked_for_beside_the_input() -> None:
    body, length = sent(
        PIXELS,
        binary=True,
        outputs=[
            InferRequestedOutput("label", binary_data=False),
            InferRequestedOutput("probabilities", class_count=2),
        ],
        request_id="mine",
        timeout=2_500_000,
    )
    read = tensors.read(body, length)
    assert (read.id, read.timeout_seconds) == ("mine", 2.5)
    assert read.outputs == (Wanted("label"), Wanted("probabilities", binary=True, classes=2))
    assert [each.binary for each in tensors.read(*sent(PIXELS, binary=True)).outputs] == [True] * 3
    assert [each.binary for each in tensors.read(asked()).outputs] == [False] * 3


@pytest.mark.parametrize("binary", [True, False])
def test_an_answer_is_read_by_the_client_that_others_wrote(binary: bool) -> None:
    probabilities = np.random.default_rng(1).random((2, 3), dtype=np.float32)
    outputs = [
        Output("probabilities", (2, 3), probabilities, binary),
        Output("label", (2,), ["Fallopia ×", ""], binary),
        Output("request_id", (2,), ["a", "b"], binary=False),
    ]
    body, length = tensors.write({"model_name": "plants", "id": "x"}, outputs)
    result = InferenceServerClient.parse_response_body(body, header_length=length)
    assert (result.as_numpy("probabilities") == probabilities).all()
    texts = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("label")]
    assert texts == ["Fallopia ×", ""]
    assert list(result.as_numpy("request_id")) == ["a", "b"]
    assert (length is None) is not binary


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "no JSON"),
        (b"\xff\xd8\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", "no JSON"),
        (b"[]", "JSON object"),
        (b"[" + b"1," * (tensors.MAX_JSON_VALUES + 1) + b"1]", "binary data"),
        (asked(inputs=[]), "inputs"),
        (asked(inputs=[IMAGE, IMAGE]), "inputs"),
        (asked(inputs=[1]), "JSON object"),
        (asked(id=3), "'id'"),
        (asked(id="x" * 256), "'id'"),
        (asked(parameters=[]), "parameters"),
        (asked(parameters={"timeout": -1}), "timeout"),
        (asked(parameters={"timeout": True}), "timeout"),
        (asked(parameters={"binary_data_output": 1}), "true or false"),
        (asked(input_name="\ud800x"), "no input"),
        (asked(input_name={}), "no input"),
        (asked(input_datatype="FP32"), "datatype"),
        (asked(input_datatype=None), "datatype"),
        (asked(input_shape=[]), "shape"),
        (asked(input_shape=[0]), "shape"),
        (asked(input_shape=[True]), "shape"),
        (asked(input_shape=[1.0]), "shape"),
        (asked(input_shape="1"), "shape"),
        (asked(input_shape=[1, 2]), "shape"),
        (asked(input_shape=[17]), "16 pictures"),
        (asked(input_shape=[2]), "2 texts"),
        (asked(input_data=[1]), "texts"),
        (asked(input_data="x"), "list"),
        (asked(input_data=["\u00ff\u00d8"]), "base64"),
        (asked(input_data=["abc"]), "base64"),
        (asked(input_parameters={"binary_data_size": 4}), "one of them"),
        (asked(input_parameters={"shared_memory_region": "x"}), "Shared memory"),
        (asked(outputs=[{"name": "logits"}]), "no output"),
        (asked(outputs=[{"name": "label"}, {"name": "label"}]), "twice"),
        (asked(outputs={}), "list"),
        (asked(outputs=[{"name": "label", "parameters": {"classification": 1}}]), "classification"),
        (asked(outputs=[{"name": "label", "parameters": {"binary_data": "yes"}}]), "true or false"),
        (asked(outputs=[{"name": "label", "parameters": {"shared_memory_region": "x"}}]), "Shared memory"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_in_a_sentence(body: bytes, word: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        tensors.read(body)
    sentence = str(refused.value.detail)
    assert word in sentence
    assert sentence.endswith(".")
    sentence.encode()


@pytest.mark.parametrize(
    "data",
    [[1.0], ["1"] * 3, [None] * 3, [[1, 2], [3]], [float("nan")] * 3, [1e39] * 3, [10**400] * 3, [{}] * 3, [True] * 3],
)
def test_numbers_that_are_none_are_refused(data: list[Any]) -> None:
    body = {"name": "pixels", "datatype": "FP32", "shape": [1, 3, 1, 1], "data": data}
    with pytest.raises(InvalidRequest):
        tensors.read(json.dumps({"inputs": [body]}).encode())


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "٣", "9" * 5000, "999999", "0", "5"])
def test_a_header_length_that_does_not_fit_is_refused(length: str) -> None:
    body, _ = sent(PIXELS, binary=True)
    with pytest.raises(InvalidRequest):
        tensors.read(body, length)


@pytest.mark.parametrize("seed", range(300))
def test_damaged_requests_are_read_or_refused_and_nothing_else(seed: int) -> None:
    chance = random.Random(seed)
    array = np.array([b"first", b"second picture"], dtype=object) if seed % 2 else PIXELS
    body, length = sent(array, binary=True)
    damaged = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        match chance.randint(0, 2):
            case 0:
                del damaged[chance.randrange(len(damaged)) :]
            case 1 if damaged:
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            case _:
                damaged += chance.randbytes(chance.randint(1, 9))
    with contextlib.suppress(InvalidRequest):
        read = tensors.read(bytes(damaged), chance.choice([length, length, None, str(chance.randrange(400))]))
        assert 1 <= len(read.rows) <= tensors.MAX_ROWS
