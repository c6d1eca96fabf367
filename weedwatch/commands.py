"""Every command: what it asks for, what it prints. Data goes to standard output, talk to standard error.

Exit codes: 0 done, 2 wrong usage, 3 refused, 4 not found, 5 not reached or not ready, 6 worth another try later,
130 interrupted.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from weedwatch.client import Client
from weedwatch.errors import Refused, Unreachable
from weedwatch.types import Model, Operation, Prediction

REFUSED, NOT_FOUND, NOT_REACHED, LATER, INTERRUPTED = 3, 4, 5, 6, 130

app = typer.Typer(
    help="Ask Weedwatch, and say which model answers.", no_args_is_help=True, pretty_exceptions_enable=False
)
models = typer.Typer(help="Versions, and who answers.", no_args_is_help=True)
app.add_typer(models, name="models")
out, err = Console(), Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print what the API answered, for programs.")]
Wait = Annotated[bool, typer.Option(help="Return when the change has ended.")]
Name = Annotated[str, typer.Argument(help="The model.")]


def main() -> int:
    """Run one command; every error that is not ours becomes a sentence and an exit code."""
    try:
        returned = app(standalone_mode=False)  # the code of typer.Exit, else None
        code = returned if isinstance(returned, int) else 0
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except Unreachable as error:
        code = _fail(str(error), NOT_REACHED)
    except Refused as error:
        code = _fail(f"{error}\n({error.code}, request {error.request_id})", _code_of(error))
    except OSError as error:
        code = _fail(f"{error.filename}: {error.strerror}.", REFUSED)
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # wrong usage; typer knows how to say it
        code = int(error.exit_code)
    return code


@app.command()
def predict(pictures: Annotated[list[Path], typer.Argument(help="Photos.")], as_json: Json = False) -> None:
    """Name what is on photos; each answer is recorded."""
    with Client() as weeds:
        for picture in pictures:
            answer = weeds.predict(picture)
            if as_json:
                _print_json(answer)
            else:
                typer.echo(f"{picture}: {_sentence(answer)}")


@app.command()
def status(as_json: Json = False) -> None:
    """Say whether the service is able to serve; exit code 5 when it is not."""
    with Client() as weeds:
        ready, reasons = weeds.ready()
        if as_json:
            typer.echo(json.dumps({"ready": ready, "reasons": reasons}))
        else:
            typer.echo("Ready." if ready else "Not ready. " + " ".join(reasons))
    if not ready:
        raise typer.Exit(NOT_REACHED)


@models.command("ls")
def list_models(as_json: Json = False) -> None:
    """List the models and who answers for each."""
    with Client() as weeds:
        found = weeds.models()
    if as_json:
        _print_json(found)
        return
    rows = [(each.name, each.rollout.stable, _canary(each), "yes" if each.ready else "no") for each in found]
    _table(("model", "stable", "canary", "ready"), rows)


@models.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show one model: its versions, who answers, the newest change."""
    with Client() as weeds:
        found = weeds.model(name)
    if as_json:
        _print_json(found)
        return
    rows = [
        (each.version, each.role or "-", each.state, f"{sum(w.ready for w in each.workers)}", each.reason or "")
        for each in found.versions
    ]
    _table(("version", "answers as", "state", "workers", "why"), rows)
    if found.operation is not None:
        typer.echo(_told(found.operation))


@models.command()
def add(name: Name, version: str) -> None:
    """Make a version of the service's model store known."""
    with Client() as weeds:
        weeds.add_version(name, version)
    typer.echo(f"Version {version} of {name} is known. Let it answer: weedwatch models rollout {name} {version}")


@models.command("rm")
def remove(name: Name, version: str) -> None:
    """Forget a version that does not answer; its archive stays."""
    with Client() as weeds:
        weeds.remove_version(name, version)
    typer.echo(f"Version {version} of {name} is forgotten.")


@models.command()
def rollout(
    name: Name,
    stable: Annotated[str, typer.Argument(help="The version that shall answer.")],
    canary: Annotated[str | None, typer.Option(help="A version to try on some callers.")] = None,
    percent: Annotated[float, typer.Option(help="The canary's share of the callers.")] = 0.0,
    wait: Wait = True,
) -> None:
    """Say who shall answer; nobody notices the change."""
    with Client() as weeds:
        revision = weeds.model(name).rollout.revision
        _follow(weeds, weeds.roll_out(name, stable, canary=canary, percent=percent, revision=revision), wait=wait)


@models.command()
def rollback(name: Name, wait: Wait = True) -> None:
    """Take the canary away, or go back to the stable version before."""
    with Client() as weeds:
        revision = weeds.model(name).rollout.revision
        _follow(weeds, weeds.roll_back(name, revision=revision), wait=wait)


@models.command()
def cancel(name: Name) -> None:
    """Cancel the change that is under way."""
    with Client() as weeds:
        newest = weeds.model(name).operation
        if newest is None or newest.state != "running":
            typer.echo(f"No change of {name} is under way.")
            return
        typer.echo(_told(weeds.cancel(newest)))


def _follow(weeds: Client, operation: Operation, *, wait: bool) -> None:
    while wait and operation.state == "running":  # a stream of events may end before the change does
        for step in weeds.watch(operation):
            operation = step
            if step.state == "running":
                err.print(f"{step.stage}: {step.message or '…'}")
    typer.echo(_told(operation))
    if operation.state == "failed":
        raise typer.Exit(REFUSED)


def _told(operation: Operation) -> str:
    canary = f", version {operation.canary} for {operation.canary_percent:g} %" if operation.canary else ""
    wanted = f"version {operation.stable}{canary}"
    why = f" {operation.why}" if operation.why else ""
    if operation.state == "done":
        return f"{operation.model} is answered by {wanted} ({operation.action} by {operation.actor}).{why}"
    if operation.state == "failed":
        return f"{operation.model} has not changed to {wanted}: {operation.message}"
    return f"{operation.model} is changing to {wanted}: {operation.stage}. {operation.message or ''}".rstrip()


def _sentence(answer: Prediction) -> str:
    name = f"{answer.common_name} ({answer.label})" if answer.common_name else answer.label
    if answer.verdict == "species":
        return f"{name}, {answer.confidence:.0%}"
    if answer.verdict == "not_a_target":
        return f"none of the watched plants, {answer.confidence:.0%}"
    if answer.verdict == "one_of":
        return "one of " + ", ".join(each.label for each in answer.predictions)
    return f"can't tell; the best guess is {name}, {answer.confidence:.0%}"


def _canary(model: Model) -> str:
    rollout = model.rollout
    return f"{rollout.canary} ({rollout.canary_percent:g} %)" if rollout.canary else "-"


def _table(columns: Iterable[str], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _print_json(value: BaseModel | list[Any]) -> None:
    plain = (
        [each.model_dump(mode="json") for each in value] if isinstance(value, list) else value.model_dump(mode="json")
    )
    typer.echo(json.dumps(plain))


def _code_of(error: Refused) -> int:
    if error.status == 404:
        return NOT_FOUND
    if error.status in (429, 504):
        return LATER
    return NOT_REACHED if error.status == 503 else REFUSED


def _fail(sentence: str, code: int) -> int:
    print(sentence, file=sys.stderr)
    return code
