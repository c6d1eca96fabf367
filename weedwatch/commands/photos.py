"""Photos: predict."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from weedwatch.commands.common import Code, Json, Quiet, code_of, connect, sentence_of
from weedwatch.commands.talk import Meter, say, show, show_json
from weedwatch.errors import Refused
from weedwatch.exchange import Outcome
from weedwatch.types import Prediction

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif"}
STDIN = Path("-")
FEW = 10  # photos; their answers are progress enough


def predict(
    pictures: Annotated[list[Path], typer.Argument(help="Photos, folders of photos, or - for standard input.")],
    model: Annotated[str | None, typer.Option(help="Ask this model.")] = None,
    version: Annotated[str | None, typer.Option(help="Ask this version.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=100, help="How many names an answer lists.")] = None,
    consent: Annotated[bool, typer.Option("--consent", help="The photos may be kept.")] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Look at them anew, also where answers of before are given again.")
    ] = False,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 7 when an answer is less sure than this.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Name what is on photos; each answer is recorded."""
    files = list(_files(pictures))
    names = ["-" if file == STDIN else str(file) for file in files]
    sent = [sys.stdin.buffer.read() if file == STDIN else file for file in files]
    codes = []
    with connect() as weeds, Meter(quiet=quiet or len(files) < FEW) as meter:
        outcomes = weeds.predict_many(
            sent,
            progress=meter,
            model=model,
            version=version,
            top_k=top_k,
            consent=consent or None,
            fresh=no_cache or None,
        )
        for name, outcome in zip(names, outcomes, strict=True):
            _show(name, outcome, as_json=as_json, listed=top_k)
            codes.append(_code(outcome, fail_under))
    worst = min((code for code in codes if code), default=Code.DONE)
    if worst:
        raise typer.Exit(worst)


def _files(given: Iterable[Path]) -> Iterator[Path]:
    for each in given:
        if not each.is_dir():
            yield each
            continue
        inside = sorted(file for file in each.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not inside:
            raise typer.BadParameter(f"There are no photos in {each}.", param_hint="PICTURES")
        yield from inside


def _show(name: str, outcome: Outcome, *, as_json: bool, listed: int | None) -> None:
    if outcome.answer is not None:
        if as_json:
            show_json(outcome.answer.as_json())
            return
        show(f"{name}: {sentence(outcome.answer)}")
        for each in outcome.answer.predictions if listed else ():
            show(f"  {each.confidence:7.2%}  {each.label}")
    elif outcome.error is not None:
        if as_json and isinstance(outcome.error, Refused):
            show(json.dumps(outcome.error.problem))  # so that line n is of photo n
        text = sentence_of(outcome.error)
        say(text if isinstance(outcome.error, OSError) else f"{name}: {text}")


def _code(outcome: Outcome, fail_under: float | None) -> Code:
    if outcome.error is not None:
        return code_of(outcome.error)
    unsure = fail_under is not None and outcome.answer is not None and outcome.answer.confidence < fail_under
    return Code.BELOW if unsure else Code.DONE


def sentence(answer: Prediction) -> str:
    name = f"{answer.common_name} ({answer.label})" if answer.common_name else answer.label
    if answer.verdict == "species":
        return f"{name}, {answer.confidence:.0%}"
    if answer.verdict == "not_a_target":
        return f"none of the watched plants, {answer.confidence:.0%}"
    if answer.verdict == "one_of":
        return "one of " + ", ".join(each.label for each in answer.predictions)
    return f"can't tell; the best guess is {name}, {answer.confidence:.0%}"
