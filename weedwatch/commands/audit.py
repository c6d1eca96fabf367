"""The record of admin acts: ls, verify."""

import json
from typing import Annotated

import typer

from weedwatch.commands.common import Code, Json, Quiet, connect
from weedwatch.commands.talk import Meter, say, show, show_json, table

app = typer.Typer(help="The record of admin acts.", no_args_is_help=True)


@app.command("ls")
def list_acts(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    cursor: Annotated[int | None, typer.Option(help="What the page before gave as its next.")] = None,
    as_json: Json = False,
) -> None:
    """List the newest."""
    with connect() as weeds:
        page = weeds.audit(limit=limit, cursor=cursor)
    if as_json:
        show_json(page.as_json())
        return
    rows = [
        (
            str(each.number),
            f"{each.created_at:%Y-%m-%d %H:%M}",
            each.actor,
            each.address or "-",
            f"{each.action} {json.dumps(each.facts)}",
        )
        for each in page.items
    ]
    table(("row", "when (UTC)", "who", "from", "what"), rows)
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")


@app.command("verify")
def verify(as_json: Json = False, quiet: Quiet = False) -> None:
    """Say whether a row was changed, removed or moved; exit code 1 when one was."""
    with connect() as weeds, Meter(quiet=quiet or as_json) as meter:
        found = weeds.verify_audit(progress=meter)
    if as_json:
        show_json(found.as_json())
    elif found.broken is None:
        show(f"The audit holds: {found.rows} rows, the newest has the digest {found.head}.")
    else:
        show(f"The audit does not hold. {found.broken.message} The {found.rows} rows before it hold.")
    if not found.holds:
        raise typer.Exit(Code.NOT_WHOLE)
