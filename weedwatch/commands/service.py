"""The service itself: status, open, config, errors, api."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from weedwatch.commands.common import Code, Json, connect, settings
from weedwatch.commands.talk import out, show, show_json, table
from weedwatch.refusals import BY_CODE

config = typer.Typer(help="Where the service is, and who says so.", no_args_is_help=True)


def status(as_json: Json = False) -> None:
    """Say whether the service is able to serve; exit code 5 when it is not."""
    with connect() as weeds:
        found = weeds.ready()
    if as_json:
        show_json(found.as_json())
    else:
        show("Ready." if found.ready else "Not ready. " + " ".join(found.reasons))
    if not found.ready:
        raise typer.Exit(Code.NOT_REACHED)


def open_page() -> None:
    """Open the page in a browser; where there is no terminal, say its address."""
    url = settings().url.value
    show(url)
    if out.is_terminal:
        typer.launch(url)


def api(
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.")],
    path: Annotated[str, typer.Argument(help="Such as /models.")],
    data: Annotated[
        str | None, typer.Option(help="JSON to send; @FILE reads it from a file, - from standard input.")
    ] = None,
    revision: Annotated[int | None, typer.Option(help="What If-Match says.")] = None,
) -> None:
    """Ask anything of the API, and print what it answers. All but GET carry the admin token."""
    if not path.startswith("/"):
        raise typer.BadParameter("must begin with /, such as /models", param_hint="PATH")
    headers = None if revision is None else {"If-Match": f'"{revision}"'}
    with connect() as weeds:
        answer = weeds.api(method, path, _data(data), headers=headers)
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif answer is not None:
        show_json(answer)


def _data(given: str | None) -> Any:
    if given is None:
        return None
    text = sys.stdin.read() if given == "-" else Path(given[1:]).read_text() if given.startswith("@") else given
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"is no JSON: {error}", param_hint="--data") from None


def errors(
    code: Annotated[str | None, typer.Argument(help="One of them; without it all are listed.")] = None,
    as_json: Json = False,
) -> None:
    """Say what an error means and what to do."""
    if code is not None and code not in BY_CODE:
        raise typer.BadParameter(f"there is no error {code!r}; `weedwatch errors` lists them", param_hint="CODE")
    asked = BY_CODE if code is None else {code: BY_CODE[code]}
    rows = [{"code": name, "sentence": kind.__doc__ or "", "remedy": kind.remedy} for name, kind in asked.items()]
    if as_json:
        show_json(rows if code is None else rows[0])
    elif code is None:
        table(("code", "what happened"), [(row["code"], row["sentence"]) for row in rows])
    else:
        show(f"{rows[0]['sentence']}\n{rows[0]['remedy']}")


@config.command("show")
def show_config(as_json: Json = False) -> None:
    """Show each setting and where it comes from."""
    found = asdict(settings())
    if as_json:
        show_json(found)
    else:
        table(("setting", "value", "from"), [(name, each["value"], each["source"]) for name, each in found.items()])
