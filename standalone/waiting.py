"""Waiting for children: until they answer, or until they have ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from standalone.child import Child
from standalone.errors import CannotRun
from standalone.family import Family


async def wait_ready(
    family: Family, child: Child, is_ready: Callable[[], Awaitable[bool]], limit_seconds: float
) -> None:
    """Raises CannotRun when it does not answer in time, or when any child dies meanwhile."""
    deadline = time.monotonic() + limit_seconds
    while not await is_ready():
        family.refuse_dead()
        if time.monotonic() > deadline:
            raise CannotRun(f"{child.name} was not ready in time: {child.cause()}\n  Log: {child.log}")
        await asyncio.sleep(0.05)


async def wait_ended(child: Child, limit_seconds: float, meanwhile: Callable[[], None]) -> int:
    """Its exit code; raises CannotRun when it has not ended in time."""
    deadline = time.monotonic() + limit_seconds
    while child.exit_code is None:
        if time.monotonic() > deadline:
            raise CannotRun(f"{child.name} was not done in time.\n  Log: {child.log}")
        meanwhile()
        await asyncio.sleep(0.1)
    return child.exit_code
