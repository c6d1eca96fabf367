"""For each alert the fault that provokes it: made for real wherever it can be made, else told by recorded series."""

import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO

import httpx2
import psycopg
from PIL import Image

from tests.checker.client import asking
from tests.faults.disk import fill
from tests.faults.processes import frozen
from tests.proofs.observability_lines.watched import ODD, Watched, write_certificate

PLANTS = 'model="plants"'


@dataclass(frozen=True)
class Fault:
    """`make` keeps the fault up within its block and has healed it after. `recorded`: it is told, not made."""

    name: str
    alerts: tuple[str, ...]
    make: Callable[[Watched], AbstractContextManager[None]]
    recorded: bool = False
    seconds: float = 120.0
    """For it to fire, and again to resolve."""


def slow(seconds: float, share: float = 1) -> Callable[[Watched], AbstractContextManager[None]]:
    act = f"import random, time\nif random.random() < {share}:\n    time.sleep({seconds})"
    return lambda watch: watch.doing(act)


def failing(share: float) -> Callable[[Watched], AbstractContextManager[None]]:
    act = f"import random\nif random.random() < {share}:\n    raise OSError('as the proof wants it')"
    return lambda watch: watch.doing(act)


def told(**series: float) -> Callable[[Watched], AbstractContextManager[None]]:
    return lambda watch: watch.recorded.telling(series)


@contextmanager
def database_killed(watch: Watched) -> Iterator[None]:
    watch.postgres.end(signal.SIGKILL)
    try:
        yield
    finally:
        watch.postgres.start()


@contextmanager
def torchserve_frozen(watch: Watched) -> Iterator[None]:
    with frozen([each.pid for kind in ("java", "worker") for each in watch.stack.processes(kind)]):
        yield


@contextmanager
def control_plane_frozen(watch: Watched) -> Iterator[None]:
    with watch.alone(), frozen([watch.stack.process("control plane").pid]):
        yield


@contextmanager
def asked_too_much(watch: Watched) -> Iterator[None]:
    with (
        watch.doing("import time\ntime.sleep(0.3)"),
        asking([watch.stack.port], watch.pictures, clients=90, per_second=400),
    ):
        yield


@contextmanager
def queue_long(watch: Watched) -> Iterator[None]:
    with (
        watch.doing("import time\ntime.sleep(0.3)"),
        asking([watch.stack.port], watch.pictures, clients=12, per_second=100),
    ):
        yield


