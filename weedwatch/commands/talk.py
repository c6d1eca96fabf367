"""How things are printed: tables, JSON, and progress as a bar on a terminal, elsewhere as a line for each tenth."""

import json
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table

from weedwatch.progress import Progress

PIPED_WIDTH = 1000  # nothing is cut for a program

out = Console(markup=False, highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(markup=False, highlight=False, emoji=False, stderr=True)

MEGABYTE = 1_000_000


def say(sentence: str) -> None:
    """Talk, no data."""
    err.print(sentence, soft_wrap=True)


def show(text: str) -> None:
    typer.echo(text)


def show_json(value: Any) -> None:
    typer.echo(json.dumps(value))


def table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> None:
    """Only its last column wraps where a terminal is narrow: ids and versions stay whole."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns, 1):
        made.add_column(column, no_wrap=number < len(columns))
    for row in rows:
        made.add_row(*row)
    out.print(made)


class Meter:
    """Shows progress on standard error while it is entered; says nothing when it is quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._told: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        if err.is_terminal and not err.is_dumb_terminal and not self._quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counted]}"))
            self._bar = Bar(*columns, console=err, transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(progress.stage, counted="")
            self._bar.update(
                self._task,
                description=progress.stage,
                completed=progress.done,
                total=progress.total,
                counted=counted(progress),
            )
            return
        tenth = 10 * progress.done // max(progress.total, 1)
        if tenth and self._told != (progress.stage, tenth):
            say(f"{progress.stage} {10 * tenth} %, {counted(progress)}")
        self._told = (progress.stage, tenth)

    def say(self, sentence: str) -> None:
        if not self._quiet:
            say(sentence)


def counted(progress: Progress) -> str:
    """For instance: 4.1 of 10.2 MB, 2.0 MB/s, 3 s left."""
    if progress.unit == "bytes":
        amount = f"{progress.done / MEGABYTE:.1f} of {progress.total / MEGABYTE:.1f} MB"
        rate = f"{(progress.rate or 0) / MEGABYTE:.1f} MB/s"
    else:
        amount = f"{progress.done} of {progress.total} {progress.unit}".rstrip()
        rate = f"{progress.rate or 0:.1f}/s"
    left = f"{progress.eta_s:.0f} s left" if progress.eta_s is not None else ""
    return ", ".join(part for part in (amount, rate if progress.rate else "", left) if part)
