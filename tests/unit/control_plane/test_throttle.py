"""Limits: who is refused is told the truth about when to come again, and nobody pays for another."""

import random
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pydantic import ValidationError

from control_plane.access.lockout import Lockout
from control_plane.access.throttle import Throttle, network
from control_plane.access.turns import LONGEST_SECONDS, Places, Turns, Volume
from control_plane.domain.allowance import Allowance, parse
from control_plane.domain.callers import SCOPES, Caller
from control_plane.errors import RateLimited
from control_plane.settings import Settings


def test_a_burst_may_come_at_once_and_the_rate_in_the_long_run() -> None:
    turns = Turns(10, 2.0)  # 5 a second
    assert [turns.take(0.0) for _ in range(10)] == [None] * 10
    assert turns.take(0.0) is not None
    flood = Turns(10, 2.0)
    passed = sum(flood.take(n / 50, lambda mark=n: mark) is None for n in range(50 * 60))  # type: ignore[misc]
    assert 0.8 * 300 <= passed <= 310  # ten times the limit for a minute, and nobody waits


def test_what_is_left_is_told() -> None:
    turns = Turns(3, 6.0)
    assert turns.left(0.0) == (3, 0)
    turns.take(0.0)
    turns.take(1.0)
    assert turns.left(2.0) == (1, 4)
    assert turns.left(6.5) == (2, 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("burst", "seconds"), [(10, 2.0), (5, 10.0), (1, 4.0), (100, 2.0)])
@pytest.mark.parametrize("answers_within", [0.02, 1.5])
def test_who_waits_as_told_is_let_in(burst: int, seconds: float, answers_within: float, seed: int) -> None:
    """Many clients of one caller, each sends, waits as told when refused, and sends the next when answered."""
    chance = random.Random(seed)
    turns = Turns(burst, seconds)
    coming = [(chance.random() * 3, False, client) for client in range(3 * burst + 5)]
    waited = succeeded = 0
    while coming:
        now, has_waited, client = coming.pop(min(range(len(coming)), key=lambda n: coming[n]))
        if now > 60:
            break
        wait = turns.take(now, lambda mark=client: mark)  # type: ignore[misc]
        if has_waited:
            waited += 1
            succeeded += wait is None
        again = answers_within * chance.random() if wait is None else wait + 0.02 * chance.random()
        if wait != LONGEST_SECONDS:
            coming.append((now + again, wait is not None, client))
    assert waited > 10
    assert succeeded / waited >= 0.95


def test_turns_that_nobody_comes_for_are_free_again() -> None:
    turns = Turns(2, 1.0)
    for mark in range(2000):
        turns.take(0.0, lambda mark=mark: mark)  # type: ignore[misc]
    assert turns.take(0.0) == LONGEST_SECONDS
    assert turns.is_idle(LONGEST_SECONDS + 10.0)
    assert turns.take(LONGEST_SECONDS + 10.0) is None


def test_places_are_given_back_and_the_wait_is_as_long_as_requests_take() -> None:
    places = Places(2)
    assert [places.take(0.0), places.take(0.0)] == [None, None]
    assert places.take(0.0) == 1
    for _ in range(100):
        places.leave(8.0)
        assert places.take(0.0) is None
    assert places.take(10.0) == 8


def test_bytes_over_the_limit_are_paid_for_by_those_that_come_after() -> None:
    volume = Volume(600, 0.0)
    assert volume.take(900, 0.0) is None
    assert volume.take(10, 0.0) == 30
    assert volume.take(10, 0.0) == 31  # behind the one before
    assert volume.take(10, 31.0) is None
    assert not volume.is_idle(60.0)
    assert volume.is_idle(120.0)


@pytest.mark.parametrize(
    ("text", "allowance"),
    [
        ("off", Allowance()),
        ("rate=2.5", Allowance(2.5)),
        ("rate=5, burst=10,concurrent=3,bytes_per_minute=1024", Allowance(5, 10, 3, 1024)),
    ],
)
def test_limits_are_written_in_words(text: str, allowance: Allowance) -> None:
    assert parse(text) == allowance


@pytest.mark.parametrize("text", ["rates=1", "rate", "rate=x", "rate=-1", "burst=3", "rate=nan", "concurrent=1.5"])
def test_limits_that_cannot_be_read_stop_the_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/db")
    monkeypatch.setenv("WEEDWATCH_CALLER_LIMITS", text)
    with pytest.raises(ValidationError, match="caller_limits"):
        Settings()


def test_a_laptop_has_no_limits_and_an_open_service_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/db")
    alone, opened = Settings(state_dir=tmp_path), Settings(state_dir=tmp_path, auth="keys")
    assert (alone.allowed_addresses, alone.allowed_bad_credentials) == (Allowance(), 0)
    assert opened.allowed_addresses.rate == 2 * (opened.allowed_callers.rate or 0)
    assert opened.allowed_bad_credentials == 20


def caller(number: int = 1, **limits: Any) -> Caller:
    return Caller(f"key {number}", frozenset(SCOPES), "me", "203.0.113.9", f"key:{number}", limits or None)