@contextmanager
def disk_filled(watch: Watched) -> Iterator[None]:
    ballast = fill(watch.stack.state, leave_bytes=2**30 // 7)
    try:
        yield
    finally:
        ballast.unlink()


def certificate_ends(days: float) -> Callable[[Watched], AbstractContextManager[None]]:
    @contextmanager
    def make(watch: Watched) -> Iterator[None]:
        write_certificate(watch.certificate, days)
        try:
            yield
        finally:
            write_certificate(watch.certificate, 90)

    return make


@contextmanager
def workers_lost(watch: Watched) -> Iterator[None]:
    """A worker of stable is killed, and none can be started again until TorchServe is."""
    assert watch.place.break_unpacked(ODD)
    workers = watch.stack.processes("worker")
    workers[0].kill()
    try:
        yield
    finally:
        watch.stack.process("java").kill()


@contextmanager
def canary_dead(watch: Watched) -> Iterator[None]:
    """A canary whose workers die and cannot be started again; the guard takes it away after a while."""
    watch.place.add("3")
    watch.change({"stable": ODD, "canary": "3", "canary_percent": 50})
    assert watch.place.break_unpacked("3")
    for pid in watch.place.workers("3"):
        with suppress(ProcessLookupError):
            import os  # noqa: PLC0415

            os.kill(pid, signal.SIGKILL)
    try:
        yield
    finally:
        with suppress(AssertionError):
            watch.place.change({"stable": ODD})


@contextmanager
def version_sick(watch: Watched) -> Iterator[None]:
    """A version whose network cannot be read is to answer: the change fails, and the version is sick."""
    watch.place.add("4", model__onnx=lambda _: b"no network")
    ended = watch.place.change({"stable": "4"})
    assert ended["state"] == "failed", ended
    try:
        yield
    finally:
        watch.place.http.delete("/models/plants/versions/4", headers=watch.place.admin)


@contextmanager
def rotten_record(watch: Watched) -> Iterator[None]:
    """A segment in the spool that is no record."""
    folder = watch.stack.state / "spool" / "gone-replica"
    folder.mkdir(parents=True)
    (folder / "00000001.log").write_bytes(b"deadbeef {not a record}\n" * 3)
    watch.stack.process("control plane").kill()  # it looks at strangers' segments when it starts
    yield


@contextmanager
def pool_exhausted(watch: Watched) -> Iterator[None]:
    """The table is locked, and more want to read it than the pool has connections."""
    stop = threading.Event()

    def read() -> None:
        with httpx2.Client(base_url=f"http://127.0.0.1:{watch.stack.port}", timeout=30) as http:
            while not stop.is_set():
                with suppress(httpx2.HTTPError):
                    http.get("/history")

    readers = [threading.Thread(target=read, daemon=True) for _ in range(24)]
    with psycopg.connect(watch.postgres.url, connect_timeout=5) as connection:
        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        for reader in readers:
            reader.start()
        try:
            yield
        finally:
            stop.set()
            connection.rollback()
            for reader in readers:
                reader.join(40)


@contextmanager
def leader_taken(watch: Watched) -> Iterator[None]:
    """The lease belongs to somebody who is not there."""
    take = "UPDATE leader SET name = 'nobody', until = now() + interval '1 hour'"
    watch.postgres.execute(take)
    try:
        yield
    finally:
        watch.postgres.execute("UPDATE leader SET until = now()")


@contextmanager
def audit_cut(watch: Watched) -> Iterator[None]:
    """The newest row of the audit vanishes, behind the service's back; it comes back afterwards."""
    with psycopg.connect(watch.postgres.url, connect_timeout=5) as connection:
        connection.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
        connection.execute("CREATE TABLE audit_aside AS SELECT * FROM audit ORDER BY number DESC LIMIT 1")
        connection.execute("DELETE FROM audit WHERE number IN (SELECT number FROM audit_aside)")
    try:
        yield
    finally:
        with psycopg.connect(watch.postgres.url, connect_timeout=5) as connection:
            connection.execute("INSERT INTO audit SELECT * FROM audit_aside")
            connection.execute("DROP TABLE audit_aside")
            connection.execute("ALTER TABLE audit ENABLE TRIGGER ALL")


@contextmanager
def quarantine_frozen(watch: Watched) -> Iterator[None]:
    with frozen([each.pid for each in watch.stack.processes("quarantine")]):
        archive = watch.place.archive.read_bytes()
        sent = watch.place.http.post(
            "/models/plants/versions",
            headers=watch.place.admin,
            files={"archive": ("plants-1.mar", archive)},
            data={"version": "9"},
            timeout=60,
        )
        assert sent.status_code == 202, sent.text
        yield


@contextmanager
def target_missing(watch: Watched) -> Iterator[None]:
    """Prometheus is to scrape Alertmanager where nobody listens."""
    right = watch.setup.targets.alertmanager

    def change(text: str) -> str:
        head, job, tail = text.partition("job_name: alertmanager")
        assert right in tail
        return head + job + tail.replace(right, "127.0.0.1:9", 1)

    with watch.with_rules(change):
        yield


@contextmanager
def rule_broken(watch: Watched) -> Iterator[None]:
    """A rule that can be read and not be evaluated: two series for one."""
    rules = watch.prometheus.folder / "prometheus" / "broken.yml"
    rule = {"record": "broken", "expr": "up * on() group_left() up"}
    rules.write_text(json.dumps({"groups": [{"name": "broken", "interval": "1s", "rules": [rule]}]}))
    with watch.with_rules(lambda text: text.replace("rule_files:\n", "rule_files:\n- broken.yml\n")):
        yield


@contextmanager
def sink_refuses(watch: Watched) -> Iterator[None]:
    """Whoever is told answers 500 until the alert fires; then it listens again, or it could not be told of that."""
    watch.sink.status = 500
    try:
        with failing(1.0)(watch):
            watch.wait(lambda: "NotificationsFail" in watch.prometheus.firing(), 120, "NotificationsFail fires")
            watch.sink.status = 200
            yield
    finally:
        watch.sink.status = 200


def noise() -> bytes:
    """A picture of nothing."""
    chance = random.Random(7)
    image = Image.frombytes("RGB", (160, 160), chance.randbytes(160 * 160 * 3))
    out = BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


FAULTS: tuple[Fault, ...] = (
    Fault("nothing: it always fires", ("Watchdog",), lambda _watch: nullcontext()),
    Fault("each call takes 1.5 s longer", ("LatencyAverageHigh",), slow(1.5)),
)
