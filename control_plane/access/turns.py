"""When one caller's requests may come. Pure: times are given, in seconds of one clock.

Whoever is refused is told a time at which it will not be refused again. So the times that were told are kept like
requests that have come already: nobody who comes later takes their turn, not even the same caller's next request.
"""

import math
from collections import OrderedDict, deque
from collections.abc import Callable

LONGEST_SECONDS = 60  # nobody is told a later time; what is kept stays bounded
GRACE_SECONDS = 0.5  # so long a turn is only its owner's, then anybody's of the same caller
UNCLAIMED_SECONDS = 5.0  # and then nobody's
SMOOTHING = 0.1  # weight of the newest request in the mean of their seconds
_LATE = 1.05  # requests come a little later than they were told to

Whose = Callable[[], int]
"""What is the same when the same request comes again; asked only when somebody waits."""


class Turns:
    """At most `burst` requests in any `seconds`."""

    def __init__(self, burst: int, seconds: float) -> None:
        self.burst = burst
        self.seconds = seconds
        self._taken: deque[float] = deque()
        self._kept: OrderedDict[int, tuple[float, int]] = OrderedDict()  # by number: when, and whose
        self._numbers: dict[int, deque[int]] = {}  # of whom
        self._told: deque[float] = deque(maxlen=burst)
        self._last = 0

    def take(self, now: float, whose: Whose = int) -> int | None:
        """None: it may come. Else it shall come again after so many seconds."""
        self._forget(now)
        if not self._kept and len(self._taken) < self.burst:
            self._taken.append(now)
            return None
        mark = whose()
        own = self._numbers[mark][0] if mark in self._numbers else None
        if own is not None and (when := self._kept[own][0]) > now:
            return max(1, math.ceil(when - now))  # it has not waited
        oldest = next(iter(self._kept), None)
        if own is None and oldest is not None and self._kept[oldest][0] <= now - GRACE_SECONDS:
            own = oldest
        if len(self._taken) < self.burst and (own is not None or len(self._taken) + len(self._kept) < self.burst):
            if own is not None:
                self._claim(own)
            self._taken.append(now)
            return None
        if own is not None:
            self._claim(own)  # those before it came late: it gets another
        return self.keep(now, mark)

    def keep(self, now: float, mark: int, *, least: float = 0.0) -> int:
        """Keep the first turn that is free, `least` seconds from now or later; how long until then."""
        free = max(now + least, self._free())
        if self._kept:
            free = max(free, self._told[-1])
        wait = max(1, math.ceil(free - now))
        if wait > LONGEST_SECONDS:
            return LONGEST_SECONDS
        self._last += 1
        self._kept[self._last] = (now + wait, mark)
        self._numbers.setdefault(mark, deque()).append(self._last)
        self._told.append(now + wait)
        return wait

    def give_back(self, now: float) -> None:
        """The turn that was just taken is not used after all."""
        if self._taken and self._taken[-1] == now:
            self._taken.pop()

    def left(self, now: float) -> tuple[int, int]:
        """How many may come now, and in how many seconds there are more."""
        self._forget(now)
        more = self._taken[0] + self.seconds - now if self._taken else 0.0
        return max(0, self.burst - len(self._taken) - len(self._kept)), math.ceil(more)

    def is_idle(self, now: float) -> bool:
        self._forget(now)
        return not self._taken and not self._kept

    def _claim(self, number: int) -> None:
        _, mark = self._kept.pop(number)
        numbers = self._numbers[mark]
        numbers.remove(number)
        if not numbers:
            del self._numbers[mark]

    def _free(self) -> float:
        """When the last `burst` of those that came and those that will are more than the window ago."""
        if len(self._kept) >= self.burst:
            before = self._told[0]
        elif len(self._taken) + len(self._kept) >= self.burst:
            before = self._taken[len(self._taken) + len(self._kept) - self.burst]
        else:
            return -math.inf
        return before + _LATE * self.seconds

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        while self._kept and self._kept[oldest := next(iter(self._kept))][0] <= now - UNCLAIMED_SECONDS:
            self._claim(oldest)


class Places:
    """At most so many requests under way."""

    def __init__(self, places: int) -> None:
        self._places = places
        self.taken = 0
        self._seconds = 0.5  # that a request takes
        self._told: deque[float] = deque()

    def take(self, now: float) -> int | None:
        """As for turns, but the time is a guess, from how long requests take."""
        if self.taken < self._places:
            self.taken += 1
            return None
        while self._told and self._told[0] <= now:
            self._told.popleft()
        wait = min(LONGEST_SECONDS, max(1, math.ceil(self._seconds * (1 + len(self._told) / self._places))))
        if len(self._told) < self._places * LONGEST_SECONDS:
            self._told.append(now + wait)
        return wait

    def leave(self, seconds: float) -> None:
        self.taken -= 1
        self._seconds += SMOOTHING * (seconds - self._seconds)


class Volume:
    """Bytes a minute. What comes over it in one request is paid for by those after it."""

    def __init__(self, bytes_per_minute: int, now: float) -> None:
        self._a_second = bytes_per_minute / 60
        self._most = float(bytes_per_minute)
        self._left = self._most
        self._at = now
        self._told = 0.0

    def take(self, size: int, now: float) -> int | None:
        self._left = min(self._most, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left > 0:
            self._left -= size
            return None
        at = max(self._told, now - self._left / self._a_second)
        wait = min(LONGEST_SECONDS, max(1, math.ceil(at - now)))
        if wait < LONGEST_SECONDS:
            self._told = at + size / self._a_second
        return wait

    def charge(self, size: int) -> None:
        self._left -= size

    def is_idle(self, now: float) -> bool:
        return self._left + (now - self._at) * self._a_second >= self._most
