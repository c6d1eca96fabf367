"""Where the faults of the core happen: the whole service, on a PostgreSQL of the proof's own behind a proxy."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import psycopg

from tests.checker.client import ask, own_picture
from tests.checker.judge import faults_in_answers, faults_in_records
from tests.checker.kept import read_kept, read_segment
from tests.checker.record import Kept, Operation
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.faults.proxy import Proxy
from tests.hostile.contract import FAULT_REFUSALS
from tests.load import asking
from tests.proofs import harness
from tests.proofs.harness import Context
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_least, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack import Stack
from tests.waiting import wait_until

DEADLINE_SECONDS = 10.0
DATABASE_TIMEOUT_SECONDS = 3.0
SETTLE_SECONDS = 60.0
PEAK_SECONDS = 5.0
QUARANTINE = "quarantine"


@dataclass
class Arena:
    """`stack` is supervised and reaches the database through `proxy`."""

    context: Context
    stack: Stack
    postgres: OwnPostgres
    proxy: Proxy
    pictures: list[bytes]
    cold_start_seconds: float

    @property
    def url(self) -> str:
        """The database through the proxy."""
        return self.proxy.url(self.postgres.url)

    @property
    def spools(self) -> Path:
        return self.stack.state / "spool"

    @cached_property
    def peak(self) -> float:
        """G: answers with 200 a second, four clients, each asking again at once."""
        with asking([self.stack.port], self.pictures) as log:
            time.sleep(PEAK_SECONDS)
        return len(log.ok()) / PEAK_SECONDS

    def replica(self, name: str, *, url: str | None = None, state: Path | None = None, **environment: str) -> Replica:
        """One that is not started yet."""
        return Replica(self.stack, name, url or self.url, state or self.stack.state, environment)

    def settle(self, *spools: Path) -> float | None:
        """Wait until no spool holds a record any more; the seconds, or None."""
        roots = spools or (self.spools,)
        return wait_until(lambda: not any(map(waiting_records, roots)), SETTLE_SECONDS, 0.2)

    def kept(self, *spools: Path) -> Kept:
        return read_kept(self.postgres.url, *(spools or (self.spools,)))

    def writes_again(self, port: int, seconds: float = 30.0) -> float | None:
        """The seconds until a new answer stands in the table; None when none did in time."""
        started = time.monotonic()
        while time.monotonic() - started < seconds:
            operation = ask(port, own_picture(self.pictures[0]))
            if operation.status == 200 and self._is_in_table(operation):
                return time.monotonic() - started
            time.sleep(0.1)
        return None

    def _is_in_table(self, operation: Operation) -> bool:
        query = "SELECT count(*) FROM predictions WHERE request_id = %s"
        try:
            return bool(self.postgres.ask(query, operation.request_id) == 1)
        except psycopg.Error:
            return False

    def judged(
        self,
        name: str,
        operations: Sequence[Operation],
        *,
        allowed: frozenset[str] = FAULT_REFUSALS,
        may_break: bool = False,
        spools: Sequence[Path] = (),
        settle: bool = True,
    ) -> list[Figure]:
        """What holds after every fault: records as answered, answers as documented and in time, the spool empty."""
        settled = self.settle(*spools) if settle else 0.0
        records = faults_in_records(operations, self.kept(*spools))
        answers = faults_in_answers(operations, allowed=allowed, may_break=may_break)
        done = sum(each.status == 200 for each in operations)
        say = self.context.say
        figures = [
            none_of(f"{name}: acknowledged and lost, doubled or changed; refused and kept", records, done, say),
            none_of(f"{name}: answers that are late, silent or not documented", answers, len(operations), say),
        ]
        return figures if settled is not None else [*figures, is_true(f"{name}: the spool came home", False)]


def waiting_records(root: Path) -> int:
    """Records that wait in the folders below; those put aside do not count."""
    files = (file for file in root.rglob("*.log") if QUARANTINE not in file.relative_to(root).parts)
    total = 0
    for file in files:
        try:
            total += len(read_segment(file)[0])
        except FileNotFoundError:
            continue
    return total


def none_failed(arena: Arena, name: str, operations: Sequence[Operation]) -> Figure:
    failed = [f"{each.status} {each.code}" for each in operations if each.status != 200]
    return none_of(f"{name}: predictions that failed", failed, len(operations), arena.context.say)


def within(name: str, seconds: float | None, limit: float) -> Figure:
    """A figure for something that had to happen in time."""
    said = "never" if seconds is None else f"{seconds:.1f} s"
    return Figure(name, said, f"≤ {limit:g} s", seconds is not None and seconds <= limit)


def enough(name: str, operations: Sequence[Operation], wanted: int) -> Figure:
    """So that a quiet failure of the load does not look like a success."""
    return at_least(name, sum(each.status == 200 for each in operations), wanted)


@contextmanager
def arena(context: Context, **environment: str) -> Iterator[Arena]:
    context.folder.chmod(0o711)  # PostgreSQL of root's runs as another user
    with own_postgres(context.folder / "pg") as server:
        proxy = Proxy(server.port)
        try:
            folder = context.folder / "a"
            stack = Stack(context.root, folder, environment={"DATABASE_URL": proxy.url(server.url), **environment})
            try:
                stack.start()
                cold = stack.wait_until_ready()
                yield Arena(context, stack, server, proxy, list(samples(context.root).values()), cold)
            finally:
                stack.stop()
        finally:
            proxy.close()


Case = Callable[[Arena], list[Figure]]


def run_cases(place: Arena, cases: dict[str, Case]) -> list[Figure]:
    """Run the cases one after the other, each with the way to the database as it was."""

    def run(case: Case) -> list[Figure]:
        try:
            return case(place)
        finally:
            place.proxy.forward()

    return harness.run_cases(place.context, {name: partial(run, case) for name, case in cases.items()})
