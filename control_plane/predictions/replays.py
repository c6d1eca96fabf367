"""A request that is repeated under its Idempotency-Key gets the first answer instead of a second record."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from time import monotonic
from typing import Any

import psycopg

from control_plane.errors import ClientLeft, Conflict, DatabaseUnavailable, DeadlineExceeded, InvalidRequest
from control_plane.metrics import Metrics
from control_plane.predictions.answers import Source
from control_plane.predictions.prediction import Recorded
from control_plane.predictions.presence import Presence
from control_plane.tables import idempotency
from control_plane.tables.database import Database, within
from control_plane.tables.history import Prediction
from control_plane.tables.idempotency import Claim

log = logging.getLogger(__name__)

SWEEP_EVERY = 100  # claims
SWEEP_ROWS = 500
RELEASE_SECONDS = 0.5
FIRST_PAUSE_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 0.25
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Standing(Enum):
    """What a key did for a request. UNKNOWN: answered and recorded, but a repetition may be answered anew."""

    FIRST = "first"
    REPLAYED = "replayed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Given:
    row: Prediction
    standing: Standing
    source: Source | None = None
    """Where a first answer came from."""


def key_of(headers: Sequence[str]) -> str | None:
    """The key in a request's Idempotency-Key headers, if there is one.

    Raises:
        InvalidRequest: It is not one key of 1 to 255 visible ASCII characters.
    """
    if not headers:
        return None
    if len(headers) > 1 or not _KEY.fullmatch(headers[0]):
        raise InvalidRequest(
            "Idempotency-Key must be given once, as 1 to 255 visible ASCII characters. A UUID is fine."
        )
    return headers[0]


class Replays:
    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._claims = 0
        self._sweeps: set[asyncio.Task[None]] = set()

    async def once(
        self, claim: Claim, work: Callable[[], Awaitable[Recorded]], *, deadline: float, presence: Presence
    ) -> Given:
        """Do the work, or give the answer that it gave before under the same key.

        Raises:
            Conflict: The key stands for another picture or other options.
            DeadlineExceeded: The first request under the key was still under way at `deadline` (of `monotonic()`).
            ClientLeft: The client left while it waited for the first request.
        """
        try:
            found = await self._claim_or_find(claim, deadline, presence)
        except Conflict:
            self._metrics.idempotency.labels("conflict").inc()
            raise
        if isinstance(found, Prediction):
            given = Given(found, Standing.REPLAYED)
        else:
            recorded = await self._work(claim, work, claimed=found)
            known = found and recorded.in_database
            given = Given(recorded.row, Standing.FIRST if known else Standing.UNKNOWN, recorded.source)
        self._metrics.idempotency.labels(given.standing.value).inc()
        return given

    async def _work(self, claim: Claim, work: Callable[[], Awaitable[Recorded]], *, claimed: bool) -> Recorded:
        try:
            return await work()
        except Exception:
            if claimed:
                await self._release(claim)
            raise

    async def _claim_or_find(self, claim: Claim, deadline: float, presence: Presence) -> Prediction | bool:
        """The answer given before; else whether the key is claimed now: it is not when the database is away."""
        pause = FIRST_PAUSE_SECONDS
        while self._database.ready and self._database.up:
            left = deadline - monotonic()
            try:
                found = await within(min(left, self._database.timeout_seconds), self._try(claim, left))
            except DatabaseUnavailable:
                return False
            except psycopg.Error:
                log.exception("an idempotency key cannot be looked up")
                return False
            if found is not None:
                return found
            if presence.gone:
                raise ClientLeft
            if monotonic() + pause > deadline:
                raise DeadlineExceeded("The first request with this Idempotency-Key is still under way. Send it again.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return False

    async def _try(self, claim: Claim, left: float) -> Prediction | bool | None:
        """The answer, True when the key is claimed now, None when another request has it under way."""
        # Whoever claims may record until its deadline and the tries to reach the database are over.
        lease = max(0.0, left) + 3 * self._database.timeout_seconds
        async with self._database.connection() as connection:
            held = await idempotency.find(connection, claim)
            if held is None or (held.row is None and not held.leased):
                claimed = await idempotency.claim(connection, claim, lease_seconds=lease)
                self._sweep_now_and_then()
                return claimed or None
        if held.digest != claim.digest:
            raise Conflict(
                "This Idempotency-Key was used with another picture or other options. Use a new key for a new request."
            )
        return held.row

    async def _release(self, claim: Claim) -> None:
        """So that a repetition need not wait; bounded, since an error is late enough already."""

        async def work() -> None:
            async with self._database.connection() as connection:
                await idempotency.release(connection, claim)

        await self._try_to("release a key", work, RELEASE_SECONDS)

    def _sweep_now_and_then(self) -> None:
        self._claims += 1
        if self._claims % SWEEP_EVERY == 1:
            task = asyncio.create_task(self._try_to("forget old keys", self._sweep, self._database.timeout_seconds))
            self._sweeps.add(task)
            task.add_done_callback(self._sweeps.discard)

    async def _sweep(self) -> None:
        async with self._database.connection() as connection:
            await idempotency.delete_expired(connection, at_most=SWEEP_ROWS)

    async def _try_to(self, what: str, work: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> None:
        """Once: leases and later sweeps make up for what fails."""
        if self._database.up:
            try:
                await within(seconds, work())
            except (DatabaseUnavailable, psycopg.Error) as error:
                log.warning("cannot %s", what, extra={"cause": repr(error)})
