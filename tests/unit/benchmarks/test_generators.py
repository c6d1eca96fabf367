"""The load generators count what was answered, and from the moment at which it was meant to be asked."""

import time
from pathlib import Path

import pytest

from benchmarks import closed_loop, open_loop
from benchmarks.connection import connect, header
from tests.unit.benchmarks.server import FAREWELL, OK, REFUSED, REQUEST, serving


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    path = tmp_path / "small.http"
    path.write_bytes(REQUEST)
    return str(path)


def test_header_is_found_whatever_stands_around_it() -> None:
    head = b"http/1.1 200 ok\r\ncontent-type: x\r\ncontent-length: 12\r\nretry-after: 3"
    assert header(head, b"content-length") == b"12"
    assert header(head, b"retry-after") == b"3"
    assert header(head, b"length") == b""


async def test_connection_is_used_again_and_notices_a_farewell() -> None:
    async with serving(lambda n: OK if n < 3 else FAREWELL) as port:
        connection = await connect(port)
        assert [(await connection.ask(REQUEST)).status for _ in range(3)] == [200, 200, 503]
        assert not connection.is_open
        connection.close()


async def test_connection_that_ends_without_an_answer_says_so() -> None:
    async with serving(lambda _: b"") as port:
        connection = await connect(port)
        assert (await connection.ask(REQUEST)).status == 0


async def test_closed_loop_never_has_more_questions_open_than_clients(request_file: str) -> None:
    async with serving(lambda _: OK, delay=0.05) as port:
        job = {"port": port, "request": request_file, "clients": 2, "warm_up": 0.1, "seconds": 0.5}
        measured = await closed_loop.run(job)
    assert 5 <= len(measured.latencies) <= 20
    assert min(measured.latencies) >= 50


async def test_closed_loop_counts_refusals_apart(request_file: str) -> None:
    async with serving(lambda n: OK if n % 2 else REFUSED) as port:
        job = {"port": port, "request": request_file, "clients": 1, "warm_up": 0.0, "seconds": 0.3}
        measured = await closed_loop.run(job)
    assert measured.failures["429"] > 0
    assert len(measured.latencies) > 0


async def test_open_loop_asks_at_its_rate_however_slow_the_answers_are(request_file: str) -> None:
    async with serving(lambda _: OK, delay=0.4) as port:
        job = {"port": port, "request": request_file, "phases": [(50.0, 0.6)], "patience": 0.0}
        flow = await open_loop.run(job)
    assert len(flow.asked) == 30
    assert all(each.status == 200 and each.seconds >= 0.4 for each in flow.asked)


async def test_latency_counts_from_the_intended_time(request_file: str) -> None:
    """A generator that is held up hides nothing: what it sent late was under way for longer."""

    def hold_up(_: int) -> bytes:
        time.sleep(0.1)  # the generator runs in the same loop
        return OK

    async with serving(hold_up) as port:
        job = {"port": port, "request": request_file, "phases": [(20.0, 0.5)], "patience": 0.0}
        flow = await open_loop.run(job)
    assert max(each.late for each in flow.asked) >= 0.05
    assert all(each.seconds >= each.late for each in flow.asked)


async def test_who_waits_as_told_asks_again(request_file: str) -> None:
    async with serving(lambda n: REFUSED if n == 1 else OK) as port:
        job = {"port": port, "request": request_file, "phases": [(10.0, 0.1)], "patience": 5.0}
        flow = await open_loop.run(job)
    [asked] = flow.asked
    assert (asked.status, asked.attempts) == (200, 2)
    assert asked.seconds >= 1


async def test_who_has_no_patience_stays_refused(request_file: str) -> None:
    async with serving(lambda _: REFUSED) as port:
        job = {"port": port, "request": request_file, "phases": [(10.0, 0.1)], "patience": 0.0}
        [asked] = (await open_loop.run(job)).asked
    assert (asked.status, asked.attempts) == (429, 1)


async def test_each_phase_has_its_own_rate_and_its_own_clock(request_file: str) -> None:
    async with serving(lambda _: OK) as port:
        phases = [(20.0, 0.5), (100.0, 0.2), (20.0, 0.5)]
        flow = await open_loop.run({"port": port, "request": request_file, "phases": phases, "patience": 0.0})
    assert [len(flow.during(number)) for number in range(3)] == [10, 20, 10]
    assert all(0 <= each.at < 0.2 for each in flow.during(1))
    assert len(flow.generator_cpu_seconds) == 3
