"""The supervisor's children: started, described for other commands, started again when they die, ended in order."""

import asyncio
import contextlib
import json
import os
import subprocess
import time
from datetime import UTC, datetime

import psutil

from standalone.child import Child, Program, rotate
from standalone.errors import CannotRun
from standalone.leftovers import created_at, end
from standalone.progress import say
from standalone.runfile import Run, write_run
from standalone.settings import Settings

BACK_OFF_SECONDS = (1, 1, 2, 3, 5, 8, 13)
STEADY_SECONDS = 60.0
"""Who lived this long is not caught in a loop; its next restart is quick again."""
HURRIED_SECONDS = 1.0


class Family:
    """All children of one run."""

    def __init__(self, settings: Settings, run: Run) -> None:
        self.settings = settings
        self.run = run
        self.children: dict[str, Child] = {}

    def spawn(self, program: Program) -> Child:
        rotate(program.log)
        try:
            child = self.children[program.name] = Child(program)
        except (OSError, subprocess.SubprocessError) as problem:
            raise CannotRun(f"{program.name} cannot be started: {problem}") from problem
        self.describe()
        return child

    def forget(self, child: Child) -> None:
        del self.children[child.name]
        self.describe()

    def describe(self) -> None:
        self.run.supervisor = os.getpid()
        self.run.children = {name: (child.pid, created_at(child.pid)) for name, child in self.children.items()}
        with contextlib.suppress(OSError):  # a full disk must not keep us from our children
            write_run(self.settings.state_dir, self.run)

    def refuse_dead(self) -> None:
        """See that nobody has died.

        Raises:
            CannotRun: Somebody has; the text holds the cause and the log's path.
        """
        for child in self.children.values():
            if child.program.is_service and child.exit_code is not None:
                raise CannotRun(f"{child.end()}\n  Log: {child.log}")

    async def keep(self, program: Program) -> None:
        """Start a child again whenever it dies, for ever."""
        failures = 0
        while True:
            child = self.children[program.name]
            await child.ended()
            failures = 1 if time.monotonic() - child.started > STEADY_SECONDS else failures + 1
            pause = BACK_OFF_SECONDS[min(failures, len(BACK_OFF_SECONDS)) - 1]
            self.log(f"{child.end()}. Starting it again in {pause} s.", "ERROR")
            self.end_orphans()
            await asyncio.sleep(pause)
            try:
                self.spawn(program)
            except CannotRun as problem:
                self.log(str(problem), "ERROR")
            else:
                self.log(f"{program.name} started again.")

    def end_orphans(self) -> None:
        """End processes whose parent, one of our children, has died; they came to us."""
        own = {child.pid for child in self.children.values()}
        end([each for each in psutil.Process().children() if each.pid not in own], grace_seconds=0)

    async def stop(self, names: tuple[str, ...], hurry: asyncio.Event) -> None:
        """End the named children one after the other, then all others."""
        others = tuple(name for name in self.children if name not in names)
        for name in (*others, *names):
            if child := self.children.get(name):
                await child.stop(hurry)
        self.end_orphans()

    def log(self, sentence: str, level: str = "INFO") -> None:
        """To the terminal, and as a line of JSON like every other part's."""
        now = datetime.now().astimezone()
        say(f"{now:%H:%M:%S} {sentence}")
        timestamp = now.astimezone(UTC).isoformat(timespec="milliseconds")
        line = {"timestamp": timestamp, "level": level, "logger": "supervisor", "message": sentence}
        file = self.settings.logs / "supervisor.log"
        with contextlib.suppress(OSError):
            rotate(file)
            with file.open("a") as log:
                log.write(json.dumps(line, ensure_ascii=False) + "\n")
