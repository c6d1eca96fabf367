"""Line 3: a caller far over its limit keeps nobody else waiting, and whoever waits as told is let in."""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.closed import Closed, closed
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, at_most, for_the_record, none_of

RATE = 1.0  # requests a second that the heavy caller may send
TIMES = 10
SLOWER = 1.5
FULL_REQUESTS = 1000  # of the light caller, quiet and beside the heavy one each
IN_A_BLOCK = 25
PAUSE_SECONDS = 0.05
CALLERS = 5
CLIENTS = 4  # of each caller, which wait as they are told
FULL_SECONDS = 120.0
LET_IN = 0.95


def run(context: Context) -> list[Figure]:
    samples = context.root / "model_store" / "sources" / "plants" / "1" / "samples"
    picture = next(iter(sorted(samples.glob("*.jpg"))))
    with closed(context.root) as place:
        return [*_beside_a_heavy_caller(context, place, picture), *_who_waits(context, place, picture.read_bytes())]


def _beside_a_heavy_caller(context: Context, place: Closed, picture: Path) -> list[Figure]:
    """Quiet and loud blocks in turns, so that what else the machine does is in both."""
    light = place.headers("predict", name="light")
    heavy = place.headers("predict", name="heavy", limits={"rate": RATE, "burst": 1})
    data = picture.read_bytes()
    quiet: list[float] = []
    loud: list[float] = []
    failed: list[str] = []
    flooded: Counter[str] = Counter()
    blocks = context.count(FULL_REQUESTS, at_least=200) // IN_A_BLOCK
    _block(place, light, data, failed)  # warm
    with _flood(place, heavy["Authorization"], picture, flooded) as switch:
        for _ in range(blocks):
            quiet += _block(place, light, data, failed)
            switch()
            time.sleep(1.0)  # until it is over its limit
            loud += _block(place, light, data, failed)
            switch()
    before, beside = _p95(quiet), _p95(loud)
    seconds = flooded["seconds"]
    sent = sum(count for name, count in flooded.items() if name != "seconds")
    other = [name for name in flooded if name not in ("seconds", "200", "429")]
    return [
        at_most(f"the light caller's p95 beside the heavy one ÷ quiet, of {len(loud)} requests each", beside / before,
                SLOWER),
        for_the_record("the light caller's p95, quiet and beside the heavy one",
                       f"{1000 * before:.0f} ms, {1000 * beside:.0f} ms"),
        none_of("requests of the light caller that were not answered 200", failed, len(quiet) + len(loud), context.say),
        at_least(f"requests a second that the heavy caller sent, of {RATE:g} that it may", sent / seconds,
                 0.8 * TIMES * RATE),
        for_the_record("of these answered 200, and refused", f"{flooded['200']}, {flooded['429']}"),
        none_of("answers to the heavy caller of any other kind", other, sent, context.say),
    ]  # fmt: skip


def _block(place: Closed, key: dict[str, str], picture: bytes, failed: list[str]) -> list[float]:
    took = []
    for _ in range(IN_A_BLOCK):
        began = time.perf_counter()
        answer = place.predict(picture, key)
        took.append(time.perf_counter() - began)
        if answer.status_code != 200:
            failed.append(f"{answer.status_code} {answer.text[:200]}")
        time.sleep(PAUSE_SECONDS)
    return took


def _p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]


@contextmanager
def _flood(place: Closed, authorization: str, picture: Path, counts: Counter[str]) -> Iterator[Callable[[], None]]:
    program = (sys.executable, "-m", "tests.proofs.doors_lines.flood")
    command = [*program, str(place.stack.port), str(TIMES * RATE), str(picture)]
    flood = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"FLOOD_AUTHORIZATION": authorization}
    )
    given = flood.stdin
    assert given is not None

    def switch() -> None:
        os.write(given.fileno(), b"\n")

    try:
        yield switch
    finally:
        output, _ = flood.communicate(timeout=120)
        counts.update(json.loads(output))


@dataclass
class _Waits:
    sent: int = 0
    waited: int = 0
    let_in: int = 0
    seconds: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def _who_waits(context: Context, place: Closed, picture: bytes) -> list[Figure]:
    """Several callers over their limits, each with several clients that wait for what `Retry-After` says."""
    keys = [place.headers("predict", name=f"waits {n}", limits={"rate": 1.0, "burst": 2 + n}) for n in range(CALLERS)]
    until = time.monotonic() + max(20.0, FULL_SECONDS * context.share)
    waits = [_Waits() for _ in range(CALLERS * CLIENTS)]
    threads = [
        threading.Thread(target=_waiting, args=(place, keys[n % CALLERS], picture, until, each), daemon=True)
        for n, each in enumerate(waits)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    waited, let_in = sum(each.waited for each in waits), sum(each.let_in for each in waits)
    told = sorted(second for each in waits for second in each.seconds)
    return [
        at_least(f"of {waited} requests that waited as Retry-After said, let in", let_in / max(1, waited), LET_IN),
        for_the_record("seconds that they were told: median, most", f"{told[len(told) // 2]} s, {told[-1]} s"),
        none_of("answers to them that were neither 200 nor 429", [w for each in waits for w in each.wrong],
                sum(each.sent for each in waits), context.say),
    ]  # fmt: skip


def _waiting(place: Closed, key: dict[str, str], picture: bytes, until: float, waits: _Waits) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{place.stack.port}", timeout=60) as http:
        while time.monotonic() < until:
            headers = {"Content-Type": "image/jpeg", "Idempotency-Key": uuid.uuid4().hex, **key}
            has_waited = False
            while time.monotonic() < until + 10:
                answer = http.post("/predict", content=picture, headers=headers)
                waits.sent += 1
                if has_waited:
                    waits.waited += 1
                    waits.let_in += answer.status_code == 200
                if answer.status_code != 429:
                    if answer.status_code != 200:
                        waits.wrong.append(f"{answer.status_code} {answer.text[:200]}")
                    break
                seconds = int(answer.headers["retry-after"])
                waits.seconds.append(seconds)
                time.sleep(seconds)
                has_waited = True
