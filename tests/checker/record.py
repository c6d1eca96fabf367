"""What the checker compares: operations as a client saw them, and records as they are kept."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path


class Outcome(Enum):
    """What a client may conclude from an answer."""

    OK = "ok"  # it was done
    FAIL = "fail"  # it was not done
    UNKNOWN = "unknown"  # it was done once or not at all


@dataclass(frozen=True)
class Operation:
    """One request for a prediction; status 0 when no answer came.

    `picture` is the SHA-256 of the bytes that were sent, in hex; each request sends bytes of its own, so that a
    record is known by its picture also when no answer told its id.
    """

    picture: str
    status: int
    code: str
    seconds: float
    request_id: str = ""
    label: str = ""
    version: str = ""
    key: str = ""
    replayed: bool = False
    ended_at: float = 0.0
    problem: str = ""

    @property
    def began_at(self) -> float:
        return self.ended_at - self.seconds

    @property
    def outcome(self) -> Outcome:
        if self.status == 200:
            return Outcome.OK
        return Outcome.FAIL if 400 <= self.status < 500 else Outcome.UNKNOWN


@dataclass(frozen=True)
class Record:
    """One kept answer, wherever it is kept."""

    request_id: str
    label: str
    version: str
    picture: str


@dataclass(frozen=True)
class Kept:
    """All that is kept: rows of the table, records that wait in spool folders, and those put aside."""

    rows: tuple[Record, ...] = ()
    spooled: tuple[Record, ...] = ()
    aside: tuple[Record, ...] = ()
    rotten_lines: int = 0


def write_log(path: Path, operations: Iterable[Operation]) -> None:
    path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in operations))


def read_log(path: Path) -> list[Operation]:
    return [Operation(**json.loads(line)) for line in path.read_text().splitlines()]
