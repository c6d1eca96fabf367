"""Who answers for a model: the stable version, and a canary for a share of the callers. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Role = Literal["stable", "canary"]


@dataclass(frozen=True)
class Rollout:
    """`canary_percent` of all keys go to the canary; `revision` counts the changes."""

    model: str
    revision: int
    stable: str
    canary: str | None = None
    canary_percent: float = 0.0
    previous: str | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        return (self.stable,) if self.canary is None else (self.stable, self.canary)

    def choose(self, key: str) -> tuple[str, Role]:
        """The version for a key, always the same; whoever has the canary at some share has it at any larger one."""
        if self.canary is not None and self._place(key) < self.canary_percent:
            return self.canary, "canary"
        return self.stable, "stable"

    def role_of(self, version: str) -> Role:
        return "canary" if version == self.canary else "stable"

    def _place(self, key: str) -> float:
        """Where a key lies between 0 and 100; another place for each canary, so that not always the same are tried."""
        digest = hashlib.sha256(f"{self.model}/{self.canary}/{key}".encode()).digest()
        return 100 * int.from_bytes(digest[:7], "big") / 2**56
