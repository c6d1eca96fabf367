"""What every answer carries, which hosts are answered, whose word for an address is taken, what can be switched off."""

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import Request

from control_plane.access.credentials import KeySecrets
from control_plane.access.keyring import Keyring
from control_plane.access.throttle import Throttle
from control_plane.app import create_app
from control_plane.domain.allowance import NOTHING_LIMITED, Allowance
from control_plane.errors import ModelNotLoaded
from control_plane.metrics import Metrics
from control_plane.settings import Settings
from control_plane.tables.database import Database
from control_plane.web import beside
from control_plane.web.door import Keeper
from control_plane.web.hosts import allowed
from tests.proofs.stack import free_port

ORIGIN = "https://field.example"
KEEPER = Keeper(
    "keys",
    Keyring(Database("", timeout_seconds=1, pool_size=1), KeySecrets({"": b""}), Path("none")),
    "the admin token",
)


@pytest.fixture(autouse=True)
def _database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/db")


def client(
    folder: Path, *, address: str = "127.0.0.1", limits: Allowance = NOTHING_LIMITED, **settings: object
) -> httpx2.AsyncClient:
    """A service whose `/who` says what it takes for the client's address and scheme."""
    read = Settings.model_validate({"state_dir": folder, "auth": "keys", **settings})
    app = create_app(read)
    app.state.parts = SimpleNamespace(
        settings=read, keeper=KEEPER, throttle=Throttle(NOTHING_LIMITED, limits), metrics=app.state.metrics
    )

    @app.get("/who")
    async def who(request: Request) -> list[str]:
        assert request.client is not None
        return [request.client.host, request.url.scheme]

    transport = httpx2.ASGITransport(app=app, client=(address, 1), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


@pytest.mark.parametrize("path", ["/who", "/nothing", "/docs", "/", "/ui/app.js", "/ui/nothing", "/openapi.json"])
async def test_every_answer_protects_whoever_shows_it(tmp_path: Path, path: str) -> None:
    async with client(tmp_path) as http:
        answer = await http.get(path)
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "strict-transport-security" not in answer.headers
    assert "server" not in answer.headers
    page = path in ("/docs", "/", "/ui/app.js")
    assert answer.headers["cache-control"] == ("no-cache" if page else "no-store")


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("localhost", True), ("localhost:8000", True), ("127.0.0.1:8000", True), ("[::1]:8000", True),
        ("LOCALHOST.", True), ("rebound.example", False), ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False), ("evil.example:8000", False), ("localhost@evil.example", False),
        ("localhost:80:80", False), ("", False), ("local host", False), ("10.0.0.7", False),
    ],
)  # fmt: skip
async def test_on_a_loopback_address_only_its_own_names_are_answered(tmp_path: Path, host: str, answered: bool) -> None:
    async with client(tmp_path) as http:
        answer = await http.get("/who", headers={"Host": host})
    if answered:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"] != ""


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("weeds.example", True), ("a.field.example", True), ("a.b.field.example:8443", True), ("field.example", False),
        ("evilfield.example", False), ("localhost", True), ("weeds.example.evil", False),
    ],
)  # fmt: skip
async def test_listed_hosts_alone_are_answered_wherever_it_listens(tmp_path: Path, host: str, answered: bool) -> None:
    listed = "weeds.example, *.field.example"
    for listens_on in ("127.0.0.1", "0.0.0.0"):  # noqa: S104
        async with client(tmp_path, allowed_hosts=listed, host=listens_on) as http:
            answer = await http.get("/who", headers={"Host": host})
        assert (answer.status_code == 200) is answered, listens_on


def test_any_host_is_answered_on_an_open_address_and_where_a_star_is_listed() -> None:
    assert allowed((), "0.0.0.0") is None  # noqa: S104
    assert allowed((), "10.0.0.7") is None
    assert allowed(("*",), "127.0.0.1") is None
    assert allowed((), "::1") == ("localhost", "127.0.0.1", "[::1]", "[::1]")
    assert allowed((), "127.0.0.9") is not None


