"""What a client sees of its Idempotency-Key: the first answer again, marked; or why not."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI
from PIL import Image

from control_plane.access.credentials import KeySecrets
from control_plane.access.keyring import Keyring
from control_plane.access.throttle import Throttle
from control_plane.domain.allowance import NOTHING_LIMITED
from control_plane.domain.subjects import Subjects
from control_plane.metrics import Metrics
from control_plane.photos.uploads import Picture
from control_plane.predictions.prediction import Asked, Recorded
from control_plane.predictions.replays import Replays
from control_plane.records.recording import Recorder
from control_plane.records.spool import Spool
from control_plane.routes import predict
from control_plane.settings import Settings
from control_plane.tables.database import Database
from control_plane.web import problems
from control_plane.web.door import Door, Keeper
from control_plane.web.requests import RequestContext
from tests.integration.control_plane.rows import prediction


class Answering:
    """In the place of the model: one answer for every picture, recorded as always."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def predict(self, picture: Picture, asked: Asked, *, started: float) -> Recorded:
        row = replace(prediction(), request_id=asked.request_id, correlation_id=asked.correlation_id)
        row = replace(row, image_sha256=picture.sha256, processing_seconds=started % 1)
        return Recorded(row, await self._recorder.record(row))


@pytest.fixture
async def http(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    monkeypatch.setenv("DATABASE_URL", "postgresql://unused")
    metrics = Metrics()
    spool = Spool(tmp_path, "one", max_bytes=10**6, metrics=metrics)
    spool.open()
    recorder = Recorder(database, spool, metrics, Subjects([bytes(32)]))
    app = FastAPI()
    app.state.parts = SimpleNamespace(
        settings=Settings(),
        metrics=metrics,
        predictor=Answering(recorder),
        replays=Replays(database, metrics),
        keeper=Keeper("off", Keyring(database, KeySecrets.load(None, tmp_path), tmp_path / "keys.json"), "no token"),
        throttle=Throttle(NOTHING_LIMITED, NOTHING_LIMITED),
        blur=lambda _: None,
    )
    app.include_router(predict.router)
    problems.add_handlers(app, metrics)
    app.add_middleware(Door)
    app.add_middleware(RequestContext, metrics=metrics)
    running = asyncio.create_task(recorder.run())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://service") as client:
        yield client
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    spool.close()


def picture(colour: str = "green") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, "JPEG")
    return out.getvalue()


async def ask(
    http: httpx2.AsyncClient, key: str | bytes, content: bytes = picture(), query: str = ""
) -> httpx2.Response:
    headers = [(b"Content-Type", b"image/jpeg"), (b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    return await http.post(f"/predict{query}", content=content, headers=headers)


async def test_a_repetition_has_the_same_body_and_says_so(http: httpx2.AsyncClient) -> None:
    first, again = await ask(http, "a-1"), await ask(http, "a-1")
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"] == first.json()["request_id"]


async def test_the_same_picture_as_a_form_is_the_same_request(http: httpx2.AsyncClient) -> None:
    first = await ask(http, "a-1")
    again = await http.post("/predict", files={"image": ("a.jpg", picture())}, headers={"Idempotency-Key": "a-1"})
    assert again.headers["idempotency-replayed"] == "true"
    assert again.content == first.content


@pytest.mark.parametrize(("content", "query"), [(picture("red"), ""), (picture(), "?top_k=5")])
async def test_another_picture_or_other_options_under_the_same_key_are_a_conflict(
    http: httpx2.AsyncClient, content: bytes, query: str
) -> None:
    await ask(http, "a-1")
    other = await ask(http, "a-1", content, query)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, b"\xe9"])
async def test_a_malformed_key_is_refused(http: httpx2.AsyncClient, key: str | bytes) -> None:
    refused = await ask(http, key)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


async def test_two_keys_on_one_request_are_refused(http: httpx2.AsyncClient) -> None:
    headers = [("Content-Type", "image/jpeg"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert (await http.post("/predict", content=picture(), headers=headers)).status_code == 422


async def test_without_the_database_the_answer_is_marked_unknown(http: httpx2.AsyncClient, database: Database) -> None:
    database.up = False
    for _ in range(2):
        answer = await ask(http, "a-1")
        assert answer.status_code == 200
        assert answer.headers["idempotency-status"] == "unknown"
        assert "idempotency-replayed" not in answer.headers
