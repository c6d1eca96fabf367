"""One version as this replica knows it: its archive, queue, workers, proof, and how it does."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import psutil

from control_plane.dispatch import Dispatcher, Send
from control_plane.models.archives import Archive
from control_plane.models.guard import Window
from control_plane.telemetry.failures import Key
from control_plane.torchserve import Worker

LOADING_SECONDS = 60.0  # so long nobody calls a version silent that is being loaded
WORKER_PROGRAM = "model_service_worker.py"


@dataclass
class Proof:
    """The newest result of each reference picture: None when it passed, else a sentence.

    `wrong` are those that were answered otherwise than pinned: waiting changes nothing about them.
    """

    results: dict[int, str | None] = field(default_factory=dict)
    wrong: dict[int, str] = field(default_factory=dict)

    def note(self, number: int, result: str | None, *, is_wrong: bool = False) -> None:
        self.results[number] = result
        self.wrong.pop(number, None)
        if result is not None and is_wrong:
            self.wrong[number] = result

    @property
    def passed(self) -> int:
        return sum(result is None for result in self.results.values())

    @property
    def failure(self) -> str | None:
        return next((result for result in self.results.values() if result is not None), None)


@dataclass
class Place:
    """One version in one TorchServe; `reason` says in a sentence why it does not serve there."""

    workers: list[Worker] = field(default_factory=list)
    reason: str | None = "The model is not registered yet."
    refusal: str | None = None  # what TorchServe said when it would not register it
    is_there: bool = True  # whether there is such a TorchServe at present
    is_registered: bool = False
    failures: int = 0
    next_try: float = 0.0
    empty_since: float | None = None

    @property
    def ready(self) -> int:
        return sum(worker.ready for worker in self.workers)


@dataclass(eq=False)
class Served:
    """One version as this replica knows it."""

    archive: Archive
    lane: Dispatcher
    send: Send
    places: list[Place]
    proof: Proof = field(default_factory=Proof)
    window: Window = field(default_factory=Window)
    last_success: float = float("-inf")
    """The `monotonic()` time of the newest answer, whoever asked."""
    registered_at: float = field(default_factory=monotonic)
    up_since: float | None = None
    """When its first worker became ready; None while none is."""
    down_since: datetime = field(default_factory=lambda: datetime.now(UTC))
    load_failure: str | None = None
    """What the handler said of its newest load that failed; None while a worker is ready."""

    @property
    def key(self) -> Key:
        return self.archive.model, self.archive.version

    @property
    def ready(self) -> int:
        return sum(place.ready for place in self.places)

    @property
    def there(self) -> list[Place]:
        """In the TorchServes that there are at present."""
        return [place for place in self.places if place.is_there]

    @property
    def is_proven(self) -> bool:
        """Ready everywhere, and each reference picture answered as pinned."""
        everywhere = all(place.ready for place in self.there)
        return everywhere and self.proof.passed == len(self.archive.references)

    @property
    def reason(self) -> str | None:
        """Why it does not serve; None when it does somewhere."""
        if self.ready:
            return None
        if self.load_failure:
            return f"The archive {self.archive.file.name} cannot be loaded: {self.load_failure}"
        return next((place.reason for place in self.places if place.reason), None)

    @property
    def trouble(self) -> str | None:
        """Why it does not serve, or does not answer reference pictures as pinned."""
        return self.reason or self.proof.failure

    @property
    def silent_seconds(self) -> float:
        """How long one in trouble has answered nothing, not even a probe; what is being loaded has time for that."""
        if not self.trouble:
            return 0.0
        if self.last_success > self.registered_at:
            return monotonic() - self.last_success
        return max(0.0, monotonic() - self.registered_at - LOADING_SECONDS)

    @property
    def up_seconds(self) -> float:
        """How long some worker has been ready."""
        return 0.0 if self.up_since is None else monotonic() - self.up_since


@dataclass
class Whereabouts:
    """Which of the TorchServes in the settings there are, as in a cluster that starts and ends some.

    One whose name leads nowhere is not there, as long as another is: alone, it is one that is down.
    """

    nowhere: list[bool]
    """Whether the name of each leads nowhere."""

    def is_there(self, number: int) -> bool:
        return not self.nowhere[number] or all(self.nowhere)

    @property
    def count(self) -> int:
        return sum(map(self.is_there, range(len(self.nowhere))))


def memory_of(worker: Worker) -> int | None:
    """Bytes that a worker takes; None where it cannot be seen, as in another container."""
    if worker.memory_bytes is not None:
        return worker.memory_bytes
    if worker.pid <= 0:  # TorchServe has not started its process yet
        return None
    try:
        process = psutil.Process(worker.pid)
        is_worker = any(word.endswith(WORKER_PROGRAM) for word in process.cmdline())
        return int(process.memory_info().rss) if is_worker else None
    except psutil.Error:
        return None


def why_none_is_ready(each: Served) -> str:
    if each.last_success < each.registered_at:
        return "The model's workers are loading."
    since = each.down_since if each.up_since is None else datetime.now(UTC)
    return f"No worker has been ready since {since:%H:%M:%S} UTC; they are being started again."
