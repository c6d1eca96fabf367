"""Who answers for a model: the stable version, a canary for a share of the callers; and who listens. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Literal

Role = Literal["stable", "canary"]
Part = Literal["stable", "canary", "shadow"]


@dataclass(frozen=True)
class Rollout:
    """`canary_percent` of all keys go to the canary; `revision` counts the changes.

    The shadow gets copies of `shadow_percent` of the requests; nobody gets its answers.
    """

    model: str
    revision: int
    stable: str
    canary: str | None = None
    canary_percent: float = 0.0
    shadow: str | None = None
    shadow_percent: float = 0.0
    previous: str | None = None

    @property
    def versions(self) -> tuple[str, ...]:
        """All that must be loaded."""
        return tuple(each for each in (self.stable, self.canary, self.shadow) if each is not None)

    @property
    def answering(self) -> tuple[str, ...]:
        """Those whose answers people get."""
        return tuple(each for each in (self.stable, self.canary) if each is not None)

    def choose(self, key: str) -> tuple[str, Role]:
        """The version for a key, always the same; whoever has the canary at some share has it at any larger one."""
        if self.canary is not None and _place(f"{self.model}/{self.canary}/{key}") < self.canary_percent:
            return self.canary, "canary"
        return self.stable, "stable"

    def listens(self, request: str) -> str | None:
        """The shadow, when it shall get a copy of this request."""
        if self.shadow is not None and _place(f"{self.model}/{self.shadow}/{request}") < self.shadow_percent:
            return self.shadow
        return None

    def role_of(self, version: str) -> Role:
        """Of one that answers."""
        return "canary" if version == self.canary else "stable"

    def part_of(self, version: str) -> Part | None:
        """None when it is not loaded for this rollout."""
        parts: dict[str | None, Part] = {self.shadow: "shadow", self.canary: "canary", self.stable: "stable"}
        return parts.get(version)


def _place(key: str) -> float:
    """Between 0 and 100. Keys name the version too, so that not always the same requests are tried on."""
    digest = hashlib.sha256(key.encode()).digest()
    return 100 * int.from_bytes(digest[:7], "big") / 2**56
