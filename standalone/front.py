"""The front process: what Ctrl-C reaches. It forks the supervisor, passes signals on, and outlives it."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from standalone.kernel import adopt_orphans, die_with_parent
from standalone.runfile import Run, read_run, write_run
from standalone.settings import Settings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SUPERVISOR_DIED = 1


def run_in_front(settings: Settings, private: Path) -> int:
    """Run until the end of the run; gives the exit code. The caller holds the state folder's lock."""
    if is_under_make():
        die_with_parent(signal.SIGTERM, os.getppid())
    adopt_orphans()
    run = Run(front=os.getpid(), private=str(private))
    write_run(settings.state_dir, run)
    lifeline, held = os.pipe()
    # Held back until each of the two processes knows what to do with them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    supervisor = os.fork()
    if supervisor == 0:
        os.close(held)
        os._exit(become_supervisor(settings, run, lifeline))
    os.close(lifeline)
    status = wait_for(supervisor)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    return clean_up_after(settings, run, os.WTERMSIG(status))


def become_supervisor(settings: Settings, run: Run, lifeline: int) -> int:
    os.setsid()  # Ctrl-C of the terminal is for the front alone.
    try:
        from standalone.supervisor import supervise  # noqa: PLC0415 - nothing heavy before the fork

        return supervise(settings, run, lifeline)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        flush()


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue


def wait_for(supervisor: int) -> int:
    def pass_on(_number: int, _frame: FrameType | None) -> None:
        try:
            os.kill(supervisor, signal.SIGTERM)
        except ProcessLookupError:
            return

    for number in STOP_SIGNALS:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return os.waitpid(supervisor, 0)[1]


def clean_up_after(settings: Settings, run: Run, killer: int) -> int:
    """End and remove what a supervisor left that was ended by force."""
    from standalone.leftovers import clean  # noqa: PLC0415 - nothing heavy before the fork
    from standalone.progress import say  # noqa: PLC0415

    say(f"\nThe supervisor was ended by signal {killer}. Stopping what it started …")
    clean(settings.state_dir, read_run(settings.state_dir) or run)
    say("Stopped; nothing is left running. `make run` starts again.")
    return SUPERVISOR_DIED


def is_under_make() -> bool:
    """Whether `make` started us. It may be ended by a signal that it does not pass on."""
    if "MAKELEVEL" not in os.environ:
        return False
    try:
        return Path(f"/proc/{os.getppid()}/comm").read_text().strip() in {"make", "gmake"}
    except OSError:
        return False
