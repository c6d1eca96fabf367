"""Who guesses credentials is not heard any more for a while, and those beside it are."""

import hashlib
from time import monotonic

from control_plane.access.counters import Counters
from control_plane.access.throttle import network
from control_plane.errors import RateLimited

WINDOW_SECONDS = 300
MOST_ADDRESSES = 100_000
MOST_KNOWN = 10_000


class Lockout:
    """At most `most` bad credentials from one address in five minutes; 0: as many as they like.

    One that was good from that address passes also then: somebody behind the same router must not lock out an office.
    And the same bad one counts once: a program with an old key is not somebody who guesses.
    """

    def __init__(self, most: int, shared: Counters | None = None) -> None:
        self._most = most
        self._shared = shared
        self._bad: dict[str, tuple[float, set[bytes]]] = {}  # since when, and which
        self._good: dict[tuple[str, bytes], None] = {}

    async def check(self, address: str, text: str) -> None:
        """Before a credential is looked at.

        Raises:
            RateLimited: It is not looked at.
        """
        if not self._most:
            return
        place = network(address)
        if (place, _digest(text)) in self._good:
            return
        wait = self._locked_seconds(place)
        if wait is None and self._shared is not None:
            wait = await self._shared.is_over(f"bad:{place}", self._most, WINDOW_SECONDS)
        if wait is None:
            return
        raise RateLimited(
            "Too many credentials from this address were wrong. Come again when Retry-After says; "
            "one that was good here before still is.",
            retry_after_seconds=wait,
        )

    def passed(self, address: str, text: str) -> None:
        if self._most:
            known = (network(address), _digest(text))
            if known not in self._good:
                if len(self._good) >= MOST_KNOWN:
                    self._good.pop(next(iter(self._good)))
                self._good[known] = None

    async def failed(self, address: str, text: str) -> None:
        if not self._most:
            return
        place, now = network(address), monotonic()
        self._good.pop((place, _digest(text)), None)  # revoked meanwhile, or expired
        since, bad = self._bad.get(place, (now, set()))
        if now - since > WINDOW_SECONDS:
            since, bad = now, set()
        if _digest(text) in bad:
            return
        if len(self._bad) >= MOST_ADDRESSES:
            self._bad.pop(next(iter(self._bad)))
        bad.add(_digest(text))
        self._bad[place] = (since, bad)
        if self._shared is not None:
            await self._shared.count(f"bad:{place}", self._most, WINDOW_SECONDS)

    def _locked_seconds(self, place: str) -> float | None:
        since, bad = self._bad.get(place, (0.0, set()))
        left = since + WINDOW_SECONDS - monotonic()
        return left if len(bad) >= self._most and left > 0 else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
