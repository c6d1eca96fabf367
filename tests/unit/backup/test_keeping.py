"""Which backups stay."""

from datetime import UTC, datetime, timedelta

from backup.keeping import kept
from backup.manifest import name_of

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def ids(days: int, a_day: int = 1) -> list[str]:
    return [name_of(NOW - timedelta(days=day, hours=hour)) for day in range(days) for hour in range(a_day)]


def test_the_newest_of_each_day_and_week_stays() -> None:
    every = ids(60, 3)
    stay = kept(every, daily=7, weekly=4)
    assert stay >= {name_of(NOW - timedelta(days=day)) for day in range(7)}
    assert len(stay) == 7 + 4 - 1  # the newest of this week is that of a day; NOW is a Sunday
    assert min(stay) == name_of(NOW - timedelta(days=21))


def test_a_pause_takes_nothing_away() -> None:
    old = [name_of(NOW - timedelta(days=300 + day)) for day in range(3)]
    assert kept(old, daily=7, weekly=0) == set(old)


def test_the_newest_always_stays() -> None:
    assert kept(ids(2), daily=1, weekly=0) == {name_of(NOW)}
    assert kept([], daily=1, weekly=1) == set()
