"""Limits at the door: how much one caller, and one address, may send. Told before a body is read.

All of it is in memory and costs a request a few microseconds. With several replicas, Redis counts the requests of all.
"""

import ipaddress
from functools import lru_cache, partial
from time import monotonic

from starlette.types import Message, Receive, Scope

from control_plane.access.counters import Counters
from control_plane.access.turns import Places, Turns, Volume, Whose
from control_plane.domain.allowance import NOTHING_LIMITED, Allowance
from control_plane.domain.callers import Caller
from control_plane.errors import RateLimited

TIDY_SECONDS = 60.0
# Whoever watches the service must hear of it most of all when it is flooded.
UNLIMITED = frozenset(
    {
        "/health",
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
        "/metrics",
        "/metrics/torchserve",
    }
)


class Bucket:
    """Of one caller or one address."""

    def __init__(self, name: str, allowance: Allowance, now: float) -> None:
        self.name = name
        self.allowance = allowance
        self.turns = Turns(*allowance.window) if allowance.window else None
        self.places = Places(allowance.concurrent) if allowance.concurrent else None
        self.volume = Volume(allowance.bytes_per_minute, now) if allowance.bytes_per_minute else None
        self.policy = _policy(allowance)

    def enter(self, size: int, now: float, whose: Whose) -> tuple[str, int] | None:
        """What is over its limit, and the seconds after which it will not be; else what is taken is to be left."""
        if self.places and (wait := self.places.take(now)) is not None:
            return "requests at the same time", wait
        if self.turns and (wait := self.turns.take(now, whose)) is not None:
            self._leave_place()
            return "requests", wait
        if self.volume and size and (wait := self.volume.take(size, now)) is not None:
            if self.turns:
                self.turns.give_back(now)
            self._leave_place()
            return "bytes", wait
        return None

    def leave(self, seconds: float) -> None:
        if self.places:
            self.places.leave(seconds)

    def _leave_place(self) -> None:
        if self.places:
            self.places.taken -= 1

    def is_idle(self, now: float) -> bool:
        return not (
            (self.turns and not self.turns.is_idle(now))
            or (self.places and self.places.taken)
            or (self.volume and not self.volume.is_idle(now))
        )

    def headers(self, now: float) -> list[tuple[bytes, bytes]]:
        if self.turns is None:
            return [(b"ratelimit-policy", self.policy)] if self.policy else []
        left, more = self.turns.left(now)
        return [(b"ratelimit-policy", self.policy), (b"ratelimit", b'"requests";r=%d;t=%d' % (left, more))]


class Throttle:
    """`shared` counts the requests of all replicas."""

    def __init__(self, callers: Allowance, addresses: Allowance, shared: Counters | None = None) -> None:
        self._callers = callers
        self._addresses = addresses
        self._limits_callers = callers != NOTHING_LIMITED
        self._limits_addresses = addresses != NOTHING_LIMITED
        self._shared = shared
        self._buckets: dict[str, Bucket] = {}
        self._tidied = 0.0

    async def enter(self, caller: Caller | None, address: str, scope: Scope) -> "Passage":
        """Let a request in; `leave` what comes back when it is done.

        Raises:
            RateLimited: It is over a limit; says when it will not be.
        """
        passage = Passage()
        now = passage.entered
        asked = self._asked(caller, address, now)
        if not asked or scope["path"] in UNLIMITED or (caller is not None and caller.identity == "admin"):
            return passage
        size = declared(scope)
        whose = partial(_mark, scope)
        try:
            for bucket in asked:
                over = bucket.enter(size or 0, now, whose)
                if over is None:
                    passage.buckets.append(bucket)
                    if self._shared is not None:
                        over = await self._ask_others(bucket, now, whose)
                if over is not None or bucket is asked[-1]:
                    scope["state"]["limits"] = bucket.headers(now)
                if over is not None:
                    raise _refusal(bucket, *over)
        except BaseException:
            passage.leave()
            raise
        passage.counts = size is None and any(each.volume for each in passage.buckets)
        return passage

    def _asked(self, caller: Caller | None, address: str, now: float) -> list[Bucket]:
        """The address's first, the caller's last: it has the last word in the headers."""
        if now - self._tidied > TIDY_SECONDS:
            self._tidied = now
            self._buckets = {name: each for name, each in self._buckets.items() if not each.is_idle(now)}
        asked = []
        if self._limits_addresses:
            asked.append(self._bucket(f"address:{network(address)}", self._addresses, now))
        if caller is not None and not caller.identity.startswith("address:"):
            if caller.limits:
                asked.append(self._bucket(caller.identity, self._callers.but(caller.limits), now))
            elif self._limits_callers:
                asked.append(self._bucket(caller.identity, self._callers, now))
        return asked

    def _bucket(self, name: str, allowance: Allowance, now: float) -> Bucket:
        bucket = self._buckets.get(name)
        if bucket is None or (bucket.allowance is not allowance and bucket.allowance != allowance):
            bucket = self._buckets[name] = Bucket(name, allowance, now)
        return bucket

    async def _ask_others(self, bucket: Bucket, now: float, whose: Whose) -> tuple[str, int] | None:
        window = bucket.allowance.window
        if self._shared is None or bucket.turns is None or window is None:
            return None
        wait = await self._shared.take(bucket.name, *window)
        if wait is None:
            return None
        bucket.turns.give_back(now)
        return "requests", bucket.turns.keep(now, whose(), least=wait)


class Passage:
    """One request that was let in."""

    def __init__(self) -> None:
        self.entered = monotonic()
        self.buckets: list[Bucket] = []
        self.counts = False

    def leave(self) -> None:
        if self.buckets:
            seconds = monotonic() - self.entered
            for each in self.buckets:
                each.leave(seconds)

    def counted(self, receive: Receive) -> Receive:
        """A body of which nobody said how long it is, charged as it comes."""
        if not self.counts:
            return receive

        async def receive_and_charge() -> Message:
            message = await receive()
            for each in self.buckets:
                if each.volume:
                    each.volume.charge(len(message.get("body", b"")))
            return message

        return receive_and_charge


def declared(scope: Scope) -> int | None:
    """The body's bytes; None when only its end will tell."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)  # the parser has seen that it is one
        if name == b"transfer-encoding":
            return None
    return 0


def _mark(scope: Scope) -> int:
    """The same for a request that comes again: its route, its size and its Idempotency-Key."""
    told = [value for name, value in scope["headers"] if name in (b"content-length", b"idempotency-key")]
    return hash((scope["method"], scope["path"], *told))


@lru_cache(4096)
def network(address: str) -> str:
    """Who has an address of version 6 has all 2^64 beside it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def _policy(allowance: Allowance) -> bytes:
    parts = []
    if allowance.window:
        burst, seconds = allowance.window
        parts.append(f'"requests";q={burst};w={max(1, round(seconds))}')
    if allowance.concurrent:
        parts.append(f'"concurrent";q={allowance.concurrent};qu="concurrent-requests"')
    if allowance.bytes_per_minute:
        parts.append(f'"bytes";q={allowance.bytes_per_minute};w=60;qu="content-bytes"')
    return ", ".join(parts).encode()


def _refusal(bucket: Bucket, what: str, wait: int) -> RateLimited:
    who = "This address" if bucket.name.startswith("address:") else "This caller"
    return RateLimited(
        f"{who} sends more {what} than it may; the header RateLimit-Policy says how many. Come again in {wait} s.",
        retry_after_seconds=wait,
    )
