"""Versions of models, and who answers."""

import re
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import typer

from weedwatch.calls import version_of
from weedwatch.client import Client
from weedwatch.commands.common import Code, Json, Quiet, Wait, Yes, complete_model, complete_version, connect
from weedwatch.commands.talk import Meter, show, show_json, table
from weedwatch.commands.told import evidence_lines, share, summary, told
from weedwatch.errors import Unfinished
from weedwatch.exchange import LOOK_SECONDS
from weedwatch.progress import Pace
from weedwatch.types import Operation, Version

STAFF_SECONDS = 600.0
ERRORS_SHOWN = 3  # of each version

app = typer.Typer(help="Versions, and who answers.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The model.", autocompletion=complete_model)]
Number = Annotated[str, typer.Argument(help="The version.", autocompletion=complete_version)]


@app.command("ls")
def list_models(as_json: Json = False) -> None:
    """List the models and who answers for each."""
    with connect() as weeds:
        found = weeds.models()
    if as_json:
        show_json({"items": [each.as_json() for each in found]})
        return
    rows = [
        (
            each.name,
            each.rollout.stable,
            share(each.rollout.canary, each.rollout.canary_percent),
            share(each.rollout.shadow, each.rollout.shadow_percent),
            "yes" if each.ready else "no",
        )
        for each in found
    ]
    table(("model", "stable", "canary", "shadow", "ready"), rows)


@app.command("show")
def show_model(name: Name, as_json: Json = False) -> None:
    """Show one model: its versions, who answers, the newest change."""
    with connect() as weeds:
        found = weeds.model(name)
    if as_json:
        show_json(found.as_json())
        return
    rows = [
        (
            each.version,
            each.role or "-",
            each.state,
            f"{each.ready_workers} of {each.wanted_workers}" if each.role else "-",
            summary(each.evidence),
            each.reason or "",
        )
        for each in found.versions
    ]
    table(("version", "answers as", "state", "workers", "evidence", "why"), rows)
    for version in found.versions:
        minute = version.last_minute
        if minute is not None and minute.compared:
            show(
                f"Version {version.version} in the last minute: compared in {minute.compared} answers, "
                f"disagreed in {minute.disagreed}"
            )
        for error in version.last_errors[:ERRORS_SHOWN]:
            show(f"Version {version.version} lately: {error}")
    if found.operation is not None:
        show(told(found.operation))


@app.command()
def add(
    name: Name,
    version: Number,
    source: Annotated[
        str | None,
        typer.Option("--from", help="A model archive (.mar) or a checkpoint (.pth): a file, or a URL for the service."),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="class_labels.json of a checkpoint.")] = None,
    card: Annotated[Path | None, typer.Option(help="model_card.json of a checkpoint.")] = None,
    architecture: Annotated[str | None, typer.Option(help="Of a checkpoint that does not say it itself.")] = None,
    signature: Annotated[Path | None, typer.Option(help="minisign's, of the file.")] = None,
    wait: Wait = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a version known: from the service's model store, or uploaded and checked."""
    with connect() as weeds, Meter(quiet=quiet) as meter:
        try:
            added = weeds.add_version(
                name,
                version,
                source,
                labels=labels,
                card=card,
                signature=signature,
                architecture=architecture,
                progress=meter,
            )
        except ValueError as error:  # the files do not fit each other
            raise typer.BadParameter(str(error), param_hint="--from") from None
        if wait and not added.is_checked:
            for added in weeds.watch_version(name, version):
                if not added.is_checked:
                    meter.say(f"{added.state}: {added.reason or '…'}")
    if as_json:
        show_json(added.as_json())
    elif not quiet:
        show(_added(name, added))
    if added.state in ("refused", "gone"):
        raise typer.Exit(Code.REFUSED)


@app.command("rm")
def remove(name: Name, version: Number, yes: Yes = False, quiet: Quiet = False) -> None:
    """Forget a version that does not answer; its archive stays."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Forget version {version} of {name}?", abort=True)
    with connect() as weeds:
        weeds.remove_version(name, version)
    if not quiet:
        show(f"Version {version} of {name} is forgotten.")


@app.command()
def workers(
    name: Name,
    version: Number,
    number: Annotated[str, typer.Argument(help="How many, or `auto` for the service's own choice.")],
    wait: Wait = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say how many workers a version has."""
    if number != "auto" and not number.isdigit():
        raise typer.BadParameter("must be a number or `auto`", param_hint="NUMBER")
    with connect() as weeds:
        changed = weeds.set_workers(name, version, None if number == "auto" else int(number))
        until = monotonic() + STAFF_SECONDS
        while wait and not changed.is_staffed:
            if monotonic() > until:
                raise Unfinished(f"Not all workers are ready within {STAFF_SECONDS:g} s. They go on loading.")
            sleep(LOOK_SECONDS)
            changed = version_of(weeds.model(name), version)
    if as_json:
        show_json(changed.as_json())
    elif not quiet:
        show(f"Version {version} of {name} has {changed.ready_workers} of {changed.wanted_workers} workers.")


