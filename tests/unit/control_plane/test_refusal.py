"""A full queue refuses at the door: nothing of the body is read, and the answer is a problem like any other."""

import asyncio
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from control_plane.dispatch import Dispatcher
from control_plane.domain.callers import OF_EVERYBODY, Caller
from control_plane.metrics import Metrics
from control_plane.web.refusal import RefusalAtTheDoor
from control_plane.web.requests import RequestContext

CALLER = Caller("anonymous", OF_EVERYBODY, None, "127.0.0.1", "address:127.0.0.1")


class Door:
    """The two outermost layers in front of an application that only says 200."""

    def __init__(self, *, full: bool) -> None:
        self.metrics = Metrics()
        dispatcher = Dispatcher(queue_size=1, queue_cost=0 if full else 1, metrics=self.metrics)
        settings = SimpleNamespace(model="plants")
        self.service = SimpleNamespace(
            state=SimpleNamespace(parts=SimpleNamespace(dispatcher=dispatcher, settings=settings))
        )
        inner = RefusalAtTheDoor(self._answer, metrics=self.metrics)
        self.layers = RequestContext(inner, metrics=self.metrics)

    async def _answer(self, _: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask(self, method: str = "POST", path: str = "/predict") -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            raise AssertionError("the body was read")

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Any = {
            "type": "http",
            "app": self.service,
            "method": method,
            "path": path,
            "headers": [],
            "state": {"caller": CALLER},
        }
        await self.layers(scope, receive, send)
        return sent


async def test_a_full_queue_refuses_before_the_body_is_read() -> None:
    door = Door(full=True)
    start, body = await door.ask()
    headers = dict(start["headers"])
    problem = json.loads(body["body"])
    assert (start["status"], problem["code"], problem["retry"]) == (429, "overloaded", True)
    assert headers[b"content-type"] == b"application/problem+json"
    assert int(headers[b"content-length"]) == len(body["body"])
    assert int(headers[b"retry-after"]) >= 1
    assert headers[b"x-request-id"].decode() == problem["request_id"]


async def test_a_refusal_at_the_door_is_counted_like_one_behind_it() -> None:
    door = Door(full=True)
    await door.ask()
    registry = door.metrics.registry
    assert registry.get_sample_value("prediction_requests_total") == 1
    assert registry.get_sample_value("weedwatch_errors_total", {"code": "overloaded"}) == 1
    assert registry.get_sample_value("prediction_errors_total", {"error_type": "processing_error"}) == 1
    labels = {"method": "POST", "route": "/predict", "status": "429"}
    assert registry.get_sample_value("weedwatch_http_requests_total", labels) == 1


@pytest.mark.parametrize("version", ["", "/versions/1"])
async def test_the_inference_protocol_is_refused_in_its_own_words(version: str) -> None:
    door = Door(full=True)
    start, body = await door.ask(path=f"/v2/models/plants{version}/infer")
    headers = dict(start["headers"])
    assert (start["status"], headers[b"content-type"]) == (429, b"application/json")
    assert list(json.loads(body["body"])) == ["error"]
    assert int(headers[b"content-length"]) == len(body["body"])
    assert int(headers[b"retry-after"]) >= 1
    route = f"/v2/models/{{name}}{'/versions/{version}' if version else ''}/infer"
    labels = {"method": "POST", "route": route, "status": "429"}
    assert door.metrics.registry.get_sample_value("weedwatch_http_requests_total", labels) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health"),
        ("GET", "/predict"),
        ("POST", "/elsewhere"),
        ("GET", "/v2/models/plants/infer"),
        ("POST", "/v2/models/roses/infer"),
    ],
)
async def test_a_full_queue_lets_everything_else_pass(method: str, path: str) -> None:
    assert (await Door(full=True).ask(method, path))[0]["status"] == 200


async def test_a_queue_with_room_lets_predictions_pass() -> None:
    assert (await Door(full=False).ask())[0]["status"] == 200


async def test_refusals_at_the_door_share_a_line_of_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.web.refusal.TELL_SECONDS", 0.05)
    caplog.set_level(logging.INFO)
    door = Door(full=True)
    for _ in range(20):
        await door.ask()
    async with asyncio.timeout(20):
        while not caplog.records:
            await asyncio.sleep(0.01)
    assert [vars(record)["requests"] for record in caplog.records] == [20]
