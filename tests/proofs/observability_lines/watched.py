"""The whole platform with everything that watches it, much faster than in earnest, for faults to be made in."""

import datetime
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from observability.alertmanager import Channels
from observability.generate import Setup
from tests.changing import Changing, fill_store
from tests.faults.disk import small_disk
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.load import asking
from tests.monitoring import (
    Alertmanager,
    Prometheus,
    Sink,
    running_alertmanager,
    running_prometheus,
    running_sink,
    targets,
)
from tests.proofs.observability_lines.recorded import Recorded, recording
from tests.proofs.samples import samples
from tests.proofs.stack import Stack
from tests.reading import grant, make_role
from tests.versions import Change
from tests.waiting import wait_until

FACTOR = 30
"""Windows, `for`, scrape and waiting times are divided by it: [5m] is ten seconds, `for: 1m` two."""
DISK_BYTES = 2**30
SPOOL_BYTES = 128 * 1024
"""A hundred records or so."""
CLIENTS = 2
PER_SECOND = 4.0
HANDLING = b"        rows = [\n"
ODD = "2"
"""The version that does what its switch says."""


@dataclass
class Watched:
    """`switch` holds Python that version 2's handler runs with each call; there is none while all is well."""

    place: Changing
    postgres: OwnPostgres
    prometheus: Prometheus
    alertmanager: Alertmanager
    sink: Sink
    setup: Setup
    switch: Path
    certificate: Path
    recorded: Recorded
    edge: Recorded
    """In the place of nginx, which only the Compose stack has."""
    by_label: dict[str, bytes]
    """The samples, by what is on them."""
    reader_url: str
    """Of the database, for the role of Grafana."""
    _load: ExitStack = field(default_factory=ExitStack)

    @property
    def pictures(self) -> list[bytes]:
        return list(self.by_label.values())

    @property
    def stack(self) -> Stack:
        return self.place.stack

    @contextmanager
    def doing(self, act: str) -> Iterator[None]:
        """Version 2 runs this statement with each call meanwhile."""
        fresh = self.switch.with_suffix(".new")
        fresh.write_text(act)
        fresh.replace(self.switch)
        try:
            yield
        finally:
            self.switch.unlink(missing_ok=True)

    def be_asked(self) -> None:
        """Begin the gentle load of people."""
        self._load.enter_context(asking([self.stack.port], self.pictures, clients=CLIENTS, per_second=PER_SECOND))

    def be_alone(self) -> None:
        """End it."""
        self._load.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.be_alone()
        try:
            yield
        finally:
            self.be_asked()

    @contextmanager
    def asked_for(self, *pictures: bytes, clients: int = CLIENTS, per_second: float = PER_SECOND) -> Iterator[None]:
        """Other pictures than usual, or more of them, instead of the usual load."""
        with self.alone(), asking([self.stack.port], list(pictures), clients=clients, per_second=per_second):
            yield

    @contextmanager
    def with_rules(self, change: Callable[[str], str]) -> Iterator[None]:
        """Prometheus goes by changed files meanwhile; `change` gets and gives the configuration's text."""
        path = self.prometheus.folder / "prometheus" / "prometheus.yml"
        before = path.read_text()
        path.write_text(change(before))
        self.prometheus.reload()
        try:
            yield
        finally:
            path.write_text(before)
            self.prometheus.reload()

    def wait(self, holds: Callable[[], bool], seconds: float, what: str) -> float:
        """Raises AssertionError when it does not hold in time."""
        took = wait_until(lambda: _safely(holds), seconds, 0.2)
        assert took is not None, f"not within {seconds:g} s: {what}"
        return took

    def change(self, wanted: Mapping[str, object]) -> None:
        ended = self.place.change(dict(wanted))
        assert ended["state"] == "done", ended


def _safely(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except (httpx2.HTTPError, OSError):
        return False


def obedient(switch: Path) -> dict[str, Change]:
    """Changes of an archive: with each call it runs what the file `switch` says."""

    def change(content: bytes) -> bytes:
        act = (
            f"        if __import__('os').path.exists({str(switch)!r}):\n"
            f"            exec(open({str(switch)!r}).read(), {{'data': data}})\n"
        )
        assert content.count(HANDLING) == 1
        return content.replace(HANDLING, act.encode() + HANDLING)

    return {"plant_classifier.py": change}


@contextmanager
def watched(root: Path, folder: Path, *, factor: float = FACTOR) -> Iterator[Watched]:
    """All of it started, version 2 answering, and people asking."""
    folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ww-", ignore_cleanup_errors=True)))
        own.chmod(0o755)
        fill_store(root, own / "store")
        postgres = stack.enter_context(own_postgres(folder / "database"))
        postgres.end(signal.SIGINT)
        make_role(postgres.prepared)
        postgres.start()
        certificate = folder / "certificate.pem"
        write_certificate(certificate, days=90)
        started = Stack(
            root,
            own,
            environment={
                "WEEDWATCH_MODEL_STORE": str(own / "store"),
                "DATABASE_URL": postgres.url,
                "WEEDWATCH_CERTIFICATES": str(certificate),
                "WEEDWATCH_SPOOL_MAX_BYTES": str(SPOOL_BYTES),
            },
        )
        stack.enter_context(small_disk(started.state, DISK_BYTES))
        sink = stack.enter_context(running_sink())
        recorded, edge = stack.enter_context(recording()), stack.enter_context(recording())
        heartbeat = own / "heartbeat"
        heartbeat.write_text(f"{sink.url}/heartbeat")
        setup = Setup(
            targets=replace(targets(f"127.0.0.1:{started.port}", recorded.target), edge=edge.target),
            # Each one is to arrive, also those that people are spared while another fires.
            channels=Channels(webhook_url=f"{sink.url}/people", heartbeat_file=str(heartbeat), inhibits=False),
            factor=factor,
        )
        stack.callback(started.stop)
        started.start()
        http = stack.enter_context(httpx2.Client(base_url=f"http://127.0.0.1:{started.port}", timeout=60))
        place = Changing(started, own / "store", http)
        place.wait_until_started()
        switch = own / "switch"
        place.add(ODD, obedient(switch))
        watch = Watched(
            place=place,
            postgres=postgres,
            prometheus=stack.enter_context(
                running_prometheus(folder / "watch", setup, "--rules.alert.resend-delay=1s", "--web.enable-admin-api")
            ),
            alertmanager=stack.enter_context(running_alertmanager(folder / "watch", setup)),
            sink=sink,
            setup=setup,
            switch=switch,
            certificate=certificate,
            recorded=recorded,
            edge=edge,
            by_label=samples(root),
            reader_url=grant(postgres.url),
        )
        watch.change({"stable": ODD})
        watch.be_asked()
        stack.callback(watch.be_alone)
        yield watch


def write_certificate(path: Path, days: float) -> None:
    """A certificate that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    fresh = path.with_suffix(".new")
    fresh.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    fresh.replace(path)
