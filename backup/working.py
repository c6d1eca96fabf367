"""Many small pieces of work side by side, and files read in threads."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Each = TypeVar("Each")
AT_ONCE = 8


async def side_by_side(work: Callable[[Each], Awaitable[None]], over: Iterable[Each], at_once: int = AT_ONCE) -> None:
    """The first error ends the others and is raised as it is."""
    waiting = iter(over)

    async def some() -> None:
        for each in waiting:
            await work(each)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(some())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