@app.command()
def evaluate(name: Name, version: Number, wait: Wait = True, as_json: Json = False, quiet: Quiet = False) -> None:
    """Compare a version with the stable one; its evidence says whether it may be promoted."""
    with connect() as weeds:
        ended = _follow(weeds, weeds.evaluate(name, version), wait=wait, as_json=as_json, quiet=quiet)
        if ended.state == "done" and not as_json and not quiet:
            for line in evidence_lines(weeds.evidence(name, version)):
                show(line)


@app.command()
def evidence(name: Name, version: Number, as_json: Json = False) -> None:
    """Show the newest comparison of a version."""
    with connect() as weeds:
        found = weeds.evidence(name, version)
    if as_json:
        show_json(found.as_json())
        return
    for line in evidence_lines(found):
        show(line)


@app.command()
def rollout(
    name: Name,
    stable: Annotated[str, typer.Argument(help="The version that shall answer.", autocompletion=complete_version)],
    canary: Annotated[str | None, typer.Option(help="A version to try on some callers.")] = None,
    percent: Annotated[float, typer.Option(min=0, max=100, help="The canary's share of the callers.")] = 0.0,
    shadow: Annotated[str | None, typer.Option(help="A version that gets copies; nobody gets its answers.")] = None,
    shadow_percent: Annotated[
        float, typer.Option(min=0, max=100, help="Of how many requests the shadow gets a copy.")
    ] = 0.0,
    wait: Wait = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say who shall answer; nobody notices the change."""
    with connect() as weeds:
        begun = weeds.roll_out(
            name,
            stable,
            revision=weeds.model(name).rollout.revision,
            canary=canary,
            percent=percent,
            shadow=shadow,
            shadow_percent=shadow_percent,
        )
        _follow(weeds, begun, wait=wait, as_json=as_json, quiet=quiet)


@app.command()
def promote(
    name: Name,
    version: Annotated[
        str | None, typer.Argument(help="The version; the canary when none is named.", autocompletion=complete_version)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Whatever its evidence says; needs a reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it stands in the audit.")] = None,
    wait: Wait = True,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a version answer for all, if its evidence allows it."""
    if force and not reason:
        raise typer.BadParameter("needs --reason TEXT", param_hint="--force")
    with connect() as weeds:
        revision = weeds.model(name).rollout.revision
        begun = weeds.promote(name, version, revision=revision, force=force, reason=reason)
        _follow(weeds, begun, wait=wait, as_json=as_json, quiet=quiet)


@app.command()
def rollback(name: Name, wait: Wait = True, as_json: Json = False, quiet: Quiet = False) -> None:
    """Take the canary away, or go back to the stable version before."""
    with connect() as weeds:
        begun = weeds.roll_back(name, revision=weeds.model(name).rollout.revision)
        _follow(weeds, begun, wait=wait, as_json=as_json, quiet=quiet)


@app.command()
def cancel(name: Name, as_json: Json = False, quiet: Quiet = False) -> None:
    """Cancel the change that is under way."""
    with connect() as weeds:
        newest = weeds.model(name).operation
        if newest is not None and newest.state == "running":
            newest = weeds.cancel(newest)
        elif not as_json:
            show(f"No change of {name} is under way.")
            return
    if as_json:
        show_json(newest.as_json() if newest else None)
    elif newest is not None and not quiet:
        show(told(newest))


@app.command()
def watch(name: Name, as_json: Json = False) -> None:
    """Follow the newest change until it has ended; with --json a line for each step."""
    with connect() as weeds:
        newest = weeds.model(name).operation
        if newest is None:
            show(f"There was no change of {name}.")
            return
        for newest in weeds.watch(newest):  # noqa: B020
            if as_json:
                show_json(newest.as_json())
    if not as_json:
        show(told(newest))
    if newest.state == "failed":
        raise typer.Exit(Code.REFUSED)


def _follow(weeds: Client, operation: Operation, *, wait: bool, as_json: bool, quiet: bool) -> Operation:
    if wait:
        with Meter(quiet=quiet) as meter:
            for step in weeds.watch(operation):
                operation = step
                _meter(meter, step)
    if as_json:
        show_json(operation.as_json())
    elif not quiet or operation.state == "failed":
        show(told(operation))
    if operation.state == "failed":
        raise typer.Exit(Code.REFUSED)
    return operation


def _meter(meter: Meter, step: Operation) -> None:
    counts = re.search(r"(\d+) of (\d+)", step.message or "")
    if counts and step.state == "running":
        meter(Pace(step.stage, int(counts[2]), "").at(int(counts[1])))
    elif step.state == "running":
        meter.say(f"{step.stage}: {step.message or '…'}")


def _added(name: str, version: Version) -> str:
    if version.state == "ready":
        return (
            f"Version {version.version} of {name} is known. "
            f"Let it answer: weedwatch models rollout {name} {version.version}"
        )
    if version.is_checked:
        return f"Version {version.version} of {name} is {version.state}: {version.reason}"
    return f"Version {version.version} of {name} is {version.state}. See: weedwatch models show {name}"
