"""The commands: run, stop, status."""

import argparse
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from standalone.block import Facts, render
from standalone.checks import check_disk, check_port, check_state_dir
from standalone.errors import CannotRun
from standalone.front import run_in_front
from standalone.keys import check_auth
from standalone.leftovers import private_name, repair
from standalone.progress import say
from standalone.runfile import Run, read_run, take_lock
from standalone.settings import Settings, read_settings

STARTING_SECONDS = 1800.0
"""As long as the other run may build an archive."""
STOPPING_SECONDS = 90.0
NOT_RUNNING = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m standalone", description="Weedwatch on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="start everything and stay in front; Ctrl-C stops it")
    running.add_argument("--observe", action="store_true", help="with Prometheus and Alertmanager beside it")
    commands.add_parser("stop", help="stop what `run` started, and wait for it")
    commands.add_parser("status", help="say what runs")
    options = parser.parse_args(arguments)
    try:
        settings = replace(read_settings(), observe=getattr(options, "observe", False))
        return {"run": run, "stop": stop, "status": status}[options.command](settings)
    except CannotRun as problem:
        say(f"make {options.command}: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130


def run(settings: Settings) -> int:
    check_auth(settings)
    check_state_dir(settings.state_dir)
    if not hold_state_dir(settings):
        return 0
    check_disk(settings.state_dir)
    repair(settings.state_dir)
    check_port(settings)
    return run_in_front(settings, private_name())


def hold_state_dir(settings: Settings) -> bool:
    """Take the state folder's lock; when another run holds it, wait until it serves, say so, and give False."""
    deadline = time.monotonic() + STARTING_SECONDS
    told = False
    while take_lock(settings.state_dir) is None:
        other = read_run(settings.state_dir)
        if other is not None and other.status == "ready":
            say(f"Already running (pid {other.front}).")
            say(render(Facts(**other.facts), Path.cwd()))
            return False
        if not told:
            say(f"Another run with the state folder {settings.state_dir} is starting or stopping; waiting for it.")
            told = True
        if time.monotonic() > deadline:
            raise CannotRun("The other run is not ready after half an hour. `make stop` ends it.")
        time.sleep(0.2)
    return True


def stop(settings: Settings) -> int:
    if not is_held(settings):
        say("Nothing runs.")
        return 0
    say("Stopping …")
    deadline = time.monotonic() + STOPPING_SECONDS
    asked: set[int] = set()
    while is_held(settings):
        other = read_run(settings.state_dir)
        if other is not None:
            ask_to_stop(other, asked)
        if time.monotonic() > deadline:
            raise CannotRun(f"It has not stopped after {STOPPING_SECONDS:.0f} s. See {settings.logs}.")
        time.sleep(0.1)
    say("Stopped; nothing is left running.")
    return 0


def ask_to_stop(other: Run, asked: set[int]) -> None:
    """Signal the front once, or the supervisor where the front is gone. A second signal would mean haste."""
    if asked:
        return
    for pid in (other.front, other.supervisor):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
        except PermissionError as problem:
            raise CannotRun(f"Process {pid} belongs to another user, who must stop it.") from problem
        asked.add(pid)
        return


def status(settings: Settings) -> int:
    other = read_run(settings.state_dir) if is_held(settings) else None
    if other is None:
        say("Nothing runs.")
        return NOT_RUNNING
    say(f"{other.status}, http://localhost:{other.facts.get('port', settings.port)}, front process {other.front}")
    for name, (pid, _) in other.children.items():
        say(f"  {name:<14} pid {pid}")
    for name, port in other.ports.items():
        say(f"  {name:<14} 127.0.0.1:{port}")
    for name, address in other.torchserve.items():
        say(f"  {name:<14} {address}")
    return 0


def is_held(settings: Settings) -> bool:
    if not settings.state_dir.is_dir():
        return False
    descriptor = take_lock(settings.state_dir)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
