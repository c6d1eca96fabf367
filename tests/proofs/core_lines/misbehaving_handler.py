"""Goes into an archive as its handler: like the usual one, but for pictures that ask for a fault.

Runs in a TorchServe worker, beside the usual handler (usual_handler.py) and the frame's code.
"""

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import frame  # type: ignore[import-not-found]
import usual_handler  # type: ignore[import-not-found]

MARK = re.compile(rb"WW-FAULT:([a-z_]+)")
LONG_SECONDS = 600
BODIES = {
    "nan": b'{"predictions":[{"label":"fern","confidence":NaN}],"seconds":{}}',
    "no_json": b"<html>",
    "big": b" " * 10_000_000,
}
_kept: list[bytearray] = []


class MisbehavingHandler(usual_handler.PlantClassifier):  # type: ignore[misc]
    """One fault a call: the first that a picture asks for."""

    def handle(self, data: Sequence[Mapping[str, Any]], ctx: Any) -> list[bytes]:
        found = [MARK.search(bytes(row.get("body", b""))) for row in data]
        ways = [each[1].decode() if each else "" for each in found]
        way = next(filter(None, ways), "")
        self._before(way)
        answers: list[bytes] = super().handle(data, ctx)
        if way == "short":
            return answers[:-1]
        if way in BODIES:
            return [_replaced(row, answer, BODIES[way]) for row, answer in zip(data, answers, strict=True)]
        return answers

    def _before(self, way: str) -> None:
        if way == "raise":
            raise RuntimeError("This handler was told to fail.")
        if way == "cuda":
            raise RuntimeError("CUDA error: this handler was told to fail.")
        if way == "hang":
            time.sleep(LONG_SECONDS)
        if way == "spin":
            _spin()
        if way == "exit":
            os._exit(3)
        if way == "fork" and os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        if way == "metrics":
            sys.stdout.write("[METRICS]Fake.Milliseconds:1|#Level:Host|#hostname:x,1\n")
        if way == "leak":
            _kept.append(bytearray(200 * 2**20))


def _replaced(row: Mapping[str, Any], answer: bytes, body: bytes) -> bytes:
    """The answer with other bytes for the pictures that asked for them."""
    asked, given = frame.unpack(bytes(row["body"])), frame.unpack(answer)
    pairs = zip(asked, given, strict=True)
    return bytes(frame.pack([frame.Part(b.header, body) if MARK.search(a.body) else b for a, b in pairs]))


def _spin() -> None:
    end = time.monotonic() + LONG_SECONDS
    while time.monotonic() < end:
        pass
