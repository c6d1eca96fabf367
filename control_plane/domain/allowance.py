"""What one caller may ask for: pure values, from a setting or from the row of a key."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Allowance:
    """None is no limit.

    Args:
        rate: Requests a second in the long run; may be below one.
        burst: Requests at once, after a pause of burst / rate seconds.
        concurrent: Requests under way at the same time, in one replica.
        bytes_per_minute: Of requests' bodies, in one replica.
    """

    rate: float | None = None
    burst: int | None = None
    concurrent: int | None = None
    bytes_per_minute: int | None = None

    @property
    def window(self) -> tuple[int, float] | None:
        """So many requests in so many seconds: what rate and burst come to."""
        if self.rate is None:
            return None
        burst = max(1, self.burst or round(2 * self.rate))
        return burst, burst / self.rate

    def times(self, factor: int) -> "Allowance":
        return Allowance(
            self.rate and self.rate * factor,
            self.burst and self.burst * factor,
            self.concurrent and self.concurrent * factor,
            self.bytes_per_minute and self.bytes_per_minute * factor,
        )

    def but(self, own: Mapping[str, Any] | None) -> "Allowance":
        """With the limits that a key has of its own; a burst belongs to its rate."""
        if not own:
            return self
        given = {name: value for name, value in own.items() if value is not None}
        if "rate" in given:
            given.setdefault("burst", None)
        return replace(self, **given)


NOTHING_LIMITED = Allowance()


def parse(text: str) -> Allowance:
    """`rate=50,burst=500,concurrent=64,bytes_per_minute=1000000000`, each of them optional, or `off`.

    Raises:
        ValueError: It is not of that form.
    """
    if text.strip().lower() in ("off", ""):
        return NOTHING_LIMITED
    known = {each.name: float if each.name == "rate" else int for each in fields(Allowance)}
    given: dict[str, Any] = {}
    for part in text.split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in known:
            raise ValueError(f"{name!r} is no limit; write off, or some of {', '.join(known)}, as rate=50,burst=500")
        try:
            given[name] = known[name](value)
        except ValueError:
            raise ValueError(f"{value!r} is no number for {name}") from None
        if not 0 < given[name] < 2**50:
            raise ValueError(f"{name} is {value}; it must be over 0")
    if "burst" in given and "rate" not in given:
        raise ValueError("a burst needs a rate")
    return Allowance(**given)
