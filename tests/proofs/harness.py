"""Runs a proof: its lines give figures, the figures make a table, and one that falls short fails the run.

From the environment: LINE (`4` or `1,3`), SHARE (of the full counts), RESUME=1 (skip what holds already).
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from tests.proofs.report import print_result, write_report
from tests.proofs.results import Figure, Result, load_results, save_results

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_SHARE = 0.1


@dataclass(frozen=True)
class Context:
    """What a line gets: its share of the full counts, the repository and a folder that is removed later."""

    share: float
    root: Path
    folder: Path

    def count(self, full: int, at_least: int = 1) -> int:
        return max(at_least, round(full * self.share))

    def say(self, sentence: str) -> None:
        print(f"    {sentence}", flush=True)


@dataclass(frozen=True)
class Line:
    number: int
    title: str
    run: Callable[[Context], list[Figure]]
    minutes: float
    only_in_full: bool = False


@dataclass(frozen=True)
class Choice:
    """Which lines, at which share; read from the environment once."""

    numbers: frozenset[int]
    share: float
    resume: bool
    partial: bool = False  # only some cases of a line: it says nothing of the line, so nothing of it is kept

    def takes(self, line: Line) -> bool:
        if self.numbers:
            return line.number in self.numbers
        return self.share >= 1 or not line.only_in_full


def choice_from(environment: dict[str, str]) -> Choice:
    """Raises SystemExit with a sentence when LINE or SHARE cannot be read."""
    try:
        numbers = frozenset(int(part) for part in environment.get("LINE", "").split(",") if part.strip())
        share = float(environment.get("SHARE") or DEFAULT_SHARE)
    except ValueError:
        raise SystemExit("LINE must be numbers such as 4 or 1,3, and SHARE a number such as 0.1.") from None
    if not 0 < share <= 1:
        raise SystemExit("SHARE must be above 0 and at most 1.")
    return Choice(numbers, share, environment.get("RESUME") == "1", bool(environment.get("CASE")))


class OutOfTime(Exception):
    pass


def prove(name: str, title: str, lines: Sequence[Line]) -> int:
    """Run the chosen lines and give the exit status: 0 when every figure of theirs holds."""
    # An end from outside unwinds as Ctrl-C does, so that what was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    choice, commit = choice_from(dict(os.environ)), current_commit()
    if choice.numbers - {line.number for line in lines}:
        raise SystemExit(f"This proof has the lines {', '.join(str(line.number) for line in lines)}.")
    store = state_folder() / "proofs" / f"{name}.json"
    results, ran = load_results(store), []
    print(f"{title}: share {choice.share:g}, commit {commit}, {os.cpu_count()} cores", flush=True)
    for line in filter(choice.takes, lines):
        known = results.get(line.number)
        if choice.resume and known and known.still_counts(commit, choice.share):
            print(f"Line {line.number} held at this commit and share already.", flush=True)
            continue
        ran.append(run_line(line, choice.share, commit))
        print_result(ran[-1])
        if choice.partial:
            continue
        # Read again: another run may have shown other lines meanwhile.
        results = {**load_results(store), line.number: ran[-1]}
        save_results(store, results)
    if not choice.partial:
        write_report(ROOT / "docs" / "proofs" / f"{name}.md", title, results)
    return _verdict(ran)


def _verdict(ran: list[Result]) -> int:
    """Say at the very end what falls short: the tables above it may be long."""
    short = [each for each in ran if not each.holds]
    print("" if short else "\nAll of it holds.", flush=True)
    for each in short:
        figures = [f"{f.name}: {f.measured}, target {f.target}" for f in each.figures if not f.holds]
        print(f"Line {each.number} falls short: {'; '.join(figures) or 'it gave no figures'}.", flush=True)
    return 1 if short else 0


def run_line(line: Line, share: float, commit: str) -> Result:
    """Run one line in a folder of its own and within its time."""
    print(f"\nLine {line.number}: {line.title} (at most {line.minutes:g} minutes)", flush=True)
    before, started = os.getloadavg(), time.monotonic()
    # A short path: sockets live below it.
    folder = Path(tempfile.mkdtemp(prefix="wwp-"))
    try:
        figures = _within(line, Context(share, ROOT, folder))
    finally:
        _remove(folder)
    result = Result(line.number, line.title, figures, share, commit, now(), 0.0, before[0], os.getloadavg()[0])
    return replace(result, minutes=(time.monotonic() - started) / 60)


def _remove(folder: Path) -> None:
    """A process that is just ending may still put a file there, so it is tried again."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(1)


def _within(line: Line, context: Context) -> list[Figure]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"Line {line.number} took more than {line.minutes:g} minutes.")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, line.minutes * 60)
    try:
        return line.run(context)
    except Exception as error:
        # A line that breaks falls short; the other lines still run.
        traceback.print_exc(file=sys.stdout)
        return [Figure("the line ran to its end", f"{type(error).__name__}: {str(error)[:200]}", "yes", False)]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def state_folder() -> Path:
    return (ROOT / os.environ.get("WEEDWATCH_STATE_DIR", ".weedwatch")).resolve()


def current_commit() -> str:
    """The commit that is proven; `+` behind it when the tree has other changes than reports."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return commit + ("+" if _git("status", "--porcelain", "--", ".", ":!docs/proofs") else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout.strip()


def run_cases(context: Context, cases: Mapping[str, Callable[[], list[Figure]]]) -> list[Figure]:
    """Run the cases one after the other; CASE=F04,F06 chooses. One that breaks falls short, the others still run."""
    chosen = {name for name in os.environ.get("CASE", "").split(",") if name}
    figures: list[Figure] = []
    for name, case in cases.items():
        if chosen and name not in chosen:
            continue
        started = time.monotonic()
        try:
            found = case()
        except OutOfTime:
            raise
        except Exception as error:
            traceback.print_exc()
            found = [Figure(f"{name} ran to its end", f"{type(error).__name__}: {str(error)[:200]}", "yes", False)]
        figures += found
        short = [each.name for each in found if not each.holds]
        outcome = f"falls short: {'; '.join(short)}" if short else "holds"
        context.say(f"{name}: {time.monotonic() - started:.0f} s, {outcome}")
    return figures
