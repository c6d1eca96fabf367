"""What all requests for a prediction have in common: headers and how they are counted."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import ClientDisconnect, Request

from control_plane.errors import ClientLeft, InvalidRequest, ServingError
from control_plane.metrics import PUBLIC_ERROR_TYPES, Metrics
from control_plane.predictions.answers import Wish
from control_plane.tables.history import Prediction

SUCCESS = "Prediction successful"
REPEATED = "Prediction given again"
_NO = re.compile(r"(?<![\w-])no-(?:store|cache)(?![\w-])", re.IGNORECASE | re.ASCII)
_TOLD = ("model", "version", "verdict", "label", "confidence")


@contextmanager
def counted(metrics: Metrics) -> Iterator[None]:
    """Around one request."""
    metrics.requests_public.inc()
    try:
        yield
    except ServingError as error:
        _count(metrics, error.code)
        raise
    except (ClientDisconnect, ClientLeft):
        raise
    except Exception:
        _count(metrics, "internal_error")
        raise


def tell(request: Request, row: Prediction, message: str = SUCCESS, **more: object) -> None:
    """Let the request's line in the log be that of its prediction; `row` is the only one, or the first of several."""
    request.state.told = message, {name: getattr(row, name) for name in _TOLD} | more


def sticky(request: Request) -> str | None:
    given = request.headers.get("x-sticky-key")
    if given is not None and not re.fullmatch("[\x21-\x7e]{1,255}", given):
        raise InvalidRequest("X-Sticky-Key must be 1 to 255 visible ASCII characters.")
    return given


def wish(request: Request) -> Wish:
    """What the client's Cache-Control allows; what else may stand there is passed over, as HTTP wants it."""
    told = {word.lower() for value in request.headers.getlist("cache-control") for word in _NO.findall(value)}
    if "no-store" in told:
        return Wish.NOTHING
    return Wish.RENEW if told else Wish.READ


def deadline_seconds(request: Request, longest: float) -> float:
    given = request.headers.get("x-deadline-ms")
    if given is None:
        return longest
    if not re.fullmatch("[0-9]{1,9}", given) or int(given) == 0:
        raise InvalidRequest("X-Deadline-Ms must be a whole number of milliseconds, at least 1.")
    return min(longest, int(given) / 1000)


def _count(metrics: Metrics, code: str) -> None:
    metrics.errors_public.labels(PUBLIC_ERROR_TYPES.get(code, "processing_error")).inc()
