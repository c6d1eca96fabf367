"""For each alert the fault that provokes it: made for real wherever it can be made, else told by recorded series."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx2
import psutil
import psycopg
from PIL import Image

from tests.faults.disk import fill
from tests.faults.processes import frozen
from tests.load import asking, repeating
from tests.proofs.observability_lines.watched import ODD, Watched, obedient, write_certificate


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
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
    yield
    watch.wait(lambda: watch.place.facts()["rollout"]["canary"] is None, 120, "the guard takes the canary away")


@contextmanager
def canary_slow(watch: Watched) -> Iterator[None]:
    """A canary that becomes slow once it answers people; the guard takes it away.

    One that fails fails its reference pictures too, and is passed over before the guard has seen enough.
    """
    switch = watch.switch.with_name("canary")
    watch.place.add("5", obedient(switch))
    watch.change({"stable": ODD, "canary": "5", "canary_percent": 50})
    switch.write_text("import time\ntime.sleep(0.5)")
    try:
        yield
    finally:
        switch.unlink()


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
def record_damaged(watch: Watched) -> Iterator[None]:
    """While PostgreSQL is away a byte of a spooled record changes; it is found when the records come home."""
    spool = watch.stack.state / "spool"
    with database_killed(watch):
        watch.wait(lambda: any(_segments(spool)), 60, "a record in the spool")
        segment = next(_segments(spool))
        with segment.open("r+b") as file:
            file.seek(40)
            file.write(b"\0")
    yield


def _segments(spool: Path) -> Iterator[Path]:
    return (each for each in spool.rglob("*.log") if each.stat().st_size > 100 and "quarantine" not in each.parts)


@contextmanager
def control_plane_killed(watch: Watched) -> Iterator[None]:
    """Each time as soon as it serves its figures again."""
    with watch.alone():
        for _ in range(3):
            watch.stack.process("control plane").kill()
            time.sleep(1)
            watch.wait(lambda: watch.place.http.get("/metrics", timeout=2).status_code == 200, 60, "metrics")
            time.sleep(1.5)  # so that Prometheus has seen it
        yield
    watch.wait(watch.stack.is_ready, 120, "it is ready again")


@contextmanager
def pool_exhausted(watch: Watched) -> Iterator[None]:
    """The table is locked, and more want to read it than the pool has connections."""
    url = f"http://127.0.0.1:{watch.stack.port}/history"
    with httpx2.Client(timeout=30) as http, psycopg.connect(watch.postgres.url, connect_timeout=5) as connection:

        def read(_: int) -> None:
            with suppress(httpx2.HTTPError):
                http.get(url)

        connection.execute("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        with repeating(read, clients=24):
            try:
                yield
            finally:
                connection.rollback()


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
        connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        connection.execute("CREATE TABLE audit_aside AS SELECT * FROM audit ORDER BY id DESC LIMIT 1")
        connection.execute("DELETE FROM audit WHERE id IN (SELECT id FROM audit_aside)")
    try:
        yield
    finally:
        with psycopg.connect(watch.postgres.url, connect_timeout=5) as connection:
            connection.execute("INSERT INTO audit SELECT * FROM audit_aside")
            connection.execute("DROP TABLE audit_aside")
            connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")


@contextmanager
def backup_old(watch: Watched) -> Iterator[None]:
    """All backups that are known are three days old; then one is made."""
    note = "INSERT INTO backups (id, mark, bytes) VALUES ('{}', now() - interval '{}', 1)"
    watch.postgres.execute("UPDATE backups SET mark = mark - interval '3 days'")
    watch.postgres.execute(note.format("old", "3 days"))
    try:
        yield
    finally:
        watch.postgres.execute(note.format("new", "0 s"))


@contextmanager
def backup_never_made(watch: Watched) -> Iterator[None]:
    """No backup is known, and the oldest record is three days old; then one is made."""
    watch.postgres.execute("DELETE FROM backups")
    watch.postgres.execute(
        "UPDATE predictions SET created_at = now() - interval '3 days'"
        " WHERE request_id = (SELECT request_id FROM predictions ORDER BY request_id LIMIT 1)"
    )
    try:
        yield
    finally:
        watch.postgres.execute("INSERT INTO backups (id, mark, bytes) VALUES ('first', now(), 1)")


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


@contextmanager
def unsure_photos(watch: Watched) -> Iterator[None]:
    with watch.asked_for(unsure(watch), clients=4, per_second=20):
        yield
    with watch.asked_for(*watch.pictures, clients=4, per_second=20):  # so that the windows forget it sooner
        time.sleep(60)


def unsure(watch: Watched) -> bytes:
    """Two plants in one picture: the model names one of them, and is not sure."""
    fern, parthenium = (
        Image.open(BytesIO(watch.by_label[label])).convert("RGB").resize((300, 300))
        for label in ("not_a_target", "Parthenium hysterophorus")
    )
    out = BytesIO()
    Image.blend(fern, parthenium, 0.5).save(out, "JPEG", quality=90)
    return out.getvalue()


FAULTS: tuple[Fault, ...] = (
    Fault("nothing: it always fires", ("Watchdog",), lambda _watch: nullcontext()),
    # What people feel.
    Fault("each call takes 1.5 s longer", ("LatencyAverageHigh",), slow(1.5)),
    Fault("each call takes 2.5 s longer", ("LatencyP95High",), slow(2.5)),
    Fault("one call in ten takes 6 s longer", ("LatencyP99High",), slow(6, 0.1)),
    Fault("each call takes 4 s longer", ("LatencyAverageCritical",), slow(4)),
    Fault("one call in eight fails", ("ErrorRatioHigh", "ProcessingErrors"), failing(0.12)),
    Fault("every call fails", ("ErrorRatioCritical",), failing(1)),
    Fault("twelve ask at once, each call takes 0.3 s", ("QueueWaitLong",), queue_long),
    Fault("ninety ask at once, each call takes 0.3 s", ("Overloaded",), asked_too_much),
    Fault("nobody asks", ("NoRequests", "NoPredictions"), lambda watch: watch.alone()),
    # Parts that die.
    Fault("TorchServe is frozen", ("TorchServeDown", "ModelNotLoaded", "NotReady"), torchserve_frozen),
    Fault("the control plane is frozen", ("ControlPlaneDown",), control_plane_frozen),
    Fault("the control plane is killed three times", ("ControlPlaneRestarts",), control_plane_killed),
    Fault("PostgreSQL is killed", ("DatabaseDown",), database_killed),
    Fault("PostgreSQL is away and the spool is small", ("SpoolGrowing", "SpoolNearlyFull"), database_killed),
    Fault("a record in the spool is damaged", ("RecordsPutAside",), record_damaged),
    Fault("the table is locked and many read", ("DatabasePoolExhausted",), pool_exhausted),
    Fault("the newest row of the audit vanishes", ("AuditBroken",), audit_cut),
    Fault("there never was a backup, and records are three days old", ("BackupOld",), backup_never_made),
    Fault("the newest backup is three days old", ("BackupOld",), backup_old),
    # Versions.
    Fault("a worker is killed and cannot come back", ("WorkersMissing",), workers_lost),
    Fault("all workers of a canary are killed", ("CanaryDead",), canary_dead),
    Fault("a canary takes half a second longer", ("CanaryRolledBack",), canary_slow),
    Fault("a version without a network is to answer", ("VersionSick", "ChangeFailed"), version_sick),
    Fault("somebody who is not there has the lease", ("NoLeader",), leader_taken),
    Fault("the quarantine is frozen, and a version is uploaded", ("QuarantineStuck",), quarantine_frozen),
    Fault("nginx is away", ("EdgeDown",), lambda watch: watch.edge.away(), recorded=True),
    # What is on the photos.
    Fault(
        "all photos show the same, which is hard to name",
        ("ConfidenceLow", "MajorityClass"),
        unsure_photos,
        seconds=300,
    ),
    # The machine.
    Fault("the disk is filled to 86 %", ("DiskFilling",), disk_filled),
    Fault(
        "memory is used to 95 %",
        ("MemoryHigh",),
        told(weedwatch_machine_memory_used_bytes=9.5e9, weedwatch_machine_memory_total_bytes=1e10),
        recorded=True,
    ),
    Fault("a certificate ends in ten days", ("CertificateExpires",), certificate_ends(10)),
    Fault("a certificate ends tomorrow", ("CertificateEndsSoon",), certificate_ends(1)),
    # The watchers.
    Fault("a target is not there", ("ScrapeTargetMissing",), target_missing),
    Fault("a rule cannot be evaluated", ("RuleEvaluationFails",), rule_broken),
    Fault("who is told does not listen", ("NotificationsFail",), sink_refuses),
)
