"""Judges a client's log against what is kept; each fault is a sentence, no fault is an empty list.

An ok is kept exactly once and as it was answered; a fail is not kept; an unknown is kept at most once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tests.checker.record import Kept, Operation, Outcome, Record
from tests.hostile.contract import DOCUMENTED, FAULT_REFUSALS, OK

GRACE_SECONDS = 1.0


def faults_in_records(operations: Sequence[Operation], kept: Kept) -> list[str]:
    """Compare every operation with the table and the spools; records of other clients do not matter."""
    rows = Counter(row.request_id for row in kept.rows)
    # The table counts first; a record may stand in it and, until its segment is removed, in the spool too.
    records = {each.request_id: each for each in (*kept.aside, *kept.spooled, *kept.rows)}
    faults = [f"{key} is in the table {count} times" for key, count in rows.items() if count > 1]
    for operation in operations:
        if operation.outcome is Outcome.OK:
            faults += _faults_in_ok(operation, records.get(operation.request_id))
        elif operation.outcome is Outcome.FAIL and operation.request_id in records:
            faults.append(f"{operation.request_id} was refused ({operation.code}) and is kept")
    return faults + _faults_in_counts(operations, records.values())


def _faults_in_ok(operation: Operation, record: Record | None) -> list[str]:
    key = operation.request_id
    if record is None:
        return [f"{key} was acknowledged and is lost"]
    pairs = (
        ("label", operation.label, record.label),
        ("version", operation.version, record.version),
        ("picture", operation.picture, record.picture),
    )
    return [f"{key}: {what} answered {said!r}, kept {is_!r}" for what, said, is_ in pairs if said != is_]


def _faults_in_counts(operations: Iterable[Operation], records: Iterable[Record]) -> list[str]:
    """No picture is kept more often than its requests allow."""
    allowed: Counter[str] = Counter()
    acknowledged: defaultdict[str, set[str]] = defaultdict(set)
    for each in operations:
        allowed[each.picture] += 1 if each.outcome is Outcome.UNKNOWN else 0
        if each.outcome is Outcome.OK:
            acknowledged[each.picture].add(each.request_id)
    kept: defaultdict[str, set[str]] = defaultdict(set)
    for record in records:
        kept[record.picture].add(record.request_id)
    known = {each.picture for each in operations}
    return [
        f"picture {picture[:12]} is kept {len(kept[picture])} times, at most "
        f"{allowed[picture] + len(acknowledged[picture])} can be"
        for picture in known
        if len(kept[picture]) > allowed[picture] + len(acknowledged[picture])
    ]


def faults_in_answers(
    operations: Iterable[Operation],
    *,
    allowed: frozenset[str] = FAULT_REFUSALS,
    deadline_seconds: float = 10.0,
    may_break: bool = False,
) -> list[str]:
    """Every request has a documented answer by its deadline, and none is a 500.

    Args:
        operations: As the client saw them.
        allowed: Codes that may be said beside ok.
        deadline_seconds: From a request's last byte; a second more is allowed.
        may_break: The process that answers is killed: sockets may close without an answer, but none may hang.
    """
    return [fault for each in operations if (fault := _fault_in(each, allowed, deadline_seconds, may_break))]


def _fault_in(operation: Operation, allowed: frozenset[str], deadline_seconds: float, may_break: bool) -> str | None:
    name = operation.request_id or f"picture {operation.picture[:12]}"
    if operation.code == "silent" or operation.seconds > deadline_seconds + GRACE_SECONDS:
        return f"{name} waited {operation.seconds:.1f} s for {operation.status} {operation.code}"
    if operation.status == 0:
        return None if may_break else f"{name}: no answer, {operation.code}"
    if operation.status == 500:
        return f"{name}: a 500"
    if operation.code != OK and (operation.code not in allowed or DOCUMENTED.get(operation.code) != operation.status):
        return f"{name}: {operation.status} {operation.code}"
    return f"{name}: {operation.problem}" if operation.problem else None


def faults_in_replays(operations: Iterable[Operation]) -> list[str]:
    """An answer that is marked as a replay repeats an acknowledged one of the same key and picture."""
    operations = list(operations)
    first = {each.request_id: each for each in operations if each.outcome is Outcome.OK and not each.replayed}
    faults = []
    for each in operations:
        if each.replayed:
            origin = first.get(each.request_id)
            if origin is None or (origin.key, origin.picture, origin.label) != (each.key, each.picture, each.label):
                faults.append(f"{each.request_id} is called a replay and repeats nothing of this key and picture")
    return faults
