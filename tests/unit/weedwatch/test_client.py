"""Both clients over real HTTP: tries, keys, many photos at once, uploads, errors."""

import inspect
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace

from tests.proofs.stack import free_port
from tests.unit.weedwatch.server import Asked, Said, refused, serving
from weedwatch import AsyncClient, Client, Limits, Progress, Refused, Unreachable, refusals

PREDICTION: dict[str, Any] = {
    "request_id": "1", "created_at": "2026-05-01T00:00:00Z", "model": "plants", "version": "1", "role": "stable",
    "verdict": "species", "label": "Lantana camara", "common_name": None, "confidence": 0.9, "predictions": [],
    "processing_time_ms": 3.0, "of_a_newer_service": 7,
}  # fmt: skip
VERSION = {"version": "2", "state": "checking"}


def busy_twice(_: Asked, before: int) -> Said:
    return refused("overloaded", 429, retry=True, wait="0.01") if before < 2 else Said(PREDICTION)


def test_come_back_later_is_obeyed_under_the_same_key() -> None:
    with serving(busy_twice) as server, Client(server.url) as weeds:
        assert weeds.predict(b"photo").label == "Lantana camara"
        assert weeds.predict(b"another").version == "1"
    keys = [each.headers["idempotency-key"] for each in server.asked]
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_a_fresh_answer_is_asked_for_by_a_header() -> None:
    with serving(lambda _, __: Said(PREDICTION)) as server, Client(server.url) as weeds:
        weeds.predict(b"photo", fresh=True, top_k=2)
        weeds.predict(b"photo", fresh=False)
    assert [each.headers.get("cache-control") for each in server.asked] == ["no-cache", None]
    assert not any("fresh" in each.path for each in server.asked)


async def test_come_back_later_is_obeyed_by_the_client_for_asyncio() -> None:
    with serving(busy_twice) as server:
        async with AsyncClient(server.url) as weeds:
            assert (await weeds.predict(b"photo")).label == "Lantana camara"
    assert len({each.headers["idempotency-key"] for each in server.asked}) == 1
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("said", "limits", "tries"),
    [
        (refused("overloaded", 429, retry=True, wait="0.01"), Limits(tries=3), 3),
        (refused("overloaded", 429, retry=True, wait="50"), Limits(), 1),
        (refused("overloaded", 429), Limits(), 1),
        (refused("deadline_exceeded", 504, retry=True, wait="0.01"), Limits(), 1),
        (refused("invalid_image", 422), Limits(), 1),
    ],
)
def test_tries_are_bounded_and_made_only_where_the_service_says_so(said: Said, limits: Limits, tries: int) -> None:
    with serving(lambda _, __: said) as server, Client(server.url, limits=limits) as weeds:
        with pytest.raises(refusals.BY_CODE[said.body["code"]]) as error:
            weeds.predict(b"photo")
        assert error.value.code == said.body["code"]
        assert len(server.asked) == tries


def test_nobody_there_is_said_at_once_with_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as weeds, pytest.raises(Unreachable, match=f"{url}.*make run"):
        weeds.ready()


def test_another_service_is_not_taken_for_weedwatch() -> None:
    with serving(lambda _, __: Said({"hello": "world"})) as server, Client(server.url) as weeds:
        for ask in (weeds.models, weeds.ready, lambda: weeds.model("plants")):
            with pytest.raises(Unreachable, match="is not Weedwatch"):
                ask()


class Crowd:
    """Answers slowly, and counts how many wait at once; refuses what is no picture."""

    def __init__(self) -> None:
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, asked: Asked, _: int) -> Said:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        return (
            refused("invalid_image", 422) if asked.body == b"3" else Said({**PREDICTION, "label": asked.body.decode()})
        )


PHOTOS = [str(number).encode() for number in range(9)]


def test_many_photos_are_answered_in_order_and_at_most_so_many_at_once() -> None:
    crowd, told = Crowd(), list[Progress]()
    with serving(crowd) as server, Client(server.url) as weeds:
        outcomes = list(weeds.predict_many(PHOTOS, at_once=3, progress=told.append))
    _judge(outcomes, told, crowd)


async def test_many_photos_with_asyncio() -> None:
    crowd, told = Crowd(), list[Progress]()
    with serving(crowd) as server:
        async with AsyncClient(server.url) as weeds:
            outcomes = [each async for each in weeds.predict_many(PHOTOS, at_once=3, progress=told.append)]
    _judge(outcomes, told, crowd)


