"""Odd Cache-Control headers around a good picture: what is not known there is passed over."""

from collections.abc import Iterator

from tests.hostile.contract import OK
from tests.hostile.pictures import encoded
from tests.hostile.request import Hostile, hostile

VALUES = (
    *("", ",", ",,,", "no-store", "NO-CACHE", "no-store,no-store,no-cache", 'no-cache="a, no-store"', "no-cach"),
    *("max-age=-1", "max-age=" + "9" * 400, "only-if-cached", "\u00ff\u00fe", "no-store\t;", '"' * 999),
    "no-cache," * 3000,
)


def caching() -> Iterator[Hostile]:
    picture = encoded("JPEG")
    for value in VALUES:
        yield hostile(f"Cache-Control: {value[:20]!r}", picture, {OK}, headers=(f"Cache-Control: {value}",))
    several = tuple(f"Cache-Control: {value}" for value in ("no-cache", "no-store", "max-age=1"))
    yield hostile("several Cache-Controls", picture, {OK}, headers=several)
