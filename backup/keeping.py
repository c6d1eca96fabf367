"""Backups by themselves: when one is due, which old ones go, and the list of erasures soon after each of them."""

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, TypeVar

from backup import checking, erased, making, manifest
from backup.connecting import connected, take_turn
from backup.destination import Destination
from backup.errors import Refusal
from backup.manifest import NAME, OBJECTS
from backup.place import Place
from backup.settings import Settings
from control_plane.tables.audit import Head

log = logging.getLogger(__name__)

AGAIN_SECONDS = 600.0
LOOK_SECONDS = 30.0
ERASED_SECONDS = 2.0
"""Between two looks for what was erased; longer while the list cannot be written, or when it takes long to write."""
LONGEST_SECONDS = 30.0
SHARE = 10
"""Writing the list takes at most one of so many seconds."""
STATEMENT_SECONDS = 60
Answer = TypeVar("Answer")


def kept(ids: Iterable[str], daily: int, weekly: int) -> set[str]:
    """The newest of each of the last `daily` days that have one, and of the last `weekly` weeks."""
    newest_first = sorted(ids, reverse=True)
    by_day: dict[str, str] = {}
    by_week: dict[str, str] = {}
    for each in newest_first:
        moment = manifest.moment_of(each)
        by_day.setdefault(f"{moment:%Y%m%d}", each)
        by_week.setdefault(f"{moment:%G-%V}", each)
    return {*list(by_day.values())[:daily], *list(by_week.values())[:weekly]}


async def prune(place: Place, destination: Destination, *, daily: int, weekly: int) -> list[str]:
    """Remove backups that are too old, what was never finished, and what no backup names any more.

    Raises:
        Refusal: Nothing more is removed.
    """
    async with connected(place.database_url) as connection:
        await take_turn(connection)
        return await asyncio.to_thread(_prune, destination, daily, weekly)


def _prune(destination: Destination, daily: int, weekly: int) -> list[str]:
    there = checking.listed(destination)
    stay = kept((each.id for each in there if each.is_whole), daily, weekly)
    named: set[str] = set()
    for each in sorted(stay):  # before anything goes: a manifest that cannot be read ends it
        found = checking.find(destination, each)
        named |= {item.location(each) for item in found.items if item.shared}
    gone = [each.id for each in there if each.id not in stay]
    for each in gone:
        destination.remove([f"{each}/{NAME}"])  # first, so that a half one is none
        destination.remove(destination.sizes(each))
    destination.remove(set(destination.sizes(OBJECTS)) - named)
    return gone


async def keep(place: Place, destination: Destination, settings: Settings) -> None:
    """Until it is told to end."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("keeping backups", extra={"url": destination.url, "hours": settings.backup_hours})
    async with asyncio.TaskGroup() as group:  # a long backup does not keep the list waiting
        group.create_task(_keep_list(place, destination, settings.backup_erasures_minutes * 60, stop))
        group.create_task(_keep_backups(place, destination, settings, stop))


async def _keep_backups(place: Place, destination: Destination, settings: Settings, stop: asyncio.Event) -> None:
    next_backup = datetime.now(UTC)
    while not stop.is_set():
        if datetime.now(UTC) >= next_backup:
            due = await _tried(_back_up_when_due(place, destination, settings), "no backup was made")
            next_backup = due or datetime.now(UTC) + timedelta(seconds=AGAIN_SECONDS)
        await _pause(LOOK_SECONDS, stop)


async def _keep_list(place: Place, destination: Destination, every_seconds: float, stop: asyncio.Event) -> None:
    """Soon after each erasure; and again and again, since it may have gone from the destination."""
    listed: tuple[Head, int] | None = None
    due, pause = 0.0, ERASED_SECONDS
    while not stop.is_set():
        began = monotonic()
        if began >= due:
            listed = None
        found = await _tried(list_again(place, destination, listed), "the list of erasures is not written")
        if found is None:
            pause = min(2 * pause, LONGEST_SECONDS)
        else:
            if listed is None:
                due = began + every_seconds
            listed, pause = found, max(ERASED_SECONDS, SHARE * (monotonic() - began))
        await _pause(pause, stop)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def list_again(
    place: Place, destination: Destination, listed: tuple[Head, int] | None = None
) -> tuple[Head, int]:
    """Bring the list of erasures up to date, unless it was already at the mark `listed`; gives its mark.

    Raises:
        Refusal: The database or the destination does not take it.
    """
    async with connected(place.database_url) as connection:
        await connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        mark = await erased.mark(connection)
        if mark != listed:
            await erased.refresh(destination, connection)
        return mark


async def _back_up_when_due(place: Place, destination: Destination, settings: Settings) -> datetime:
    """When the next one is due."""
    every = timedelta(hours=settings.backup_hours)
    whole = [each.id for each in await asyncio.to_thread(checking.listed, destination) if each.is_whole]
    if whole and (due := manifest.moment_of(whole[-1]) + every) > datetime.now(UTC):
        return due
    made = await making.make(place, destination, lambda _: None)
    log.info("backup made", extra={"backup": made.id, "bytes": made.bytes, "records": made.rows.get("predictions")})
    gone = await prune(place, destination, daily=settings.backup_daily, weekly=settings.backup_weekly)
    if gone:
        log.info("old backups removed", extra={"backups": gone})
    return manifest.moment_of(made.id) + every


async def _tried(work: Coroutine[Any, Any, Answer], otherwise: str) -> Answer | None:
    try:
        return await work
    except Refusal as refusal:
        why = str(refusal)
    except Exception:
        log.exception(otherwise)
        return None
    log.error(otherwise, extra={"cause": why})
    return None
