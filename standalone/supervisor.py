"""The supervisor: one run from its first child to its last.

It runs on one thread and one event loop, and starts every child from that thread: the kernel ties a child's
parent-death signal to the thread that started it.
"""

import asyncio
import signal
from collections.abc import Awaitable
from pathlib import Path

from standalone.block import render
from standalone.errors import CannotRun
from standalone.family import Family
from standalone.front import STOP_SIGNALS
from standalone.kernel import adopt_orphans, dump_no_core
from standalone.keys import first_key
from standalone.leftovers import make_private, remove_private
from standalone.progress import STEPS, Progress, say
from standalone.runfile import Run, run_path
from standalone.settings import Settings
from standalone.start import start

STOP_ORDER = ("control plane", "TorchServe", "PostgreSQL")
TICK_SECONDS = 0.1
STOPPED_DURING_START = 130


def supervise(settings: Settings, run: Run, lifeline: int) -> int:
    """Start everything, keep it up until told to stop, stop everything; gives the exit code.

    Args:
        settings: Of this run.
        run: Its description; kept true in `run.json`.
        lifeline: Reading end of a pipe; its other end is open as long as the front process lives.
    """
    adopt_orphans()
    dump_no_core()
    make_private(run.private)
    settings.logs.mkdir(exist_ok=True)
    return asyncio.run(Supervisor(settings, run).serve(lifeline))


class Supervisor:
    """What `supervise` does, with the state that it needs for it."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self.family = Family(settings, run)
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()
        self.keepers: list[asyncio.Task[None]] = []

    async def serve(self, lifeline: int) -> int:
        self._listen(lifeline)
        code = 0
        try:
            code = 0 if await self._unless_stopped(self._start()) else STOPPED_DURING_START
            if code == 0:
                await self.stopping.wait()
        except CannotRun as problem:
            say(f"\nmake run: {problem}")
            code = 1
        finally:
            await self._stop()
        return code

    def _listen(self, lifeline: int) -> None:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._ask_to_stop)
        # The front never writes: the pipe becomes readable when the front is dead.
        loop.add_reader(lifeline, self._front_died, lifeline)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def _front_died(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self.stopping.set()

    def _ask_to_stop(self) -> None:
        if self.stopping.is_set():
            self.hurry.set()
        self.stopping.set()

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Do some work; False when the stop came first."""
        task, stop = asyncio.ensure_future(work), asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        await asyncio.wait((task,))
        return False

    async def _start(self) -> None:
        progress = Progress(STEPS + self.family.settings.observe)
        ticker = asyncio.create_task(tick(progress))
        try:
            facts = await start(self.family, progress)
            key = await first_key(self.family.settings)
        finally:
            ticker.cancel()
            progress.close()
        self.keepers = [asyncio.create_task(self.family.keep(child.program)) for child in self.family.children.values()]
        self.family.run.facts, self.family.run.status = vars(facts), "ready"
        self.family.describe()
        say(render(facts, Path.cwd(), key))

    async def _stop(self) -> None:
        for keeper in self.keepers:
            keeper.cancel()
        self.family.run.status = "stopping"
        self.family.describe()
        say("\nStopping …")
        await self.family.stop(STOP_ORDER, self.hurry)
        remove_private(self.family.run.private)
        run_path(self.family.settings.state_dir).unlink(missing_ok=True)
        say("Stopped; nothing is left running.")


async def tick(progress: Progress) -> None:
    while True:
        progress.tick()
        await asyncio.sleep(TICK_SECONDS)
