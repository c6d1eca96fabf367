"""API keys, and who one is."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from weedwatch.commands.common import Json, Yes, connect
from weedwatch.commands.talk import say, show, show_json, table
from weedwatch.types import MadeKey

app = typer.Typer(help="API keys: who may do what.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(help="The eight characters after ww_.")]
Into = Annotated[
    Path | None, typer.Option("--into", help="Write the key into this file, for its owner alone, instead.")
]


@app.command("ls")
def list_keys(as_json: Json = False) -> None:
    """List all keys, the newest first; those that hold no more too."""
    with connect() as weeds:
        found = weeds.keys()
    if as_json:
        show_json({"items": [each.as_json() for each in found]})
        return
    rows = [
        (
            each.id,
            each.state,
            each.owner,
            _day(each.last_used_at),
            _day(each.expires_at),
            ",".join(each.scopes),
            each.name,
        )
        for each in found
    ]
    table(("key", "state", "owner", "last used", "expires", "scopes", "name"), rows)


@app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="For people: who or what uses it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="predict, read, locations, feedback, jobs, train or admin; several times. Predict and read."),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Whose records it writes and sees; by default its name.")] = None,
    days: Annotated[float | None, typer.Option(help="Days until it expires.")] = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Make a key; it is shown this once."""
    with connect() as weeds:
        _tell(weeds.make_key(name, scope or ("predict", "read"), owner=owner, expires_in_days=days), into, as_json)


@app.command("rotate")
def rotate_key(
    key_id: KeyId,
    overlap_hours: Annotated[float, typer.Option(help="For which the old key still holds.")] = 24,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Exchange a key for a new one that may do the same."""
    with connect() as weeds:
        _tell(weeds.rotate_key(key_id, overlap_seconds=3600 * overlap_hours), into, as_json)


@app.command("revoke")
def revoke_key(key_id: KeyId, yes: Yes = False) -> None:
    """Refuse a key from now on; other replicas do within seconds."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Revoke key {key_id}? Whatever uses it is refused.", abort=True)
    with connect() as weeds:
        weeds.revoke_key(key_id)
    say(f"Key {key_id} is revoked.")


def whoami(as_json: Json = False) -> None:
    """Say who you are to the service, and what you may do."""
    with connect() as weeds:
        found = weeds.access()
    if as_json:
        show_json(found.as_json())
    elif found.caller is None:
        show(f"Nobody: the service wants a credential (mode {found.mode}), and there is none that is valid.")
    else:
        whose = f", for {found.caller.owner}" if found.caller.owner else ""
        show(f"{found.caller.name}{whose}: {', '.join(found.caller.scopes)} (mode {found.mode})")


def _tell(made: MadeKey, into: Path | None, as_json: bool) -> None:
    if into is not None:
        into.touch(mode=0o600)
        into.chmod(0o600)
        into.write_text(made.key + "\n")
        say(f"Key {made.id} is in {into}.")
    elif as_json:
        show_json(made.as_json())
    else:
        say(f"Key {made.id}. It is shown this once; whoever has it may {', '.join(made.scopes)}.")
        show(made.key)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"
