"""What uvicorn's HTTP protocol lacks: deadlines for slow clients, and word of clients that leave.

Each connection is looked at a few times a second as long as it is open; a request costs nothing beside.
"""

import asyncio
import logging
import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Any

import uuid_utils.compat as uuid
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from control_plane.draining import Ending, has_unread
from control_plane.errors import InvalidRequest, RequestTimeout, ServingError
from control_plane.metrics import Metrics
from control_plane.telemetry.logs import request_id
from control_plane.web.problems import problem
from control_plane.web.protection import protect

log = logging.getLogger(__name__)

_FRAMING = 8  # times the body: chunks of one byte have five beside it
GATHERED_BYTES = 2**20  # of a body, before the service is woken for them: a photo comes in dozens of pieces


@dataclass(frozen=True)
class Patience:
    """How slow a client may be."""

    headers_seconds: float = 10.0
    window_seconds: float = 20.0  # over any such time a body comes at `least_bytes_per_second`
    least_bytes_per_second: int = 1024
    rest_seconds: float = 60.0  # for the rest of a body whose answer has been given already
    stalled_seconds: float = 60.0  # an answer of which the client takes nothing
    max_header_bytes: int = 64 * 1024
    max_headers: int = 200

    @property
    def look_seconds(self) -> float:
        return min(self.headers_seconds, self.window_seconds, self.stalled_seconds) / 20


class _Ambiguous(ValueError):
    """Another server in front of us may have understood these headers otherwise."""


class _Owes(Enum):
    """What the client owes us."""

    NOTHING = 1
    HEADERS = 2
    BODY = 3
    LEAVE = 4  # it has been refused; what it still sends is dropped


