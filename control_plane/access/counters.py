"""Counts that all replicas share, in Redis by the `limits` library. Without Redis each replica has its own alone."""

import logging
from time import monotonic, time

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from limits.errors import StorageError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.25  # a request must not wait for longer
AWAY_SECONDS = 5.0  # before it is asked again


class Counters:
    """Whoever asks has the answer soon: while Redis is away nothing is refused here, and the log says so once."""

    def __init__(self, url: str) -> None:
        storage = RedisStorage(
            url,
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="weedwatch",
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
        )
        self._moving = MovingWindowRateLimiter(storage)
        self._fixed = FixedWindowRateLimiter(storage)
        self._storage = storage
        self._asks_from = 0.0
        self._is_away = False

    async def take(self, name: str, burst: int, seconds: float) -> float | None:
        """One of `burst` in any `seconds`: None when it was to be had, else in how many seconds there is one."""
        return await self._hit(self._moving, _item(burst, seconds), name)

    async def count(self, name: str, most: int, seconds: int) -> float | None:
        """As above, in windows that begin with the first; for what is counted, not let in."""
        return await self._hit(self._fixed, _item(most, seconds), name)

    async def is_over(self, name: str, most: int, seconds: int) -> float | None:
        """As above, without counting."""
        return await self._hit(self._fixed, _item(most, seconds), name, only_test=True)

    async def close(self) -> None:
        connection = getattr(self._storage.bridge, "storage", None)
        if connection is not None:
            await connection.aclose()

    async def _hit(
        self,
        limiter: MovingWindowRateLimiter | FixedWindowRateLimiter,
        item: RateLimitItem,
        name: str,
        *,
        only_test: bool = False,
    ) -> float | None:
        if monotonic() < self._asks_from:
            return None
        try:
            good = await (limiter.test(item, name) if only_test else limiter.hit(item, name))
            wait = None if good else max(0.0, (await limiter.get_window_stats(item, name)).reset_time - time())
        except StorageError as error:
            self._asks_from = monotonic() + AWAY_SECONDS
            if not self._is_away:
                log.warning("Redis is away; each replica limits alone", extra={"cause": repr(error.storage_error)})
            self._is_away = True
            return None
        if self._is_away:
            log.info("Redis is back; the replicas limit together")
        self._is_away = False
        return wait


def _item(amount: int, seconds: float) -> RateLimitItem:
    """Whole seconds, which the library wants."""
    whole = max(1, round(seconds))
    return RateLimitItemPerSecond(max(1, round(amount * whole / seconds)), whole)
