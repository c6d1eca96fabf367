"""The trace of a request: where its time went, from the browser to SQL. Knows nothing of how spans are made and sent.

While no traces are sent there is no span, and what asks for one finds None: nothing is imported, made or measured.
Every request has a trace id and a well-formed `traceparent` all the same; logs and the handler need them.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

Kind = Literal["internal", "client"]
Attributes = Mapping[str, str | int | float | bool]

NOTHING: Attributes = {}
NOT_RECORDED = "00"
RECORDED = 1
# W3C: version 00 ends here, later ones may say more; ff and an id of zeros alone mean nothing.
_TRACEPARENT = re.compile(
    rb"(?!ff)(?:00(?=.{53}$)|[1-9a-f][0-9a-f]|0[1-9a-f])"
    rb"-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?:-.*)?"
)


class Sent(NamedTuple):
    """What a well-formed `traceparent` says, as hex digits."""

    trace: str
    span: str
    flags: str

    @property
    def is_recorded(self) -> bool:
        return bool(int(self.flags, 16) & RECORDED)

    def __str__(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.flags}"


class Span(Protocol):
    """A part of a trace that lasts until `end`. Times are those of `monotonic()`."""

    @property
    def traceparent(self) -> str: ...

    def begin(self, name: str, kind: Kind = "internal", *, at: float | None = None) -> "Span":
        """A span below this one, from now or from `at`."""

    def add(
        self, name: str, began: float, ended: float, attributes: Attributes = NOTHING, kind: Kind = "internal"
    ) -> None:
        """A span below this one that is over already."""

    def add_handler(self, stages: Mapping[str, float], ended: float) -> None:
        """The handler's stages, by their seconds: one after another, the last one to `ended`."""

    def set(self, attributes: Attributes) -> None: ...

    def end(self, *, error: str | None = None, at: float | None = None) -> None:
        """It is over. `error`: the code of what went wrong."""


class RequestSpan(Span, Protocol):
    """That of a request itself."""

    def answered(self, method: str, route: str, status: int) -> None:
        """It is over, too."""


class Tracer(Protocol):
    def request(self, request_id: UUID, sent: Sent | None, facts: Attributes) -> RequestSpan | None:
        """Begin the span of a request; None when this one is not recorded."""

    async def close(self) -> None:
        """Send what is left; not for longer than a few seconds."""


current: ContextVar[Span | None] = ContextVar("span", default=None)
"""Of the request that is being answered; None unless its trace is recorded."""


def read(traceparent: bytes) -> Sent | None:
    """What a W3C `traceparent` says; None when it is not well-formed."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return Sent(*(part.decode() for part in found.groups())) if found else None


def own(request_id: UUID, trace: str | None = None) -> str:
    """The `traceparent` of a request of ours that is not recorded: its trace is named by its id, if by nothing else."""
    digits = request_id.hex
    return f"00-{trace or digits}-{digits[16:]}-{NOT_RECORDED}"


def falls_within(trace: str, share: float) -> bool:
    """Whether a trace is one of the share. By its last 32 bits: those of a UUIDv7 are random, its higher ones not."""
    return bool(int(trace[-8:], 16) < share * 2**32)