def _judge(outcomes: list[Any], told: list[Progress], crowd: Crowd) -> None:
    assert [each.picture for each in outcomes] == PHOTOS
    assert [each.answer.label if each.answer else each.error.code for each in outcomes] == [
        "invalid_image" if photo == b"3" else photo.decode() for photo in PHOTOS
    ]
    assert [each.done for each in told] == list(range(1, 10))
    assert told[-1].total == 9
    assert crowd.most <= 3


def test_many_photos_end_when_nobody_is_there() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as weeds, pytest.raises(Unreachable):
        list(weeds.predict_many(PHOTOS))


def test_an_archive_is_uploaded_with_its_progress_and_again_when_asked(tmp_path: Path) -> None:
    archive, signature = tmp_path / "plants-2.mar", tmp_path / "signature"
    archive.write_bytes(bytes(300_000))
    signature.write_bytes(b"signed")
    told: list[Progress] = []

    def once_busy(_: Asked, before: int) -> Said:
        return Said(VERSION, 202) if before else refused("overloaded", 503, retry=True, wait="0.01")

    with serving(once_busy) as server, Client(server.url, token="secret") as weeds:
        added = weeds.add_version("plants", "2", archive, signature=signature, progress=told.append)
    assert (added.state, added.is_checked) == ("checking", False)
    for asked in server.asked:
        assert asked.headers["authorization"] == "Bearer secret"
        assert asked.body.count(bytes(300_000)) == 1
        assert b'name="archive"; filename="plants-2.mar"' in asked.body
        assert b'name="signature"' in asked.body
        assert b'name="version"' in asked.body
    assert (told[-1].done, told[-1].total, told[-1].unit) == (300_006, 300_006, "bytes")


async def test_a_checkpoint_is_uploaded_with_its_labels(tmp_path: Path) -> None:
    for name in ("model.pth", "class_labels.json"):
        (tmp_path / name).write_bytes(name.encode())
    with serving(lambda _, __: Said(VERSION, 202)) as server:
        async with AsyncClient(server.url) as weeds:
            await weeds.add_version(
                "plants", "2", tmp_path / "model.pth", labels=tmp_path / "class_labels.json", architecture="resnet18"
            )
            await weeds.add_version("plants", "2", "https://models.example/plants-2.mar")
    files, address = server.asked
    assert b'name="model"' in files.body
    assert b'name="labels"' in files.body
    assert b"resnet18" in files.body
    assert address.body == b'{"version":"2","url":"https://models.example/plants-2.mar"}'


def test_files_that_do_not_fit_each_other_are_named_before_anything_is_sent() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as weeds:
        with pytest.raises(ValueError, match="needs its labels"):
            weeds.add_version("plants", "2", "model.pth")
        with pytest.raises(ValueError, match="holds its labels"):
            weeds.add_version("plants", "2", "a.mar", labels="labels.json")
        with pytest.raises(ValueError, match="go with a file"):
            weeds.add_version("plants", "2", card="card.json")


def test_what_a_newer_service_says_is_kept_and_nothing_is_added() -> None:
    with serving(lambda _, __: Said(PREDICTION)) as server, Client(server.url) as weeds:
        assert weeds.sighting("1").as_json() == PREDICTION


def test_names_cannot_leave_their_place_in_the_address() -> None:
    not_found = refused("model_not_found", 404)
    with serving(lambda _, __: not_found) as server, Client(server.url) as weeds, pytest.raises(Refused):
        weeds.model("../history?x=1")
    assert server.asked[0].path == "/models/..%2Fhistory%3Fx%3D1"


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    def methods(kind: type) -> dict[str, Any]:
        public = {name for name in dir(kind) if not name.startswith("_")}
        return {name: str(inspect.signature(getattr(kind, name)).parameters) for name in public}

    assert methods(Client) == methods(AsyncClient)
    assert all(inspect.getdoc(getattr(Client, name)) for name in methods(Client) if name != "close")


def test_the_span_of_a_program_that_uses_opentelemetry_is_passed_on() -> None:
    with serving(lambda _, __: Said(PREDICTION)) as server, Client(server.url) as weeds:
        weeds.predict(b"photo")
        context = trace.SpanContext(
            int("a" * 32, 16), int("b" * 16, 16), is_remote=False, trace_flags=trace.TraceFlags(1)
        )
        with trace.use_span(trace.NonRecordingSpan(context)):
            weeds.predict(b"another")
    assert [each.headers.get("traceparent") for each in server.asked] == [None, f"00-{'a' * 32}-{'b' * 16}-01"]


def test_the_client_itself_does_not_load_opentelemetry() -> None:
    program = "import sys, weedwatch; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"
