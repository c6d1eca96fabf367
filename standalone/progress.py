"""What a start shows: a line per finished step; meanwhile a live line on a terminal, or a plain one now and then."""

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

STEPS = 5
PATIENCE_SECONDS = 2.0
PLAIN_EVERY_SECONDS = 5.0


def say(line: str) -> None:
    """Print a line; a closed terminal or pipe is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


class Progress:
    """The steps of a start; several may be under way at once."""

    def __init__(self, steps: int = STEPS, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps = steps
        self.started = clock()
        self._last_shown = self.started
        self._running: dict[int, tuple[str, float, str]] = {}
        self._live: Live | None = None
        self._shown = ""
        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()

    def begin(self, number: int, title: str) -> None:
        self._running[number] = (title, self._clock(), "")

    def note(self, number: int, detail: str) -> None:
        """Say what a running step is at."""
        if number in self._running:
            title, begun, _ = self._running[number]
            self._running[number] = (title, begun, detail)

    def finish(self, number: int, outcome: str, detail: str = "", title: str | None = None) -> None:
        running_title, begun, _ = self._running.pop(number)
        name, seconds = title or running_title, self._clock() - begun
        self._print(f"[{number}/{self._steps}] {name:<14} {outcome:<7} {seconds:5.1f} s  {detail}".rstrip())

    def tick(self) -> None:
        """Refresh what is shown; call it several times a second."""
        now = self._clock()
        waits = [(title, now - begun, detail) for title, begun, detail in self._running.values()]
        line = ", ".join(f"{title} {seconds:.0f} s{detail and f' ({detail})'}" for title, seconds, detail in waits)
        slow = any(seconds > PATIENCE_SECONDS for _, seconds, _ in waits)
        if self._is_terminal:
            self._show_live(line if slow else "")
        elif slow and now - self._last_shown >= PLAIN_EVERY_SECONDS:
            self._print(f"      waiting for {line}")

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live, self._shown = None, ""

    def _print(self, line: str) -> None:
        self._last_shown = self._clock()
        if self._live is not None:
            self._show_live("")
        say(line)

    def _show_live(self, line: str) -> None:
        if not line:
            self.close()
            return
        if self._live is None:
            self._live = new_live()
            self._live.start()
        if line != self._shown:
            self._shown = line
            self._live.update(one_line(f"      … {line}"), refresh=True)


def one_line(line: str) -> "Text":
    """Cut a line to the terminal's width; its brackets are no markup."""
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    return Text(line, no_wrap=True, overflow="ellipsis")


def new_live() -> "Live":
    """Make a line that is drawn again only when told: a drawing thread would get in the way of starting processes."""
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    return Live(console=Console(highlight=False), auto_refresh=False, transient=True)