class Connection(HttpToolsProtocol):
    """Made by `protocol`, which gives it its patience, metrics, and word of the service's end."""

    patience: Patience
    metrics: Metrics
    ending: Ending

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owes = _Owes.HEADERS
        self._since = 0.0  # when the client began to owe it
        self._header_bytes = 0
        self._body_bytes = 0
        self._framed_bytes = 0  # the body as it comes, with the sizes of its chunks and what else stands there
        self._pieces: list[bytes] = []
        self._gathered = 0
        windows = math.ceil(self.patience.window_seconds / self.patience.look_seconds)
        self._seen: deque[int] = deque(maxlen=windows + 1)  # body bytes at each look
        self._unsent = (0, 0.0)  # bytes the client has not taken, and since when just as many

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        self._next_look.cancel()
        cycle = self.cycle
        super().connection_lost(exc)
        if cycle is not None and not cycle.response_complete and "presence" in cycle.scope["state"]:
            cycle.scope["state"]["presence"].leave()

    def data_received(self, data: bytes) -> None:
        if self._owes is _Owes.LEAVE:
            return
        if self._owes is _Owes.NOTHING:
            self._begin()
        self._unset_keepalive_if_required()
        self._header_bytes += len(data)
        self._framed_bytes += len(data)
        self._feed(data)
        if self._owes is _Owes.HEADERS:
            if self._header_bytes > self.patience.max_header_bytes:
                self._refuse(InvalidRequest(f"The headers are over {self.patience.max_header_bytes} bytes long."))
        elif self._owes is _Owes.BODY and self._is_mostly_framing():
            self._refuse(InvalidRequest("The body comes in chunks that hold next to nothing. Send larger ones."))
        elif self._owes is _Owes.NOTHING and self.cycle.response_complete and not self.transport.is_closing():
            # The answer was given before the body had come: from here on the connection is idle.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._owes is _Owes.NOTHING:
            self._begin()  # in the middle of the data: what stood before belongs to the request before

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._owes is _Owes.HEADERS:  # what follows a body is dropped: it would pile up
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self.scope["method"] = self.parser.get_method().decode("ascii")
            self.scope["http_version"] = self.parser.get_http_version()
            return  # `_feed` goes on
        self._check_framing()
        super().on_headers_complete()
        if self.ending.begun:
            self.cycle.keep_alive = False
        self._owes, self._since = _Owes.BODY, self.loop.time()
        self._body_bytes = self._framed_bytes = 0
        self._pieces, self._gathered = [], 0
        self._seen.clear()

    def _check_framing(self) -> None:
        """What two readers may understand in two ways is refused; the parser has seen to lengths and chunks.

        Raises:
            _Ambiguous: The parser reports it as a request that is not valid.
        """
        version = self.parser.get_http_version()
        hosts = codings = 0
        for name, value in self.headers:
            hosts += name == b"host"
            if name == b"transfer-encoding":
                codings += 1
                if version == "1.0" or codings > 1 or value.lower() != b"chunked":
                    raise _Ambiguous
        if version not in ("1.0", "1.1") or hosts > 1 or (hosts == 0 and version == "1.1"):
            raise _Ambiguous
        if not self.url.startswith(b"/") or b"#" in self.url or len(self.headers) > self.patience.max_headers:
            raise _Ambiguous  # whole URLs are for proxies, and would name a second host

    def _is_mostly_framing(self) -> bool:
        return self._framed_bytes > self.patience.max_header_bytes + _FRAMING * self._body_bytes

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            return  # refused before its body had come: nobody wants it
        self._gathered += len(body)
        self._pieces.append(body)
        if self._gathered >= GATHERED_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        """Wake the service for what has been gathered."""
        gathered = b"".join(self._pieces)
        self._pieces, self._gathered = [], 0
        if self.cycle.response_complete:
            return
        self.cycle.body = self.cycle.body + gathered if self.cycle.body else gathered  # type: ignore[assignment]
        if len(self.cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._owes is _Owes.HEADERS:
            return
        if self._pieces:
            self._hand_over()
        super().on_message_complete()
        self._owes = _Owes.NOTHING
        if not self.pipeline:
            self.flow.resume_reading()  # a client that leaves is seen only by reading

    def on_response_complete(self) -> None:
        if self._owes is _Owes.BODY:
            self._since = self.loop.time()  # from here on it owes the rest only
        super().on_response_complete()

    @property
    def is_idle(self) -> bool:
        """Nothing is asked on it, nor has begun to be."""
        if self.transport.is_closing() or (self.cycle is not None and not self.cycle.response_complete):
            return False
        return not self._has_begun

    @property
    def _has_begun(self) -> bool:
        """Whether a part of a request's head has come, or waits to be read."""
        if self._owes is _Owes.HEADERS and self._header_bytes:
            return True
        return has_unread(self.transport.get_extra_info("socket").fileno())

    def end_with_answer(self) -> None:
        """The service ends: the answer to what is under way is the last one here."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        if self.is_idle or self.transport.is_closing():
            self.transport.close()
        else:
            self.end_with_answer()

    def timeout_keep_alive_handler(self) -> None:
        if self.is_idle:  # else a request has just come
            super().timeout_keep_alive_handler()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            # Some libraries offer HTTP/2 with any request. The parser takes what follows the headers for the other
            # protocol and would lose the body: it gets the request again, without the offer.
            rest = data[upgrade.args[0] :]
            self.parser = HttpRequestParser(self)
            self._feed(self._head_without_upgrade() + rest)
        except HttpParserError:
            self._refuse(InvalidRequest("This is not a valid HTTP/1.1 request. Let an HTTP library build it."))

    def _head_without_upgrade(self) -> bytes:
        kept = [(name, value) for name, value in self.headers if name not in (b"upgrade", b"connection")]
        closes = any(name == b"connection" and b"close" in value.lower() for name, value in self.headers)
        lines = [b"%s: %s\r\n" % header for header in [*kept, *([(b"connection", b"close")] if closes else [])]]
        version = self.scope["http_version"].encode()
        return b"".join([self.scope["method"].encode(), b" ", self.url, b" HTTP/", version, b"\r\n", *lines, b"\r\n"])

    def _begin(self) -> None:
        self._owes, self._since = _Owes.HEADERS, self.loop.time()
        self._header_bytes = 1

    def _look_later(self) -> None:
        self._next_look = self.loop.call_later(self.patience.look_seconds, self._look)

    def _look(self) -> None:
        self._look_later()
        now = self.loop.time()
        if self._owes is _Owes.HEADERS:
            self._look_at_headers(now)
        elif self._owes is _Owes.BODY:
            self._look_at_body(now)
        self._look_at_unsent(now)

    def _look_at_headers(self, now: float) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._since = now  # it waits for us, too
        elif now - self._since > self.patience.headers_seconds:
            if self._header_bytes:
                self._refuse(RequestTimeout("The headers did not arrive in time. Send the request again."))
            else:  # opened ahead, as browsers do, and not used: an answer would be taken for that of a later request
                self._owes = _Owes.LEAVE
                self.transport.close()

    def _look_at_body(self, now: float) -> None:
        if self.flow.read_paused:
            self._seen.clear()  # we do not read: it cannot send
            return
        self._seen.append(self._body_bytes)
        window = self.patience.window_seconds
        if len(self._seen) == self._seen.maxlen:
            slow = self._seen[-1] - self._seen[0] < self.patience.least_bytes_per_second * window
        else:
            slow = False
        if slow or (self.cycle.response_complete and now - self._since > self.patience.rest_seconds):
            self._refuse(RequestTimeout(f"Too little of the body came in {window:g} s. Use a better connection."))

    def _look_at_unsent(self, now: float) -> None:
        size, since = self._unsent
        unsent = self.transport.get_write_buffer_size()
        if unsent != size:
            self._unsent = (unsent, now)
        elif unsent and now - since > self.patience.stalled_seconds:
            log.info("the client does not take its answer")
            self.transport.abort()

    def _refuse(self, error: ServingError) -> None:
        """End the request under way with `error`, and then the connection."""
        owed, self._owes = self._owes, _Owes.LEAVE
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the connection ends with its answer
            if owed is _Owes.BODY:
                cycle.scope["state"]["cut_off"] = error  # the service answers, with its ids, metrics and log
                cycle.more_body = False
                cycle.message_event.set()
            return
        if owed is not _Owes.BODY:
            self.transport.write(self._answer(error))
        self.transport.close()

    def _answer(self, error: ServingError) -> bytes:
        """An answer to what never became a request of the service."""
        minted = str(uuid.uuid7())
        token = request_id.set(minted)
        try:
            response = problem(error.kind, detail=error.detail)
            self.metrics.errors.labels(error.code).inc()
            self.metrics.http_requests.labels("other", "unmatched", str(error.kind.status)).inc()
            log.info("request refused: %s", error.kind.title, extra={"code": error.code})
        finally:
            request_id.reset(token)
        headers = [*response.raw_headers, (b"x-request-id", minted.encode()), (b"connection", b"close")]
        protect(headers)
        lines = [b"%s: %s\r\n" % header for header in headers]
        return b"".join([STATUS_LINE[error.kind.status], *lines, b"\r\n", bytes(response.body)])


def protocol(metrics: Metrics, patience: Patience = Patience(), ending: Ending | None = None) -> type[Connection]:
    """The class to give to uvicorn as `http`."""
    given = {"metrics": metrics, "patience": patience, "ending": ending or Ending()}
    return type("Connection", (Connection,), given)
