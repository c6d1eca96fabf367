"""Redis counts for all replicas; while it is away each replica limits alone, and the log says so once."""

import asyncio
import logging
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from control_plane.access.counters import Counters
from control_plane.access.lockout import Lockout
from control_plane.access.throttle import Throttle
from control_plane.domain.allowance import Allowance
from control_plane.domain.callers import SCOPES, Caller
from control_plane.errors import RateLimited
from tests.proofs.stack import free_port
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None and not os.environ.get("CI"), reason="needs Debian's redis-server"
)
CALLER = Caller("key 1", frozenset(SCOPES), "me", "203.0.113.9", "key:1")


@contextmanager
def redis(port: int, folder: Path) -> Iterator[None]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", "secret"]
    output = folder / "redis.log"
    with output.open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: server.poll() is not None or "Ready to accept" in output.read_text())
        assert server.poll() is None, output.read_text()
        yield
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[tuple[Counters, Counters]]:
    port = free_port()
    with redis(port, tmp_path):
        made = [Counters(f"redis://:secret@127.0.0.1:{port}/0") for _ in range(2)]
        yield made[0], made[1]
        for each in made:
            await each.close()


def request() -> dict[str, Any]:
    return {"method": "POST", "path": "/predict", "headers": [], "state": {}}


async def passes(throttle: Throttle) -> bool:
    try:
        (await throttle.enter(CALLER, "203.0.113.9", request())).leave()
    except RateLimited as error:
        return not 1 <= (error.retry_after_seconds or 0) <= 60
    return True


async def test_two_replicas_let_in_together_what_one_may(replicas: tuple[Counters, Counters]) -> None:
    doors = [Throttle(Allowance(rate=1, burst=10), Allowance(), each) for each in replicas]
    assert sum([await passes(doors[n % 2]) for n in range(40)]) == 10


async def test_who_waits_as_told_is_let_in_by_the_other_replica(replicas: tuple[Counters, Counters]) -> None:
    first, second = [Throttle(Allowance(rate=2, burst=2), Allowance(), each) for each in replicas]
    assert [await passes(each) for each in (first, first)] == [True, True]
    with pytest.raises(RateLimited) as refused:
        await second.enter(CALLER, "203.0.113.9", request())
    await asyncio.sleep(refused.value.retry_after_seconds or 0)
    assert await passes(second)


async def test_guesses_at_one_replica_count_at_the_other(replicas: tuple[Counters, Counters]) -> None:
    first, second = (Lockout(5, each) for each in replicas)
    for number in range(5):
        await first.check("203.0.113.9", f"guess {number}")
        await first.failed("203.0.113.9", f"guess {number}")
    with pytest.raises(RateLimited) as refused:
        await second.check("203.0.113.9", "another")
    assert 290 < (refused.value.retry_after_seconds or 0) <= 300
    await second.check("203.0.113.10", "another")


async def test_without_redis_each_replica_limits_alone_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "control_plane.access.counters")
    monkeypatch.setattr("control_plane.access.counters.AWAY_SECONDS", 0.05)
    port = free_port()
    counters = Counters(f"redis://:secret@127.0.0.1:{port}/0")
    door = Throttle(Allowance(rate=0.1, burst=5), Allowance(), counters)
    assert [await passes(door) for _ in range(8)] == [True] * 5 + [False] * 3
    await asyncio.sleep(0.1)
    assert await counters.take("another", 1, 1.0) is None
    assert [each.getMessage() for each in caplog.records] == ["Redis is away; each replica limits alone"]
    assert "secret" not in caplog.text
    with redis(port, tmp_path):
        await asyncio.sleep(0.1)
        assert await counters.take("another", 1, 60.0) is None
        assert await counters.take("another", 1, 60.0) is not None
    assert [each.getMessage() for each in caplog.records][1:] == ["Redis is back; the replicas limit together"]
    await counters.close()