def request(path: str = "/predict", **headers: str) -> dict[str, Any]:
    return {
        "method": "POST", "path": path, "state": {},
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip


async def refused(throttle: Throttle, who: Caller | None, scope: dict[str, Any], address: str = "203.0.113.9") -> bool:
    try:
        await throttle.enter(who, address, scope)
    except RateLimited as error:
        return 1 <= (error.retry_after_seconds or 0) <= LONGEST_SECONDS
    return False


async def test_callers_have_limits_of_their_own_and_answers_carry_them() -> None:
    throttle = Throttle(Allowance(rate=1, burst=3), Allowance())
    scopes = [request() for _ in range(4)]
    assert [await refused(throttle, caller(1), each) for each in scopes] == [False] * 3 + [True]
    assert not await refused(throttle, caller(2), request())
    assert not await refused(throttle, caller(3, rate=100), request())
    assert [dict(each["state"]["limits"])[b"ratelimit"] for each in scopes] == [
        b'"requests";r=2;t=3', b'"requests";r=1;t=3', b'"requests";r=0;t=3', b'"requests";r=0;t=3',
    ]  # fmt: skip
    assert dict(scopes[3]["state"]["limits"])[b"ratelimit-policy"] == b'"requests";q=3;w=3'


async def test_an_address_is_limited_whoever_calls_from_there_and_others_are_not() -> None:
    throttle = Throttle(Allowance(), Allowance(rate=1, burst=2))
    assert [await refused(throttle, each, request()) for each in (caller(1), None, caller(2))] == [False, False, True]
    assert not await refused(throttle, caller(1), request(), "203.0.113.10")
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("::ffff:203.0.113.9") == "203.0.113.9"


async def test_health_and_the_admin_token_are_never_refused() -> None:
    throttle = Throttle(Allowance(rate=1, burst=1), Allowance(rate=1, burst=1))
    admin = Caller("admin", frozenset(SCOPES), None, "203.0.113.9", "admin")
    for _ in range(5):
        assert not await refused(throttle, None, request("/health/ready"))
        assert not await refused(throttle, admin, request("/keys"))


async def test_requests_under_way_are_bounded_and_those_refused_take_no_place() -> None:
    throttle = Throttle(Allowance(concurrent=2, rate=1, burst=100), Allowance(concurrent=3))
    first = await throttle.enter(caller(), "a", request())
    await throttle.enter(caller(), "a", request())
    for _ in range(3):
        assert await refused(throttle, caller(), request(), "a")
    assert not await refused(throttle, caller(2), request(), "a")
    assert await refused(throttle, caller(3), request(), "a")
    first.leave()
    assert not await refused(throttle, caller(), request(), "a")


async def test_bodies_are_counted_by_what_they_declare_else_as_they_come() -> None:
    throttle = Throttle(Allowance(bytes_per_minute=1000), Allowance())
    assert not await refused(throttle, caller(1), request(content_length="5000"))
    assert await refused(throttle, caller(1), request(content_length="5"))
    assert not await refused(throttle, caller(1), request())  # without a body
    passage = await throttle.enter(caller(2), "a", request(transfer_encoding="chunked"))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(5000), "more_body": False}

    assert len((await passage.counted(receive)())["body"]) == 5000
    assert await refused(throttle, caller(2), request(content_length="5"))


async def test_callers_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    throttle = Throttle(Allowance(rate=10, burst=10, concurrent=5, bytes_per_minute=1000), Allowance())
    for number in range(50):
        (await throttle.enter(caller(number), "a", request(content_length="1"))).leave()
    assert len(throttle._buckets) == 50
    later = monotonic() + 200
    monkeypatch.setattr("control_plane.access.throttle.monotonic", lambda: later)
    await throttle.enter(caller(99), "a", request())
    assert set(throttle._buckets) == {"key:99"}


async def locked(lockout: Lockout, address: str, text: str) -> bool:
    try:
        await lockout.check(address, text)
    except RateLimited as error:
        return 0 < (error.retry_after_seconds or 0) <= 300
    return False


async def test_after_twenty_bad_credentials_only_those_known_to_be_good_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lockout = Lockout(20)
    lockout.passed("203.0.113.9", "good")
    for number in range(20):
        assert not await locked(lockout, "203.0.113.9", f"guess {number}")
        await lockout.failed("203.0.113.9", f"guess {number}")
    assert await locked(lockout, "203.0.113.9", "right, but never seen from here")
    assert not await locked(lockout, "203.0.113.9", "good")
    assert not await locked(lockout, "203.0.113.10", "good")
    await lockout.failed("203.0.113.9", "good")  # it was revoked
    assert await locked(lockout, "203.0.113.9", "good")
    later = monotonic() + 301
    monkeypatch.setattr("control_plane.access.lockout.monotonic", lambda: later)
    assert not await locked(lockout, "203.0.113.9", "right, but never seen from here")


async def test_the_same_bad_credential_counts_once() -> None:
    lockout = Lockout(3)
    for _ in range(10):
        await lockout.failed("203.0.113.9", "an old key")
    assert not await locked(lockout, "203.0.113.9", "another")
