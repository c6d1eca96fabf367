"""Makes spool segments, good and rotten ones, without the service's code."""

import json
import random
import zlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID


def encode(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def variations(record: dict[str, Any], seed: int, count: int) -> list[dict[str, Any]]:
    """Records like this one, each with an id and a picture of its own."""
    chance = random.Random(seed)
    first = UUID(record["request_id"]).int >> 64 << 64
    return [
        {
            **record,
            "request_id": str(UUID(int=first | 2 << 62 | chance.getrandbits(62))),
            "image_sha256": chance.randbytes(32).hex(),
        }
        for _ in range(count)
    ]


def cut(lines: Sequence[bytes], at: int) -> bytes:
    """The segment as a crash leaves it: `at` bytes of its last line."""
    return b"".join(lines[:-1]) + lines[-1][:at]


def flip(lines: Sequence[bytes], number: int, at: int, bit: int) -> bytes:
    """The segment with one bit of line `number` turned."""
    damaged = bytearray(lines[number])
    damaged[at] ^= 1 << bit
    return b"".join([*lines[:number], bytes(damaged), *lines[number + 1 :]])
