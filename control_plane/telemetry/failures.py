"""What went wrong with each version lately, in sentences; and what the handler's log says of loads that failed."""

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

KEPT = 10  # of a version
KEPT_VERSIONS = 100
LOG_TAIL_BYTES = 262_144
Key = tuple[str, str]
"""Model and version."""


@dataclass(frozen=True)
class LoadFailure:
    model: str
    version: str
    at: datetime
    error: str

    @property
    def key(self) -> Key:
        return self.model, self.version

    @property
    def sentence(self) -> str:
        return f"Version {self.version} cannot be loaded: {self.error}"


@dataclass
class Failures:
    """Of this replica, since its start."""

    _noted: dict[Key, deque[tuple[datetime, str]]] = field(default_factory=dict)

    def note(self, key: Key, sentence: str, at: datetime | None = None) -> None:
        """The same one again only moves to its newer time."""
        noted = self._noted.pop(key, None) or deque(maxlen=KEPT)
        self._noted[key] = noted  # the newest key is the last one
        if len(self._noted) > KEPT_VERSIONS:
            del self._noted[next(iter(self._noted))]
        at = at or datetime.now(UTC)
        if noted and noted[0][1] == sentence:
            at = max(at, noted.popleft()[0])
        noted.appendleft((at, sentence))

    def of(self, key: Key) -> list[str]:
        """Newest first, each with its time."""
        return [f"{at:%Y-%m-%d %H:%M:%S} UTC: {sentence}" for at, sentence in self._noted.get(key, ())]


def load_failures(handler_log: Path | None) -> list[LoadFailure]:
    """The loads that failed by the end of the handler's log, oldest first; TorchServe only says that a worker died."""
    found = []
    for line in _tail(handler_log) if handler_log else ():
        if b'"load_failed"' not in line:
            continue
        try:
            said = json.loads(line)
            at = datetime.fromisoformat(said["timestamp"] if "timestamp" in said else said["ts"])  # of older archives
            if said["event"] == "load_failed":
                found.append(LoadFailure(str(said["model"]), str(said["version"]), at, str(said["error"])))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _tail(file: Path) -> list[bytes]:
    try:
        with file.open("rb") as content:
            content.seek(max(0, file.stat().st_size - LOG_TAIL_BYTES))
            return content.read().splitlines()
    except OSError:
        return []
