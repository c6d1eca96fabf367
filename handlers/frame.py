"""Several pictures in one call to TorchServe, and their answers: the frame between control plane and handler.

A u32 count; then for each part the u32 lengths of its JSON header and of its body, then both. Big-endian.
Runs inside TorchServe workers and in the control plane: standard library only.
"""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HEADER = "X-Frame"
"""The HTTP header that tells a frame from a picture."""
VERSION = 3
"""Of what a handler understands. 2 takes a picture by the name of a file, 3 tensors and any `top_k`.

An archive carries its handler's.
"""
FILE = "file"
"""In a picture's header: the name of a file in the exchange folder that holds it; its body is empty then."""
TENSOR = "tensor"
"""In a picture's header: its shape, when it is the network's input: float32, little-endian, row-major."""
MAX_PARTS = 256
_U32 = struct.Struct("!I")
_LENGTHS = struct.Struct("!II")


@dataclass(frozen=True)
class Part:
    """One picture or one answer.

    A picture's header: request_id, correlation_id, traceparent, top_k, seconds_left, FILE or TENSOR where they apply.
    `seconds_left` counts from when the frame is sent. An answer's header: status.
    """

    header: dict[str, Any]
    body: bytes


def pack(parts: Sequence[Part]) -> bytes:
    pieces = [_U32.pack(len(parts))]
    for part in parts:
        header = json.dumps(part.header, separators=(",", ":")).encode()
        pieces += (_LENGTHS.pack(len(header), len(part.body)), header, part.body)
    return b"".join(pieces)


def unpack(data: bytes | bytearray) -> list[Part]:
    """Take a frame apart.

    Raises:
        ValueError: The bytes are no frame.
    """
    view = memoryview(data)  # a picture is copied once
    try:
        (count,) = _U32.unpack_from(data)
        if count > MAX_PARTS:
            raise ValueError(f"A frame holds at most {MAX_PARTS} parts; this one says {count}.")
        position, parts = _U32.size, []
        for _ in range(count):
            header_size, body_size = _LENGTHS.unpack_from(data, position)
            start = position + _LENGTHS.size
            position = start + header_size + body_size
            if position > len(data):
                raise ValueError("The frame is cut short.")
            header = json.loads(bytes(view[start : start + header_size]))
            if not isinstance(header, dict):
                raise ValueError("A part's header is no JSON object.")  # noqa: TRY004 - one kind of error for one kind of fault
            parts.append(Part(header, bytes(view[start + header_size : position])))
    except struct.error as error:
        raise ValueError("The frame is cut short.") from error
    if position != len(data):
        raise ValueError("The frame has bytes after its last part.")
    return parts
