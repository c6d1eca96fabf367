"""F06, F07: PostgreSQL is away and the spool's disk is full or fails to sync: no acknowledgement without a record."""

import time
from pathlib import Path

from tests.checker.record import Operation
from tests.faults.disk import fill, small_disk
from tests.faults.strace import Injection, read_trace, traced
from tests.load import Log, asking
from tests.proofs.core_lines.arena import Arena, within
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, at_least, for_the_record, none_of
from tests.waiting import wait_until

DISK_BYTES = 2 * 2**20
LEFT_BYTES = 96 * 1024
FILL_SECONDS = 60.0
BACK_SECONDS = 5.0
SEGMENTS = 1000
WRITES = "write,writev,pwrite64"
FULL_TURNS = 50
TURN_SECONDS = 8.0


def full(arena: Arena) -> list[Figure]:
    """F06: a disk of 2 MiB is filled; then single writes find no space."""
    state = arena.context.folder / "tiny"
    with small_disk(state / "spool", DISK_BYTES) as disk:
        one = arena.replica("tiny", state=state)
        try:
            one.start()
            one.wait_until_ready()
            return _filled(arena, one, disk) + _no_space(arena, one)
        finally:
            one.stop()


def _filled(arena: Arena, one: Replica, disk: Path) -> list[Figure]:
    arena.proxy.refuse()
    with asking([one.port], arena.pictures) as log:
        ballast = fill(disk, LEFT_BYTES)
        wait_until(lambda: _refusals(log) >= 10, FILL_SECONDS)
        held = arena.kept(disk)  # as a crash would leave it
        acknowledged = [each for each in log.ok() if each.ended_at < time.monotonic() - 1]
        ballast.unlink()
        freed = time.monotonic()
        back = wait_until(lambda: any(each.ended_at - each.seconds > freed for each in log.ok()), 30)
        time.sleep(1)
        arena.proxy.forward()
    lost = [each.request_id for each in acknowledged if each.request_id not in {r.request_id for r in held.spooled}]
    return [
        at_least("F06 answers history_unavailable on a full disk", _refusals(log), 1),
        none_of("F06 acknowledged and not in the full spool", lost, len(acknowledged), arena.context.say),
        within("F06 serves again after there is space", back, BACK_SECONDS),
        *arena.judged("F06 full disk", log.all(), spools=[disk]),
    ]


def _refusals(log: Log) -> int:
    return sum(each.code == "history_unavailable" for each in log.all())


def _no_space(arena: Arena, one: Replica) -> list[Figure]:
    return _sweep(arena, one, "F06 ENOSPC", WRITES, "error=ENOSPC")


def sync_fails(arena: Arena) -> list[Figure]:
    """F07: the Nth sync of a segment fails, once or from then on; the folder's sync fails."""
    one = arena.replica("sync", state=arena.context.folder / "sync")
    try:
        one.start()
        one.wait_until_ready()
        figures = _sweep(arena, one, "F07 EIO once", "fsync,fdatasync", "error=EIO")
        figures += _sweep(arena, one, "F07 EIO from then on", "fsync,fdatasync", "error=EIO", for_ever=True)
        return figures + _sweep(arena, one, "F07 EIO at the folder", "fsync,fdatasync", "error=EIO", folder=True)
    finally:
        one.stop()


def _sweep(
    arena: Arena, one: Replica, name: str, calls: str, what: str, *, for_ever: bool = False, folder: bool = False
) -> list[Figure]:
    """Let the Nth call on the spool's files fail, N after N; each time in a new segment."""
    turns = arena.context.count(FULL_TURNS, 3) if not folder else 1
    failed, reused, refused, asked_in_all = 0, list[str](), 0, list[Operation]()
    for turn in range(1, turns + 1):
        trace = arena.context.folder / "trace"
        injection = Injection(calls, what, f"{turn}+" if for_ever else str(turn))
        arena.proxy.refuse()
        paths = _paths(one, folder)
        with (
            traced(one.pid, trace, injections=[injection], calls=WRITES, paths=paths),
            asking([one.port], arena.pictures, clients=3) as asked,
        ):
            wait_until(lambda: _refusals(asked) > 0, TURN_SECONDS)
            time.sleep(0.5)
        arena.proxy.forward()
        arena.settle(one.state / "spool")
        found, again = _use_after_failure(trace)
        failed, refused, reused = failed + found, refused + _refusals(asked), reused + again
        asked_in_all += asked.all()
    return [
        at_least(f"{name}: calls that failed as ordered", failed, 1),
        none_of(
            f"{name}: files that were written or synced after their sync had failed", reused, failed, arena.context.say
        ),
        for_the_record(f"{name}: answered history_unavailable", str(refused)),
        *arena.judged(name, asked_in_all, spools=[one.state / "spool"]),
        within(f"{name}: writes again", arena.writes_again(one.port), 30),
    ]


def _paths(one: Replica, folder: bool) -> list[Path]:
    if folder:
        return [one.spool]
    last = max((int(file.stem) for file in one.spool.glob("*.log")), default=0)
    # strace wants names; those of segments to come are known by their numbers.
    return [one.spool / f"{number:08d}.log" for number in range(max(1, last), last + SEGMENTS)]


def _use_after_failure(trace: Path) -> tuple[int, list[str]]:
    """How many calls failed, and the files that were written or synced after a sync of theirs had failed."""
    failed, distrusted, again = 0, set[str](), list[str]()
    for call in read_trace(trace):
        if call.path.endswith(".log") and call.path in distrusted:
            again.append(call.path)
        if call.failed:
            failed += 1
            if call.name.startswith(("fsync", "fdatasync")):
                distrusted.add(call.path)
    return failed, again
