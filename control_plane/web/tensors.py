"""Bodies of the Open Inference Protocol ↔ values: JSON, with tensors in it or as binary data behind it. Pure.

Every size is bounded before it is believed, and whatever does not fit is an InvalidRequest.
"""

import binascii
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from control_plane.errors import InvalidRequest

IMAGE, PIXELS = "image", "pixels"
INPUTS = {IMAGE: "BYTES", PIXELS: "FP32"}
PROBABILITIES, LABEL, REQUEST_ID = "probabilities", "label", "request_id"
OUTPUTS = {PROBABILITIES: "FP32", LABEL: "BYTES", REQUEST_ID: "BYTES"}
MAX_ROWS = 16
MAX_JSON_VALUES = 500_000  # each takes a hundred bytes and keeps the event loop; binary data has no such limit
MAX_ID_LENGTH = 255
HEADER = "Inference-Header-Content-Length"
_U32 = struct.Struct("<I")

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Wanted:
    """One output that is asked for; with `classes`, the best few as text `confidence:index:label`."""

    name: str
    binary: bool = False
    classes: int = 0


@dataclass(frozen=True)
class Inferring:
    """What an inference request asks for: encoded pictures, or tensors of `shape` as little-endian float32."""

    id: str | None
    rows: tuple[bytes, ...]
    shape: tuple[int, ...] | None
    outputs: tuple[Wanted, ...]
    timeout_seconds: float | None


@dataclass(frozen=True)
class Output:
    name: str
    shape: tuple[int, ...]
    values: Floats | Sequence[str]
    binary: bool

    @property
    def datatype(self) -> str:
        return "FP32" if isinstance(self.values, np.ndarray) else "BYTES"


def read(body: bytes, header_length: str | None = None) -> Inferring:
    """Take a request apart; `header_length`: of its JSON, when binary data follows.

    Raises:
        InvalidRequest: It is none, or none that can be served.
    """
    head, binary = _split(body, header_length)
    identifier = head.get("id")
    if identifier is not None and not (isinstance(identifier, str) and len(identifier) <= MAX_ID_LENGTH):
        raise InvalidRequest(f"'id' must be a text of at most {MAX_ID_LENGTH} characters.")
    parameters = _object(head.get("parameters", {}), "'parameters'")
    rows, shape = _input(head.get("inputs"), binary)
    return Inferring(identifier, rows, shape, _outputs(head.get("outputs"), parameters), _timeout(parameters))


def write(head: dict[str, Any], outputs: Sequence[Output]) -> tuple[bytes, int | None]:
    """An answer's body, and the length of its JSON when binary data follows."""
    described: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for output in outputs:
        about = {"name": output.name, "datatype": output.datatype, "shape": list(output.shape)}
        if output.binary:
            piece = _packed(output.values)
            pieces.append(piece)
            described.append({**about, "parameters": {"binary_data_size": len(piece)}})
        else:
            values = output.values.ravel().tolist() if isinstance(output.values, np.ndarray) else list(output.values)
            described.append({**about, "data": values})
    text = json.dumps({**head, "outputs": described}, separators=(",", ":")).encode()
    return b"".join([text, *pieces]), len(text) if pieces else None


def _split(body: bytes, header_length: str | None) -> tuple[dict[str, Any], memoryview]:
    size = len(body)
    if header_length is not None:
        if not (header_length.isascii() and header_length.isdecimal() and len(header_length) <= 12):
            raise InvalidRequest(f"{HEADER} must be a whole number.")
        size = int(header_length)
        if size > len(body):
            raise InvalidRequest(f"The body has {len(body)} bytes, fewer than {HEADER} says. Send it completely.")
    text = body[:size]
    if text.count(b",") > MAX_JSON_VALUES:
        raise InvalidRequest(f"The JSON has more than {MAX_JSON_VALUES} values. Send the tensor as binary data.")
    try:
        head = json.loads(text.decode())
    except (ValueError, RecursionError):
        hint = "" if header_length is not None else f" If binary data follows it, say where in {HEADER}."
        raise InvalidRequest(f"The body is no JSON.{hint}") from None
    return _object(head, "The body"), memoryview(body)[size:]


def _input(inputs: Any, binary: memoryview) -> tuple[tuple[bytes, ...], tuple[int, ...] | None]:
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise InvalidRequest("'inputs' must be a list of one tensor: 'image' (BYTES) or 'pixels' (FP32).")
    given = _object(inputs[0], "An input")
    name, datatype = given.get("name"), given.get("datatype")
    if not isinstance(name, str) or name not in INPUTS:
        raise InvalidRequest(f"There is no input {_said(name)}. Send 'image' (BYTES) or 'pixels' (FP32).")
    if datatype != INPUTS[name]:
        raise InvalidRequest(f"The input '{name}' must have the datatype {INPUTS[name]}, not {_said(datatype)}.")
    shape = _shape(name, given.get("shape"))
    parameters = _object(given.get("parameters", {}), f"'parameters' of '{name}'")
    if "shared_memory_region" in parameters:
        raise InvalidRequest("Shared memory is not served. Send the data in the request.")
    size = parameters.get("binary_data_size")
    if size is None:
        if len(binary):
            raise InvalidRequest(f"Binary data follows the JSON, but '{name}' has no 'binary_data_size'.")
        values = _listed(name, given.get("data"), shape)
    else:
        if "data" in given:
            raise InvalidRequest(f"The input '{name}' has 'data' and 'binary_data_size'. Send one of them.")
        if not _is_whole(size) or size != len(binary):
            raise InvalidRequest(
                f"The input '{name}' says {_said(size)} bytes of binary data; {len(binary)} follow the JSON."
            )
        values = _cut(binary, shape[0]) if name == IMAGE else binary
    if name == IMAGE:
        return tuple(values), None
    return _rows(values, shape), shape[1:]


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    """A checked shape: [n] or [n, 1] of pictures, [n, 3, height, width] of tensors."""
    if not isinstance(shape, list) or not all(_is_whole(each) and 0 < each < 2**31 for each in shape):
        raise InvalidRequest(f"The 'shape' of '{name}' must be a list of whole numbers above 0.")
    fits = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1) if name == IMAGE else len(shape) == 4
    if not fits:
        right = "[n] or [n, 1]" if name == IMAGE else "[n, 3, height, width]"
        raise InvalidRequest(f"The 'shape' of '{name}' must be {right}.")
    if shape[0] > MAX_ROWS:
        raise InvalidRequest(f"A request may hold at most {MAX_ROWS} pictures, not {shape[0]}. Send several requests.")
    return tuple(shape)


