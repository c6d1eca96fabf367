"""The commands: make, restore, list, check, prune, erasures, keep. Data on standard output, talk on standard error.

Exit codes: 0 done, 1 a bug of ours or a backup that is not whole, 2 wrong usage, 3 refused, 130 interrupted.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

from backup import checking, embedded, keeping, making, restoring, settings
from backup.destination import Destination
from backup.errors import Damaged, Refusal
from backup.manifest import Manifest
from backup.place import Place, place_of
from backup.restoring import Restored, Wish
from backup.settings import Settings
from control_plane.telemetry import logs
from weedwatch.commands.talk import MEGABYTE, Meter, show

DAMAGED, REFUSED, INTERRUPTED = 1, 3, 130
_MINUTES = "hours between two, and how many are kept, by WEEDWATCH_BACKUP_HOURS, _DAILY and _WEEKLY"


def main(arguments: list[str]) -> int:
    """Run one command; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        where = os.path.abspath(options.place) if _is_folder(options.place) else options.place  # noqa: PTH100
        options.erasures = Path(options.erasures).absolute() if getattr(options, "erasures", None) else None
        os.chdir(embedded.ROOT)  # what settings name is relative to it, as in `make run`
        embedded.read_env_file()
        if options.command in {"list", "check"}:
            return _LOOKS[options.command](_destination(where), options)
        with embedded.named(alone=options.command == "restore"):
            found = settings.read()
            return _ACTS[options.command](place_of(found), _destination(where or found.backup_url), found, options)
    except Damaged as problem:
        print(problem, file=sys.stderr)
        return DAMAGED
    except Refusal as problem:
        print(problem, file=sys.stderr)
        return REFUSED
    except FileNotFoundError as problem:
        print(f"A file is missing that was there before: {problem}.", file=sys.stderr)
        return DAMAGED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backup", description="Backups of Weedwatch, and the way back.")
    commands = parser.add_subparsers(dest="command", required=True)
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        *("--to", "--from", "--at"),
        dest="place",
        metavar="PLACE",
        default="",
        help="folder, s3://… or gs://…; else WEEDWATCH_BACKUP_URL",
    )
    quiet = argparse.ArgumentParser(add_help=False)
    quiet.add_argument("--quiet", "-q", action="store_true", help="no progress")
    make = commands.add_parser("make", parents=[place, quiet], help="make one now")
    make.add_argument("--fresh", action="store_true", help="copy also what earlier backups hold")
    make.add_argument("--prune", action="store_true", help="then remove old ones")
    restore = commands.add_parser("restore", parents=[place, quiet], help="bring the service back")
    restore.add_argument("backup", nargs="?", default=checking.LATEST, help="its name; the newest when there is none")
    restore.add_argument("--replace", action="store_true", help="what the database holds now may go")
    restore.add_argument("--erasures", metavar="FILE", help="a further list of what was erased")
    restore.add_argument("--other-key-secret", action="store_true", help="the API keys may become useless")
    commands.add_parser("list", parents=[place], help="which there are")
    check = commands.add_parser("check", parents=[place, quiet], help="read one through, and compare")
    check.add_argument("backup", nargs="?", default=checking.LATEST, help="its name; the newest when there is none")
    commands.add_parser("prune", parents=[place], help="remove old ones")
    commands.add_parser("erasures", parents=[place], help="write down what was erased; as `keep` does by itself")
    commands.add_parser("keep", parents=[place], help=f"make them for ever; {_MINUTES}")
    return parser


def _is_folder(place: str) -> bool:
    return bool(place) and "://" not in place


def _destination(url: str | None) -> Destination:
    url = url or os.environ.get("WEEDWATCH_BACKUP_URL")
    if not url:
        raise Refusal("Say where backups lie: --to FOLDER, or WEEDWATCH_BACKUP_URL.")
    return Destination(url)


def _make(place: Place, destination: Destination, found: Settings, options: argparse.Namespace) -> int:
    with Meter(quiet=options.quiet) as meter:
        made = asyncio.run(making.make(place, destination, meter, fresh=options.fresh))
    show(f"Backup {made.id}: {_told(made)}.")
    if made.missing:
        print(f"The service itself lacks: {', '.join(made.missing[:10])}", file=sys.stderr)
    if not made.key_secrets:
        print("The key secret is not to be seen from here: keep it yourself (docs/backup.md).", file=sys.stderr)
    return _prune(place, destination, found, options) if options.prune else 0


def _told(found: Manifest) -> str:
    photos, files = len(found.below("pictures/")), len(found.below("models/"))
    return (
        f"{found.rows.get('predictions', 0)} records, {photos} photos, {files} files of the model store, "
        f"{found.bytes / MEGABYTE:.1f} MB"
    )


def _restore(place: Place, destination: Destination, _: Settings, options: argparse.Namespace) -> int:
    wish = Wish(options.backup, options.replace, options.erasures, options.other_key_secret)
    with Meter(quiet=options.quiet) as meter:
        done = asyncio.run(restoring.restore(place, destination, wish, meter))
    for line in _outcome(done):
        show(line)
    return 0


def _outcome(done: Restored) -> list[str]:
    found, again = done.manifest, done.reapplied
    lines = [f"Restored {found.id}: {_told(found)}."]
    if done.waiting:
        lines.append(f"{done.waiting} records waited on a disk; they land when the service starts.")
    if again.erasures or again.withdrawals:
        lines.append(
            f"Erased since then and erased again: {again.records} records by {again.erasures} erasures, and "
            f"{again.withdrawals} photos without consent."
        )
    if done.lost:
        lines.append(f"Rows {found.audit_row + 1} to {done.lost.number} of the audit are lost; its new row says so.")
    return [*lines, "Start the service."]


def _prune(place: Place, destination: Destination, found: Settings, _: argparse.Namespace) -> int:
    work = keeping.prune(place, destination, daily=found.backup_daily, weekly=found.backup_weekly)
    for each in asyncio.run(work):
        show(f"Removed {each}.")
    return 0


def _erasures(place: Place, destination: Destination, _found: Settings, _: argparse.Namespace) -> int:
    asyncio.run(keeping.list_again(place, destination))
    return 0


def _keep(place: Place, destination: Destination, found: Settings, _: argparse.Namespace) -> int:
    logs.configure(level=found.log_level, folder=None)
    asyncio.run(keeping.keep(place, destination, found))
    return 0


def _list(destination: Destination, _: argparse.Namespace) -> int:
    for each in checking.listed(destination):
        show(f"{each.id}  {_told(checking.find(destination, each.id)) if each.is_whole else 'never finished'}")
    return 0


def _check(destination: Destination, options: argparse.Namespace) -> int:
    found = checking.find(destination, options.backup)
    with Meter(quiet=options.quiet) as meter:
        asyncio.run(checking.check(destination, found, meter))
    show(f"Backup {found.id} is whole: {_told(found)}.")
    return 0


_LOOKS: dict[str, Callable[[Destination, argparse.Namespace], int]] = {"list": _list, "check": _check}
_ACTS: dict[str, Callable[[Place, Destination, Settings, argparse.Namespace], int]] = {
    "make": _make,
    "restore": _restore,
    "prune": _prune,
    "erasures": _erasures,
    "keep": _keep,
}
