"""Client of TorchServe's inference and management APIs; the only file that knows TorchServe.

Sockets and statuses become our errors here. Every call has a deadline: TorchServe leaves four kinds of call
without any answer (version unregistered under way, worker given up, worker loading, client time-out passed).
"""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import aiohttp

from control_plane.domain.verdicts import Label
from control_plane.errors import (
    PICTURE_ERRORS,
    DeadlineExceeded,
    FileTooLarge,
    ModelNotLoaded,
    ProcessingError,
    ServingError,
)
from control_plane.exchange import Exchange
from control_plane.settings import socket_path
from control_plane.telemetry.tracing import Span
from handlers import frame

DESCRIBE_SECONDS = 3.0  # a frozen TorchServe must be known within five seconds
CHANGE_SECONDS = 30.0  # register unpacks the archive before it answers
KEEP_ALIVE_SECONDS = 30
TENSOR_LIGHTER = 16  # eight of 224 × 224 travel together
MAX_ANSWER_BYTES = 32 * 2**20  # thousands of labels for each part of a frame
MAX_METRICS_BYTES = 8 * 2**20
HANDLER_STAGES = ("preprocess", "inference", "postprocess")
LONGEST_STAGE_SECONDS = 3600.0
_CALL = "POST /predictions/{model}/{version}"
OCTETS = "application/octet-stream"  # TorchServe answers 500 to its own default, the urlencoded form type
# Who looks names up says that there is none of it; not that nobody could be asked.
NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
# What comes of reading an answer that is not as it should be.
NO_ANSWER = (ValueError, KeyError, TypeError, OverflowError, RecursionError)


class TorchServeUnreachable(Exception):
    """The management API does not answer."""


class TorchServeAbsent(TorchServeUnreachable):
    """Its name leads nowhere: in a cluster there is none at present, and nobody need wait for it."""


class NobodySaysWhere(TorchServeUnreachable):
    """Its name cannot be looked up: that says nothing of whether it is there."""


class _NotInExchange(Exception):
    """A worker did not find a picture's file."""


class Refusal(TorchServeUnreachable):
    """It answers, and will not take this archive: trying again alone changes nothing."""


@dataclass(frozen=True)
class Inference:
    """The handler's answer to one picture; `seconds` by stage inside the worker."""

    predictions: tuple[Label, ...]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Item:
    """One picture for the handler; `asked`: request_id, correlation_id, traceparent, top_k.

    `deadline` is a time of `monotonic()`; the handler is told the seconds that are left, since clocks differ.
    """

    picture: bytes
    asked: dict[str, Any]
    deadline: float
    shape: tuple[int, ...] | None = None
    """Of the network's input itself; None for an encoded picture."""
    span: Span | None = None
    """Of the request, where its trace is recorded."""

    @property
    def weight(self) -> int:
        """How its bytes count in a batch: those of a tensor need not be decoded."""
        return len(self.picture) if self.shape is None else len(self.picture) // TENSOR_LIGHTER

    def header(self, now: float, call: Span | None = None) -> dict[str, Any]:
        tensor = {} if self.shape is None else {frame.TENSOR: self.shape}
        asked = {**self.asked, "traceparent": call.traceparent} if call else self.asked
        return {**asked, **tensor, "seconds_left": self.deadline - now}


@dataclass(frozen=True)
class Worker:
    id: str
    pid: int
    ready: bool
    memory_bytes: int | None = None


class _Calls:
    """One call as each of its pictures' traces shows it; where none is recorded it does nothing.

    The handler tells how long its stages took, not when; they are drawn one after another, up to the call's end.
    """

    def __init__(self, model: str, version: str, items: Sequence[Item]) -> None:
        self.outcomes: list[Inference | ServingError] = []
        self._items = items
        self._spans = [item.span.begin(_CALL, "client") if item.span else None for item in items]
        for span in filter(None, self._spans):
            span.set(
                {
                    "http.request.method": "POST",
                    "url.template": "/predictions/{model}/{version}",
                    "server.address": "torchserve",
                    "weedwatch.model": model,
                    "weedwatch.version": version,
                    "weedwatch.batch_pictures": len(items),
                }
            )

    def parts(self) -> list[frame.Part]:
        now = monotonic()
        pairs = zip(self._items, self._spans, strict=True)
        return [frame.Part(item.header(now, span), item.picture) for item, span in pairs]

    def __enter__(self) -> "_Calls":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        ended = monotonic()
        for number, span in enumerate(self._spans):
            if span is None:
                continue
            outcome = error or self.outcomes[number]
            if isinstance(outcome, Inference):
                span.add_handler(outcome.seconds, ended)
                span.end(at=ended)
            else:
                span.end(error=getattr(outcome, "code", type(outcome).__name__), at=ended)


