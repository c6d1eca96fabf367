"""Every status that TorchServe gives becomes one of our errors; the bodies are the ones it really sends."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest

from control_plane import torchserve
from control_plane.domain.verdicts import Label, ModelCard
from control_plane.errors import ERRORS, ProcessingError
from control_plane.exchange import Exchange
from control_plane.models.archives import Archive
from control_plane.predictions.prediction import check_answer
from control_plane.torchserve import Inference, TorchServe, TorchServeUnreachable, _inference, _outcomes, _refusal
from handlers import frame


def own(kind: str, code: int, message: str) -> bytes:
    return json.dumps({"code": code, "type": kind, "message": message}, indent=2).encode()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, own("ModelNotFoundException", 404, "Model not found: plants"), "model_not_loaded"),
        (503, own("ServiceUnavailableException", 503, 'Model "plants" has no worker to serve'), "model_not_loaded"),
        (500, own("InternalServerException", 500, "Worker died."), "model_not_loaded"),
        (503, own("InternalServerException", 503, "Prediction failed"), "processing_error"),
        (507, own("InternalServerException", 507, "Out of resources"), "processing_error"),
        (413, b"", "file_too_large"),
        (422, b'{"code":"invalid_image","message":"It is damaged."}', "invalid_image"),
        (413, b'{"code":"too_many_pixels","message":"Too many."}', "too_many_pixels"),
        (415, b'{"code":"unsupported_media_type","message":"PDF."}', "unsupported_media_type"),
        (422, b'{"code":"internal_error","message":"x"}', "processing_error"),
        (500, b"\xff\xfe not json", "processing_error"),
        (500, b"[1]", "processing_error"),
    ],
)
def test_a_refusal_becomes_a_documented_error(status: int, body: bytes, code: str) -> None:
    assert _refusal(status, body).code == code


def test_internals_of_torchserve_never_reach_the_client() -> None:
    error = _refusal(503, own("InternalServerException", 503, "java.lang.Secret at /opt/x"))
    assert "Secret" not in (error.detail or ERRORS[error.code].sentence)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"predictions": []}',
        b'{"predictions": [], "seconds": {}}',
        b'{"predictions": [{"label": "a", "confidence": NaN}], "seconds": {}}',
        b'{"predictions": [{"label": "a", "confidence": 1.5}], "seconds": {}}',
        b'{"predictions": [{"label": "a"}], "seconds": {}}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_is_a_processing_error(body: bytes) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the code below tells which
        _inference(body)
    assert getattr(caught.value, "code", None) == "processing_error"


@pytest.mark.parametrize("seconds", ["NaN", "Infinity", "-1", "1e200", "3601"])
def test_seconds_that_no_stage_can_have_taken_are_left_out(seconds: str) -> None:
    said = f'{{"preprocess": {seconds}, "inference": 0.5, "another": 1}}'
    body = f'{{"predictions": [{{"label": "a", "confidence": 0.5}}], "seconds": {said}}}'
    assert _inference(body.encode()).seconds == {"inference": 0.5}


def test_each_picture_of_a_frame_has_an_outcome_of_its_own() -> None:
    good = b'{"predictions": [{"label": "a", "confidence": 0.5}], "seconds": {"inference": 0.1}}'
    parts = [
        (200, good),
        (422, b'{"code":"invalid_image","message":"x"}'),
        (200, b"nonsense"),
        (504, b'{"code":"deadline_exceeded"}'),
    ]
    outcomes = _outcomes(frame.pack([frame.Part({"status": status}, body) for status, body in parts]), 4)
    assert [getattr(each, "code", "answer") for each in outcomes] == [
        "answer", "invalid_image", "processing_error", "deadline_exceeded",
    ]  # fmt: skip


def _of_status(status: object) -> bytes:
    return frame.pack([frame.Part({"status": status}, b"{}")])


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\0\0\0\2", frame.pack([]), b"\xff" * 50),
        *(_of_status("fine"), _of_status(None), _of_status([200]), _of_status(1e400)),
        struct.pack("!III", 1, 100_000, 0) + b"[" * 100_000,
    ],
)
def test_a_frame_that_does_not_fit_is_a_processing_error(body: bytes) -> None:
    with pytest.raises(ProcessingError):
        _outcomes(body, 1)


@pytest.mark.parametrize(
    "said",
    [
        [("elsewhere", 0.9)],
        [("a", 0.4), ("a", 0.3)],
        [("a", 0.3), ("b", 0.4)],
        [("a", 0.9), ("b", 0.9)],
    ],
)
def test_what_the_version_cannot_have_said_is_not_recorded(said: list[tuple[str, float]]) -> None:
    archive = Archive(Path("plants-1.mar"), "plants", "1", ("a", "b"), ModelCard(), ())
    check_answer(archive, Inference((Label("b", 0.6), Label("a", 0.4)), {}))
    with pytest.raises(ProcessingError):
        check_answer(archive, Inference(tuple(Label(*each) for each in said), {}))


@asynccontextmanager
async def answering(*blocks: bytes, over: bool = True) -> AsyncIterator[TorchServe]:
    """A client of whatever answers these bytes to every request; not `over`: it then says nothing more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            for block in blocks:
                writer.write(block)
                await writer.drain()
            if not over:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    client = TorchServe(
        inference_url=url, management_url=url, metrics_url=url, max_answer_seconds=1, exchange=Exchange(None)
    )
    await client.open()
    try:
        async with server:
            yield client
    finally:
        await client.close()


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


async def test_its_metrics_are_passed_on_byte_by_byte() -> None:
    async with answering(HEAD, b"a 1\n", b"b 2\n") as client:
        assert await client.metrics() == b"a 1\nb 2\n"


async def test_metrics_that_do_not_end_or_do_not_come_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchserve, "MAX_METRICS_BYTES", 100_000)
    monkeypatch.setattr(torchserve, "DESCRIBE_SECONDS", 0.5)
    began = monotonic()
    async with answering(HEAD, *([b"a" * 50_000] * 3)) as client:
        with pytest.raises(TorchServeUnreachable):
            await client.metrics()
    async with answering(HEAD, b"a 1\n", over=False) as client:
        with pytest.raises(TorchServeUnreachable):
            await client.metrics()
    async with answering(b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n") as client:
        with pytest.raises(TorchServeUnreachable, match="500"):
            await client.metrics()
    async with answering() as client:
        with pytest.raises(TorchServeUnreachable):
            await client.metrics()
    assert monotonic() - began < 10
