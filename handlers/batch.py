"""One picture on its way through the handler, and the way in and out of TorchServe's rows."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

if __package__:
    from handlers import frame, preprocessing
else:  # inside the archive
    import frame  # type: ignore[import-not-found, no-redef]
    import preprocessing  # type: ignore[import-not-found, no-redef]

Prediction = dict[str, str | float]

DEFAULT_TOP_K = 10
MAX_TOP_K = 100
ANY_TOP_K = 1_000_000
STATUSES = {
    "invalid_image": (422, "Unprocessable Content"),
    "too_many_pixels": (413, "Content Too Large"),
    "unsupported_media_type": (415, "Unsupported Media Type"),
    "deadline_exceeded": (504, "Gateway Timeout"),
    "not_in_exchange": (503, "Service Unavailable"),
}
EXCHANGE = "WEEDWATCH_EXCHANGE_DIR"
"""The variable that names the folder in which the control plane hands over large pictures."""
_IDS = ("request_id", "correlation_id")
_TRACE = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-.*")


@dataclass
class Picture:
    """What was asked, and what becomes of it: `pixels`, then `ranked`; or a refusal, a code and a sentence.

    `deadline` is a time of `monotonic()`; `tensor` the shape of data that is the network's input and no picture.
    """

    data: bytes
    ids: dict[str, str]
    top_k: int = DEFAULT_TOP_K
    tensor: tuple[int, ...] | None = None
    deadline: float = float("inf")
    pixels: preprocessing.Floats | None = None
    ranked: list[Prediction] = field(default_factory=list)
    refusal: tuple[str, str] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def log_fields(self) -> dict[str, Any]:
        outcome: dict[str, Any] = (
            {"message": "picture refused", "code": self.refusal[0]}
            if self.refusal
            else {"message": "picture answered", **self.ranked[0]}
        )
        return {**outcome, "milliseconds": round(sum(self.seconds.values()) * 1000, 1), **self.ids}

    def answer(self) -> frame.Part:
        if self.refusal:
            code, message = self.refusal
            return frame.Part({"status": STATUSES[code][0]}, _compact({"code": code, "message": message}))
        seconds = {stage: round(value, 6) for stage, value in self.seconds.items()}
        return frame.Part({"status": 200}, _compact({"predictions": self.ranked, "seconds": seconds}))


def read_row(row: Mapping[str, Any], headers: Mapping[str, Any], torchserve_id: str) -> tuple[list[Picture], bool]:
    """The pictures of one of TorchServe's rows, and whether they came as a frame.

    Raises:
        ValueError: It says that it is a frame and is none.
    """
    named = {str(name).lower(): value for name, value in headers.items() if isinstance(value, str)}
    if frame.HEADER.lower() in named:
        value = row.get("body", b"")
        parts = frame.unpack(value if isinstance(value, bytes | bytearray) else b"")
        return [
            _handed_over(part.header) if frame.FILE in part.header else _picture(part.body, part.header)
            for part in parts
        ], True
    asked = {name: named.get(f"x-{name.replace('_', '-')}", "") for name in ("request_id", "correlation_id", "top_k")}
    asked["request_id"] = asked["request_id"] or torchserve_id
    return [_picture(_body(row), {**asked, "traceparent": named.get("traceparent", "")})], False


def write_row(ctx: Any, index: int, pictures: list[Picture], *, framed: bool) -> bytes:
    """One row's answer; TorchServe's own status is that of a lone picture, and 200 for a frame."""
    if framed:
        ctx.set_response_content_type(index, "application/octet-stream")
        return frame.pack([picture.answer() for picture in pictures])
    ctx.set_response_content_type(index, "application/json")
    if refusal := pictures[0].refusal:
        ctx.set_response_status(*STATUSES[refusal[0]], index)
    return pictures[0].answer().body


def _picture(data: bytes, asked: Mapping[str, Any]) -> Picture:
    ids = {name: str(asked[name]) for name in _IDS if asked.get(name)}
    if trace := _TRACE.match(str(asked.get("traceparent", ""))):
        ids["trace_id"] = trace[1]
    top_k = asked.get("top_k", "")
    return Picture(
        data,
        ids,
        top_k=_top_k(str(top_k), ANY_TOP_K if isinstance(top_k, int) else MAX_TOP_K),
        tensor=tuple(asked[frame.TENSOR]) if frame.TENSOR in asked else None,
        deadline=monotonic() + float(asked.get("seconds_left", "inf")),
    )


def _handed_over(asked: Mapping[str, Any]) -> Picture:
    """A picture by the name of its file; the control plane removes it, not we."""
    folder, name = os.environ.get(EXCHANGE), str(asked[frame.FILE])
    try:
        if not folder or not re.fullmatch("[0-9a-f]{32}", name):
            raise FileNotFoundError(name)
        return _picture((Path(folder) / name).read_bytes(), asked)
    except OSError as error:
        picture = _picture(b"", asked)
        picture.refusal = ("not_in_exchange", f"{type(error).__name__}: {error}")
        return picture


def _top_k(text: str, most: int) -> int:
    """How many predictions are asked for; anything but 1 to `most` counts as not asked."""
    wanted = int(text) if text.isdecimal() and len(text) <= 7 else 0
    return wanted if 1 <= wanted <= most else DEFAULT_TOP_K


def _body(row: Mapping[str, Any]) -> bytes:
    value = row.get("body", row.get("data", b""))
    # TorchServe decodes text and JSON bodies; such a body is no picture, and says so.
    return bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