def _listed(name: str, data: Any, shape: tuple[int, ...]) -> Any:
    """Values that stand in the JSON: base64 of pictures, numbers."""
    if not isinstance(data, list):
        raise InvalidRequest(f"The input '{name}' needs 'data', a list, or 'binary_data_size'.")
    if name == PIXELS:
        return memoryview(_floats(data).tobytes())
    texts = [text for each in data for text in (each if isinstance(each, list) else [each])]
    if len(texts) != shape[0] or not all(isinstance(text, str) for text in texts):
        raise InvalidRequest(f"'data' of 'image' must hold {shape[0]} texts, each a picture in base64.")
    try:
        return [binascii.a2b_base64(text, strict_mode=True) for text in texts]
    except ValueError:
        raise InvalidRequest(
            "A picture in 'data' is no base64. JSON cannot hold bytes: encode them, or send binary data."
        ) from None


def _floats(data: list[Any]) -> Floats:
    try:
        numbers = np.asarray(data)
    except (ValueError, OverflowError, RecursionError):
        numbers = np.empty(0, dtype=object)
    if numbers.dtype.kind not in "fiu":
        raise InvalidRequest("'data' of 'pixels' must hold numbers only, flat or nested as the shape says.")
    with np.errstate(over="ignore"):  # what does not fit becomes infinity, which is refused
        return numbers.astype("<f4")


def _cut(binary: memoryview, count: int) -> list[bytes]:
    """The elements of a binary BYTES tensor: each its length, then its bytes."""
    elements: list[bytes] = []
    position = 0
    while position < len(binary):
        start = position + _U32.size
        if len(elements) == count or start > len(binary):
            break
        position = start + _U32.unpack_from(binary, position)[0]
        elements.append(bytes(binary[start:position]))
    if len(elements) != count or position != len(binary):
        raise InvalidRequest(f"The binary data of 'image' does not hold {count} pictures, each after its length.")
    return elements


def _rows(data: memoryview, shape: tuple[int, ...]) -> tuple[bytes, ...]:
    size = 4 * prod(shape[1:])
    if len(data) != shape[0] * size:
        raise InvalidRequest(f"The data of 'pixels' has {len(data)} bytes; its shape needs {shape[0] * size}.")
    if not np.isfinite(np.frombuffer(data, "<f4")).all():
        raise InvalidRequest("The data of 'pixels' holds NaN, infinity or numbers that are no FP32.")
    return tuple(bytes(data[start : start + size]) for start in range(0, len(data), size))


def _outputs(outputs: Any, parameters: dict[str, Any]) -> tuple[Wanted, ...]:
    """Those that are asked for; else all."""
    binary = _yes_or_no(parameters.get("binary_data_output", False), "binary_data_output")
    if outputs is None or outputs == []:
        return tuple(Wanted(name, binary) for name in OUTPUTS)
    if not isinstance(outputs, list):
        raise InvalidRequest("'outputs' must be a list.")
    wanted: list[Wanted] = []
    for each in outputs:
        name = _object(each, "An output").get("name")
        if not isinstance(name, str) or name not in OUTPUTS:
            raise InvalidRequest(f"There is no output {_said(name)}. There are {', '.join(OUTPUTS)}.")
        if name in (other.name for other in wanted):
            raise InvalidRequest(f"The output '{name}' is asked for twice.")
        own = _object(each.get("parameters", {}), f"'parameters' of '{name}'")
        if "shared_memory_region" in own:
            raise InvalidRequest("Shared memory is not served. Ask for the data in the answer.")
        classes = own.get("classification", 0)
        if not _is_whole(classes) or classes < 0 or (classes and name != PROBABILITIES):
            raise InvalidRequest(f"'classification' must be a whole number, and of '{PROBABILITIES}' only.")
        wanted.append(Wanted(name, _yes_or_no(own.get("binary_data", binary), "binary_data"), classes))
    return tuple(wanted)


def _timeout(parameters: dict[str, Any]) -> float | None:
    """Given in microseconds; 0 stands for none."""
    given = parameters.get("timeout", 0)
    if not _is_whole(given) or not 0 <= given < 2**63:
        raise InvalidRequest("'timeout' must be a whole number of microseconds.")
    return given / 1e6 if given else None


def _packed(values: Floats | Sequence[str]) -> bytes:
    if isinstance(values, np.ndarray):
        return values.astype("<f4").tobytes()
    texts = [value.encode() for value in values]
    return b"".join(piece for text in texts for piece in (_U32.pack(len(text)), text))


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"{what} must be a JSON object.")
    return value


def _yes_or_no(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"'{name}' must be true or false.")
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _said(value: Any) -> str:
    """What was sent, short and in ASCII; what is no text or number is not repeated."""
    return (
        ascii(value[:50]) if isinstance(value, str) else "of another kind" if not _is_whole(value) else str(value)[:20]
    )
