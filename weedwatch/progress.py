"""The one form of progress: `{stage, done, total, unit, rate, eta_s}`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, BinaryIO


@dataclass(frozen=True)
class Progress:
    """`rate` is of units a second; both it and `eta_s` are None until they are known."""

    stage: str
    done: int
    total: int
    unit: str
    rate: float | None
    eta_s: float | None


Listener = Callable[[Progress], None]


@dataclass
class Pace:
    """Makes progress out of counts, from its beginning on."""

    stage: str
    total: int
    unit: str
    began: float = field(default_factory=monotonic)

    def at(self, done: int) -> Progress:
        seconds = monotonic() - self.began
        rate = done / seconds if done and seconds > 0 else None
        eta = (self.total - done) / rate if rate else None
        return Progress(self.stage, done, self.total, self.unit, rate, eta)


@dataclass
class Count:
    """Bytes of all files of one upload, told to a listener as they leave."""

    pace: Pace
    listener: Listener
    done: int = 0

    def more(self, number: int) -> None:
        self.done += number
        self.listener(self.pace.at(self.done))


class Counted:
    """A file that counts what is read of it. Only that: where it is and how long is asked of the file itself."""

    def __init__(self, file: BinaryIO, count: Count) -> None:
        self._file, self._count = file, count

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._count.more(len(data))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
