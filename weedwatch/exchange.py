"""What both clients do around a request: its arguments, its answer, how long to wait before another try."""

import random
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import httpx2

from weedwatch.calls import Call
from weedwatch.errors import Refused, Unfinished, Unreachable, WeedwatchError
from weedwatch.progress import Count, Counted, Pace
from weedwatch.refusals import BY_CODE
from weedwatch.settings import Setting, Settings, variable
from weedwatch.types import Operation, Prediction, Version

T = TypeVar("T")

WORTH_ANOTHER_TRY = (429, 503)
FIRST_PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.5
EVENT_SECONDS = 60.0  # a stream says something at least every fifteen
WATCH_SECONDS = 3600.0


@dataclass(frozen=True)
class Outcome:
    """Of one of many photos: its answer, or why there is none."""

    picture: str | Path | bytes
    answer: Prediction | None = None
    error: Refused | OSError | None = None


@dataclass(frozen=True)
class Limits:
    """Of tries: how many in all, and how many seconds may pass before the last one begins."""

    tries: int = 4
    seconds: float = 30.0


class Tries:
    """The tries of one call."""

    def __init__(self, call: Call[Any], limits: Limits) -> None:
        self._call, self._limits = call, limits
        self._began, self._made = monotonic(), 0

    def pause(self, error: WeedwatchError) -> float:
        """Seconds until the next try.

        Raises:
            WeedwatchError: The error itself: another try is not worth it, or there was the last one.
        """
        self._made += 1
        asked = self._asked(error)
        seconds = asked if asked is not None else FIRST_PAUSE_SECONDS * 2 ** (self._made - 1)
        seconds *= random.uniform(1, 1.2)  # noqa: S311 - so that not all callers come back at once
        if self._made >= self._limits.tries or monotonic() - self._began + seconds > self._limits.seconds:
            raise error
        return seconds

    def _asked(self, error: WeedwatchError) -> float | None:
        if isinstance(error, Refused) and error.retry and error.status in WORTH_ANOTHER_TRY:
            return error.retry_after_seconds
        if isinstance(error, Unreachable) and error.may_have_arrived and self._call.is_repeatable:
            return None
        raise error


@contextmanager
def arguments(call: Call[Any], credentials: "Credentials") -> Iterator[dict[str, Any]]:
    """Of httpx's `request`; files are open as long as this is entered.

    Raises:
        OSError: A file cannot be opened.
    """
    headers = {**call.headers, **_trace(), **credentials.header(admin=call.admin)}
    given: dict[str, Any] = {"headers": headers, "params": call.params}
    if call.json is not None:
        given["json"] = call.json
    if call.content is not None:
        given["content"] = call.content
    if not call.files:
        yield given
        return
    with ExitStack() as stack:
        total = sum(file.stat().st_size for file in call.files.values())
        count = Count(Pace("uploading", total, "bytes"), call.progress or (lambda _: None))
        opened = {name: stack.enter_context(file.open("rb")) for name, file in call.files.items()}
        files = {name: (call.files[name].name, Counted(file, count)) for name, file in opened.items()}
        yield {**given, "data": call.form, "files": files}


def _trace() -> dict[str, str]:
    """The `traceparent` of the caller's own trace, where its process uses OpenTelemetry; we do not load it."""
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        TraceContextTextMapPropagator().inject(headers)
    return headers


@dataclass(frozen=True)
class Credentials:
    """What a client shows: an API key, and for admin work the admin token, where there is one."""

    settings: Settings
    key: str | None = None
    token: str | None = None

    def header(self, *, admin: bool) -> dict[str, str]:
        shown = (self.token or (None if self.key else self.settings.token())) if admin else None
        shown = shown or self.key or self.settings.key()
        return {"Authorization": f"Bearer {shown}"} if shown else {}


def answered(call: Call[T], answer: httpx2.Response, url: Setting) -> T:
    """What it says.

    Raises:
        Refused: The service said no.
        Unreachable: Something else answers there.
    """
    if answer.status_code >= 400 and answer.status_code not in call.also:
        raise refusal(answer)
    is_json = answer.content and "json" in answer.headers.get("content-type", "")
    try:
        return call.parse(answer.json() if is_json else answer.content or None)
    except ValueError:
        if answer.status_code >= 400:
            raise refusal(answer) from None
        raise Unreachable(f"What answers at {url.value} ({url.source}) is not Weedwatch.") from None


def refusal(answer: httpx2.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    problem = problem if isinstance(problem, dict) else {}
    wait = answer.headers.get("retry-after", "")
    seconds = float(wait) if wait.replace(".", "", 1).isdigit() else None
    return BY_CODE.get(str(problem.get("code")), Refused)(answer.status_code, problem, seconds)


def unreachable(url: Setting, error: Exception) -> Unreachable:
    told = Unreachable(
        f"Weedwatch does not answer at {url.value} ({url.source}): {error or type(error).__name__}. "
        f"Is it running? Start it with `make run`, or name another address in {variable('url')}."
    )
    told.may_have_arrived = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
    return told


def may_pass(error: Refused | Unreachable) -> bool:
    """Whether looking again later makes sense."""
    return error.retry if isinstance(error, Refused) else True


def event(line: str) -> Operation | None:
    """Of one line of a stream of server-sent events."""
    return Operation.model_validate_json(line.removeprefix("data:")) if line.startswith("data:") else None


def unfinished(operation: Operation, seconds: float) -> Unfinished:
    return Unfinished(f"The change of {operation.model} has not ended within {seconds:g} s. It goes on.")


def not_checked(version: Version, seconds: float) -> Unfinished:
    return Unfinished(f"Version {version.version} has not been checked within {seconds:g} s. The check goes on.")