@pytest.mark.parametrize(
    ("trusted", "address", "sent", "seen"),
    [
        ("", "127.0.0.1", "6.6.6.6", "127.0.0.1"),  # nobody is believed unless it is said
        ("10.0.0.0/8", "203.0.113.9", "6.6.6.6", "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the client itself wrote the first
        ("10.0.0.0/8", "10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "2001:db8::7", "2001:db8::7"),
    ],
)
async def test_the_clients_address_is_what_the_last_trusted_proxy_saw(
    tmp_path: Path, trusted: str, address: str, sent: str, seen: str
) -> None:
    async with client(tmp_path, address=address, trusted_proxies=trusted) as http:
        answer = await http.get("/who", headers={"X-Forwarded-For": sent, "X-Forwarded-Proto": "https"})
    believed = seen != address
    assert answer.json() == [seen, "https" if believed else "http"]
    assert ("strict-transport-security" in answer.headers) is believed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (ORIGIN, True), ("https://field.example.evil.example", False), ("https://evilfield.example", False),
        ("http://field.example", False), ("https://field.example:8443", False), ("null", False),
    ],
)  # fmt: skip
async def test_only_pages_of_listed_origins_may_read_answers(tmp_path: Path, origin: str, allowed: bool) -> None:
    async with client(tmp_path, cors_origins=ORIGIN) as http:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        before = await http.request("OPTIONS", "/predict", headers=asked)
        answer = await http.get("/nothing", headers={"Origin": origin})
    for each in (before, answer):
        assert each.headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert "access-control-allow-credentials" not in each.headers
        assert "origin" in each.headers["vary"].lower() or not allowed


async def test_the_pages_of_the_api_can_be_switched_off(tmp_path: Path) -> None:
    async with client(tmp_path, docs=False) as http:
        seen = [(await http.get(path)).status_code for path in ("/docs", "/redoc", "/openapi.json", "/")]
    assert seen == [404, 404, 404, 200]


async def test_without_the_pages_files_their_addresses_are_not_found_and_the_api_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("control_plane.web.pages.UI", tmp_path / "ui")
    async with client(tmp_path) as http:
        answers = [await http.get(path) for path in ("/", "/ui/app.js", "/docs", "/redoc")]
        alive = await http.get("/health/live")
    assert [(each.status_code, each.json()["code"]) for each in answers] == [(404, "not_found")] * 4
    assert alive.status_code == 200


async def test_the_main_port_has_no_metrics_where_they_have_their_own(tmp_path: Path) -> None:
    async with client(tmp_path, metrics_port=free_port()) as http:
        http.headers["Authorization"] = "Bearer the admin token"
        answer = await http.get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_metrics_that_are_switched_off_are_said_to_be(tmp_path: Path) -> None:
    async with client(tmp_path, metrics="off") as http:
        http.headers["Authorization"] = "Bearer the admin token"
        answer = await http.get("/metrics")
    assert answer.status_code == 404
    assert "WEEDWATCH_METRICS=off" in answer.json()["detail"]


class Told:
    """What the second port passes on."""

    async def page(self, accept: str) -> tuple[bytes, str]:
        return f"ours, as {accept}".encode(), "text/plain"

    async def torchserve_page(self, number: str) -> tuple[bytes, str]:
        raise ModelNotLoaded(f"TorchServe {number} is away.")


async def test_the_metrics_have_a_port_of_their_own_where_that_is_set() -> None:
    port = free_port()
    async with beside.serving(Metrics(), Told(), "127.0.0.1", port), httpx2.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": "text/x"})
        torchserve = await http.get(f"http://127.0.0.1:{port}/metrics/torchserve?number=2")
        other = await http.get(f"http://127.0.0.1:{port}/info")
    assert (answer.status_code, answer.text) == (200, "ours, as text/x")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (torchserve.status_code, torchserve.text) == (503, "TorchServe 2 is away.\n")
    assert other.status_code == 404
    with pytest.raises(OSError, match="in use"):
        async with (
            beside.serving(Metrics(), Told(), "127.0.0.1", port),
            beside.serving(Metrics(), Told(), "127.0.0.1", port),
        ):
            pass


async def test_who_is_over_a_limit_gets_a_problem_and_the_log_has_one_line_for_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with client(tmp_path, limits=Allowance(rate=0.1, burst=1)) as http:
        answers = [await http.get(path) for path in ("/nothing", "/nothing", "/v2/nothing", "/info", "/health/live")]
    assert [each.status_code for each in answers] == [404, 429, 429, 429, 200]
    assert answers[0].headers["ratelimit"] == '"requests";r=0;t=10'
    assert answers[1].json()["code"] == "rate_limited"
    assert answers[1].json()["request_id"] == answers[1].headers["x-request-id"]
    assert answers[1].headers["ratelimit-policy"] == '"requests";q=1;w=10'
    assert 1 <= int(answers[1].headers["retry-after"]) <= 11
    assert answers[1].headers["x-content-type-options"] == "nosniff"
    assert list(answers[2].json()) == ["error"]
    await asyncio.sleep(1.2)
    told = [each for each in caplog.records if each.getMessage() == "requests refused at the door"]
    assert [vars(each)["requests"] for each in told] == [3]
    assert sum(each.getMessage() == "request" for each in caplog.records) == 1
