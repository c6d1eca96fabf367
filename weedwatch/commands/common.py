"""What the commands share: their options, the client that they use, how they end."""

from contextvars import ContextVar
from enum import IntEnum
from typing import Annotated

import typer

from weedwatch.client import Client
from weedwatch.errors import Refused, Unfinished, Unreachable, WeedwatchError
from weedwatch.exchange import Limits
from weedwatch.settings import Settings, load


class Code(IntEnum):
    """How a command ends."""

    DONE = 0
    OUR_BUG = 1
    NOT_WHOLE = 1  # the audit
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    NOT_REACHED = 5
    LATER = 6
    BELOW = 7
    INTERRUPTED = 130


Json = Annotated[bool, typer.Option("--json", help="Print what the API answered, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but answers and errors.")]
Wait = Annotated[bool, typer.Option(help="Return when it has ended; else when it has begun.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

COMPLETION_SECONDS = 2.0


def complete_model(incomplete: str) -> list[str]:
    return [name for name in _known() if name.startswith(incomplete)]


def complete_version(ctx: typer.Context, incomplete: str) -> list[str]:
    model = ctx.params.get("name") or ctx.params.get("model")
    return [version for version in _known(model) if version.startswith(incomplete)] if model else []


def _known(model: str | None = None) -> list[str]:
    """Models, or versions of one; none when the service does not answer."""
    try:
        with Client(timeout_seconds=COMPLETION_SECONDS, limits=Limits(tries=1)) as weeds:
            if model is None:
                return [each.name for each in weeds.models()]
            return [each.version for each in weeds.model(model).versions]
    except WeedwatchError:
        return []


flags: ContextVar[dict[str, str | None]] = ContextVar("flags")


def settings() -> Settings:
    return load(**flags.get({}))


def connect() -> Client:
    return Client(settings=settings())


def code_of(error: WeedwatchError | OSError) -> Code:
    if isinstance(error, Unreachable):
        return Code.NOT_REACHED
    if isinstance(error, Unfinished):
        return Code.LATER
    if not isinstance(error, Refused):
        return Code.REFUSED if isinstance(error, OSError) else Code.USAGE
    of_status = {404: Code.NOT_FOUND, 408: Code.LATER, 429: Code.LATER, 500: Code.OUR_BUG, 503: Code.NOT_REACHED}
    return of_status.get(error.status, Code.LATER if error.retry else Code.REFUSED)


def sentence_of(error: WeedwatchError | OSError) -> str:
    if isinstance(error, Refused):
        return f"{error}\n({error.code}, request {error.request_id})"
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}."
    return str(error)
