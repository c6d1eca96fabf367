"""Line 2: a key revoked on one replica is refused by the other; what looking at keys costs a request."""

import math
import statistics
import time

import httpx2
import psutil

from tests.closed import Closed, bearer, closed
from tests.faults.postgres import own_postgres
from tests.load import asking
from tests.proofs.harness import Context
from tests.proofs.replicas import Replica, replica
from tests.proofs.results import Figure, at_most, for_the_record, none_of
from tests.proofs.samples import samples

FULL_REVOCATIONS = 100
REVOKED_SECONDS = 5.0
FULL_PAIRS = 200
LEAST_PAIRS = 40
IN_A_BLOCK = 25
COST = 1.05
CLIENTS, PER_SECOND = 3, 60.0


def run(context: Context) -> list[Figure]:
    context.folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    photo = next(iter(samples(context.root).values()))
    with (
        own_postgres(context.folder / "database") as postgres,
        closed(context.root, DATABASE_URL=postgres.url) as place,
        replica(place.stack, "second", postgres.url) as second,
    ):
        figures = _revocations(context, place, second, photo)
        with replica(place.stack, "open", postgres.url, WEEDWATCH_AUTH="off") as unlocked:
            key = place.headers("predict", name="cost")
            _wait_until_known(unlocked.port, key)
            return [*figures, *_cost(context, key, unlocked, photo)]


def _revocations(context: Context, place: Closed, second: Replica, photo: bytes) -> list[Figure]:
    """Both replicas answer all the time; each key is used on the second one until that refuses it."""
    seconds, failed = [], []
    times = context.count(FULL_REVOCATIONS, at_least=10)
    load = place.headers("predict", name="load")
    _wait_until_known(second.port, load)
    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{second.port}", timeout=30) as other,
        asking([place.stack.port, second.port], [photo], clients=CLIENTS, per_second=PER_SECOND, headers=load) as log,
    ):
        for number in range(times):
            made = place.make_key("read", name=f"short lived {number}")
            headers = bearer(made["key"])
            if not _comes(other, headers, 200):
                failed.append(f"key {number + 1} was never taken")
                continue
            place.http.delete(f"/keys/{made['id']}", headers=place.admin)
            revoked = time.monotonic()
            if place.http.get("/info", headers=headers).status_code != 401:
                failed.append(f"key {number + 1} was not refused at once where it was revoked")
            if not _comes(other, headers, 401):
                failed.append(f"key {number + 1} was never refused by the other")
            seconds.append(time.monotonic() - revoked)
    bad = [f"{each.status} {each.code}" for each in log.failed() if each.status != 429]
    return [
        none_of("revocations that did not come through", failed, times, context.say),
        at_most(f"the slowest of {times} to be refused by the other replica", max(seconds), REVOKED_SECONDS, "s"),
        none_of("requests of the load that failed", bad, len(log.all()), context.say),
    ]


def _wait_until_known(port: int, headers: dict[str, str]) -> None:
    """Where a key was made it is known at once, elsewhere within two seconds."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        assert _comes(http, headers, 200)


def _comes(other: httpx2.Client, headers: dict[str, str], status: int) -> bool:
    deadline = time.monotonic() + 30
    while other.get("/info", headers=headers).status_code != status:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _cost(context: Context, key: dict[str, str], unlocked: Replica, photo: bytes) -> list[Figure]:
    """One control plane that lets everybody in, asked with a key and without: two processes would differ by more."""
    pairs = context.count(FULL_PAIRS, at_least=LEAST_PAIRS)
    doors = (_Way(unlocked.port, key), _Way(unlocked.port, {}))
    took: list[tuple[float, float]] = []
    spent: list[tuple[float, float]] = []
    for way in doors:
        way.block(photo)  # warm
    for number in range(pairs):
        order = doors if number % 2 else doors[::-1]
        block = {way: way.block(photo) for way in order}
        took.append((block[doors[0]][0], block[doors[1]][0]))
        spent.append((block[doors[0]][1], block[doors[1]][1]))
    ratio, upper = _ratio(took)
    cpu, cpu_upper = _ratio(spent)
    refused = [str(status) for way in doors for status in way.statuses if status != 200]
    return [
        at_most(f"time with a key ÷ without, upper end of the 95 % interval of {pairs} pairs", upper, COST),
        for_the_record("time with a key ÷ without", f"{ratio:.3f}"),
        for_the_record("CPU of the control plane with a key ÷ without", f"{cpu:.3f}, at most {cpu_upper:.3f}"),
        none_of("requests of these that failed", refused, sum(len(way.statuses) for way in doors), context.say),
    ]


class _Way:
    """One control plane, and what is shown to it."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.headers = headers
        self.statuses: list[int] = []
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        listening = (each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN)
        self._process = psutil.Process(next(each.pid for each in listening if each.laddr and each.laddr.port == port))

    def block(self, photo: bytes) -> tuple[float, float]:
        """The median seconds, and the CPU seconds of the control plane, of some requests one after another."""
        cpu, took = self._cpu(), []
        headers = {"Content-Type": "image/jpeg", **self.headers}
        for _ in range(IN_A_BLOCK):
            started = time.perf_counter()
            self.statuses.append(self._http.post("/predict", content=photo, headers=headers).status_code)
            took.append(time.perf_counter() - started)
        return statistics.median(took), self._cpu() - cpu

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _ratio(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """The mean ratio, and the upper end of its 95 % interval."""
    logs = [math.log(with_key / without) for with_key, without in pairs]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean + 2.09 * error)  # Student's t at 20 degrees of freedom; less with more