class _Api:
    """One of TorchServe's APIs, at `http://host:port` or, on a socket, at `unix:///path`."""

    def __init__(self, address: str) -> None:
        self._socket = socket_path(address)
        # The path of a socket has no place in a URL, and a URL must name a host.
        self.url = "http://torchserve" if self._socket else address.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        connector: aiohttp.BaseConnector
        if self._socket:
            connector = aiohttp.UnixConnector(self._socket, limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        else:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("TorchServe client used before open()")
        return self._session


class TorchServe:
    def __init__(
        self,
        *,
        inference_url: str,
        management_url: str,
        max_answer_seconds: float,
        exchange: Exchange,
        metrics_url: str | None = None,
    ) -> None:
        self._inference = _Api(inference_url)
        self._management = _Api(management_url)
        self._metrics = _Api(metrics_url) if metrics_url else None
        self._max_answer_seconds = max_answer_seconds
        self._exchange = exchange

    async def open(self) -> None:
        await self._inference.open()
        await self._management.open()
        if self._metrics:
            await self._metrics.open()

    async def close(self) -> None:
        await self._inference.close()
        await self._management.close()
        if self._metrics:
            await self._metrics.close()

    async def infer(
        self, model: str, version: str, items: Sequence[Item], *, by_name: bool = True
    ) -> list[Inference | ServingError]:
        """Pictures through the model in one call; what became of each, in order.

        `by_name`: whether this version's handler takes large ones by the name of a file.

        Raises:
            ModelNotLoaded: TorchServe, the version or its worker is away; worth another try.
            ProcessingError: The handler failed on the call as a whole.
        """
        with _Calls(model, version, items) as calls:
            calls.outcomes = await self._infer(f"{self._inference.url}/predictions/{model}/{version}", calls, by_name)
        return calls.outcomes

    async def _infer(self, url: str, calls: "_Calls", by_name: bool) -> list[Inference | ServingError]:
        parts = calls.parts()
        if not by_name:
            return await self._ask(url, parts)
        try:
            with self._exchange.lend(parts) as lent:
                return await self._ask(url, lent)
        except _NotInExchange:
            self._exchange.is_not_shared()
            return await self._ask(url, parts)

    async def _ask(self, url: str, parts: Sequence[frame.Part]) -> list[Inference | ServingError]:
        body = frame.pack(parts)
        try:
            try:
                status, answer = await self._post(url, body)
            except (aiohttp.ServerDisconnectedError, ConnectionResetError):
                # A kept-alive connection that TorchServe closed meanwhile; inference has no side effect.
                status, answer = await self._post(url, body)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise ModelNotLoaded("TorchServe cannot be reached or does not answer.") from error
        if status != 200:
            raise _refusal(status, answer)
        return _outcomes(answer, len(parts))

    async def _post(self, url: str, body: bytes) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=self._max_answer_seconds, sock_connect=2)
        headers = {"Content-Type": OCTETS, frame.HEADER: "1"}
        async with self._inference.session.post(
            url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status, await _read(answer)

    async def versions(self, model: str) -> dict[str, list[Worker]]:
        """The workers of each version that is registered."""
        status, body = await self._manage("GET", f"/models/{model}/all")
        if status == 404:
            return {}
        if status != 200:
            raise TorchServeUnreachable(f"describe answered {status}: {_message(body)}")
        try:
            return {
                str(version["modelVersion"]): [
                    Worker(
                        str(each["id"]),
                        int(each["pid"]),
                        each["status"] == "READY",
                        int(each.get("memoryUsage", 0)) or None,
                    )
                    for each in version["workers"]
                ]
                for version in json.loads(body)
            }
        except (*NO_ANSWER, AttributeError) as error:
            raise TorchServeUnreachable("describe answered something that nobody can read") from error

    async def register(self, archive: str, workers: int) -> None:
        """Begin to load an archive of the model store; `workers()` tells when they are ready.

        Never synchronous: that stalls inference on the same Netty thread for the whole load.
        """
        query = {"url": archive, "initial_workers": str(workers), "synchronous": "false"}
        status, body = await self._manage("POST", "/models", query)
        if status not in (200, 202, 206, 409):
            raise Refusal(f"register answered {status}: {_message(body)}")

    async def scale(self, model: str, version: str, workers: int) -> None:
        """Begin to start workers, or to end some, until there are so many. Calls of those that end are not drained."""
        query = {"min_worker": str(workers), "max_worker": str(workers), "synchronous": "false"}
        status, body = await self._manage("PUT", f"/models/{model}/{version}", query)
        if status not in (200, 202, 404):
            raise TorchServeUnreachable(f"scale answered {status}: {_message(body)}")

    async def unregister(self, model: str, version: str) -> None:
        status, body = await self._manage("DELETE", f"/models/{model}/{version}")
        if status not in (200, 202, 404):
            raise TorchServeUnreachable(f"unregister answered {status}: {_message(body)}")

    async def set_default(self, model: str, version: str) -> None:
        """What is default cannot be unregistered while there are others."""
        status, body = await self._manage("PUT", f"/models/{model}/{version}/set-default")
        if status not in (200, 404):
            raise TorchServeUnreachable(f"set-default answered {status}: {_message(body)}")

    async def metrics(self) -> bytes:
        """All that it and its workers count, in the text format of Prometheus.

        Raises:
            TorchServeUnreachable: It does not say, or not in time.
        """
        if self._metrics is None:
            raise TorchServeUnreachable("No address of its metrics is set (WEEDWATCH_TORCHSERVE_METRICS).")
        timeout = aiohttp.ClientTimeout(total=DESCRIBE_SECONDS, sock_connect=2)
        try:
            async with self._metrics.session.get(
                f"{self._metrics.url}/metrics", timeout=timeout, allow_redirects=False
            ) as answer:
                body = await _read(answer, MAX_METRICS_BYTES)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise TorchServeUnreachable("TorchServe does not tell its metrics.") from error
        if answer.status != 200:
            raise TorchServeUnreachable(f"TorchServe does not tell its metrics: it answered {answer.status}.")
        return body

    async def _manage(self, method: str, path: str, query: dict[str, str] | None = None) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=DESCRIBE_SECONDS if method == "GET" else CHANGE_SECONDS, sock_connect=2)
        headers = {"Content-Type": OCTETS}
        try:
            async with self._management.session.request(
                method, self._management.url + path, params=query, headers=headers, timeout=timeout,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                return answer.status, await _read(answer)
        except aiohttp.ClientConnectorDNSError as error:
            if getattr(error.os_error, "errno", None) in NO_SUCH_NAME:
                raise TorchServeAbsent("There is no TorchServe of this name at present.") from error
            raise NobodySaysWhere("TorchServe's name cannot be looked up.") from error
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise TorchServeUnreachable("TorchServe's management API does not answer.") from error


async def _read(answer: aiohttp.ClientResponse, most: int = MAX_ANSWER_BYTES) -> bytes:
    """The body; no more of it than an answer may be.

    Raises:
        aiohttp.ClientPayloadError: It is larger.
    """
    body = bytearray()
    async for block in answer.content.iter_any():
        body += block
        if len(body) > most:
            raise aiohttp.ClientPayloadError(f"an answer of more than {most} bytes")
    return bytes(body)


def _outcomes(body: bytes, count: int) -> list[Inference | ServingError]:
    try:
        parts = frame.unpack(body)
        outcomes = [_outcome(int(part.header.get("status", 0)), part.body) for part in parts]
    except NO_ANSWER as error:
        raise ProcessingError(cause=str(error)) from error
    if len(parts) != count:
        raise ProcessingError(cause=f"{len(parts)} answers to {count} pictures")
    return outcomes


def _outcome(status: int, body: bytes) -> Inference | ServingError:
    if status != 200:
        return _refusal(status, body)
    try:
        return _inference(body)
    except ProcessingError as error:
        return error


def _inference(body: bytes) -> Inference:
    try:
        answer = json.loads(body)
        labels = tuple(Label(str(each["label"]), float(each["confidence"])) for each in answer["predictions"])
        seconds = _seconds(answer["seconds"])
    except (*NO_ANSWER, AttributeError) as error:
        raise ProcessingError from error
    if not labels or not all(0 <= each.confidence <= 1 for each in labels):
        raise ProcessingError
    return Inference(labels, seconds)


def _seconds(said: Any) -> dict[str, float]:
    """Of the stages that there are; what none can have taken is left out: figures and traces would add it up."""
    given = {str(stage): float(value) for stage, value in said.items() if stage in HANDLER_STAGES}
    return {stage: value for stage, value in given.items() if 0 <= value <= LONGEST_STAGE_SECONDS}


def _refusal(status: int, body: bytes) -> ServingError:
    """Our error for an answer that is not 200; the handler's bodies have a string code, TorchServe's an integer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = {}
    code, message = (answer.get("code"), str(answer.get("message", ""))) if isinstance(answer, dict) else (None, "")
    if isinstance(code, str) and code in PICTURE_ERRORS:
        return PICTURE_ERRORS[code](message or None)
    if code == "not_in_exchange":
        raise _NotInExchange
    if code == DeadlineExceeded.code:
        return DeadlineExceeded()
    if status == 413:
        return FileTooLarge()
    if status == 404 or "no worker" in message or "Worker died" in message:
        return ModelNotLoaded(cause=message)
    return ProcessingError(cause=f"{status}: {message}")


def _message(body: bytes) -> str:
    try:
        answer: Any = json.loads(body)
        return str(answer.get("message", answer.get("status", "")))[:500]
    except (ValueError, AttributeError, RecursionError):
        return ""
