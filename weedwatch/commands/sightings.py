"""The record of predictions: ls, show, export."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from weedwatch.calls import Filters
from weedwatch.commands.common import Json, Quiet, connect
from weedwatch.commands.photos import sentence
from weedwatch.commands.talk import say, show, show_json, table

app = typer.Typer(help="The record of predictions.", no_args_is_help=True)

Label = Annotated[str | None, typer.Option(help="The best label, exactly.")]
Model = Annotated[str | None, typer.Option(help="Of this model.")]
Version = Annotated[str | None, typer.Option(help="Of this version.")]
MinConfidence = Annotated[float | None, typer.Option(min=0, max=1, help="At least this sure.")]
Since = Annotated[str | None, typer.Option(help="From this moment on, such as 2026-05-01.")]
Until = Annotated[str | None, typer.Option(help="Before this moment.")]
Search = Annotated[str | None, typer.Option("--q", help="Look for this in names, subject and ids.")]


@app.command("ls")
def list_sightings(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="What the page before gave as its next.")] = None,
    label: Label = None,
    model: Model = None,
    version: Version = None,
    min_confidence: MinConfidence = None,
    since: Since = None,
    until: Until = None,
    q: Search = None,
    as_json: Json = False,
) -> None:
    """List the newest."""
    filters = _filters(label, model, version, min_confidence, since, until, q)
    with connect() as weeds:
        page = weeds.history(limit=limit, cursor=cursor, **filters)
    if as_json:
        show_json(page.as_json())
        return
    rows = [(f"{each.created_at:%Y-%m-%d %H:%M}", each.request_id, sentence(each)) for each in page.items]
    table(("when (UTC)", "request", "what"), rows)
    if page.next_cursor:
        say(f"There are more: --cursor {page.next_cursor}")


@app.command("show")
def show_sighting(request_id: Annotated[str, typer.Argument(help="Its request id.")], as_json: Json = False) -> None:
    """Show one."""
    with connect() as weeds:
        found = weeds.sighting(request_id)
    if as_json:
        show_json(found.as_json())
        return
    show(sentence(found))
    for name, value in found.as_json().items():
        if value is not None and not isinstance(value, dict | list):
            told = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
            show(f"  {name:20}{told}")


@app.command("export")
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output without it.")] = None,
    label: Label = None,
    model: Model = None,
    version: Version = None,
    min_confidence: MinConfidence = None,
    since: Since = None,
    until: Until = None,
    q: Search = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line, not a table (CSV).")] = False,
    quiet: Quiet = False,
) -> None:
    """Write all of them."""
    filters = _filters(label, model, version, min_confidence, since, until, q)
    with connect() as weeds:
        pieces = (
            (json.dumps(each.as_json()).encode() + b"\n" for each in weeds.sightings(**filters))
            if as_json
            else weeds.export(**filters)
        )
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        with output.open("wb") as file:
            size = sum(file.write(piece) for piece in pieces)
    if not quiet:
        show(f"{output}: {size} bytes.")


def _filters(
    label: str | None,
    model: str | None,
    version: str | None,
    min_confidence: float | None,
    since: str | None,
    until: str | None,
    q: str | None,
) -> Filters:
    return Filters(
        label=label, model=model, version=version, min_confidence=min_confidence, since=since, until=until, q=q
    )
