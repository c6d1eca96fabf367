"""The client for asyncio: the methods of `Client`, awaited."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import wraps
from time import monotonic
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

import httpx2

from weedwatch import calls, exchange
from weedwatch.calls import Call, Filters, Options, Picture
from weedwatch.errors import Refused, Unreachable
from weedwatch.exchange import EVENT_SECONDS, LOOK_SECONDS, WATCH_SECONDS, Limits, Outcome, not_checked, unfinished
from weedwatch.progress import Listener, Pace
from weedwatch.settings import Settings, load
from weedwatch.types import Operation, Prediction, Verification, Version

P = ParamSpec("P")
T = TypeVar("T")


def _sent(make: Callable[P, Call[T]]) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    @wraps(make)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(make(*args, **kwargs))

    return method


class AsyncClient:
    """One service: `async with AsyncClient() as weeds: answer = await weeds.predict("leaf.jpg")`.

    Made with what `Client` is made with.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        token: str | None = None,
        timeout_seconds: float | None = None,
        limits: Limits | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or load(url=url)
        self.url = self.settings.url.value.rstrip("/")
        self._credentials, self._limits = exchange.Credentials(self.settings, key, token), limits or Limits()
        self._http = httpx2.AsyncClient(base_url=self.url, timeout=timeout_seconds or self.settings.seconds)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    predict = _sent(calls.predict)
    ready = _sent(calls.ready)
    health = _sent(calls.health)
    info = _sent(calls.info)
    models = _sent(calls.models)
    model = _sent(calls.model)
    add_version = _sent(calls.add_version)
    remove_version = _sent(calls.remove_version)
    set_workers = _sent(calls.set_workers)
    evaluate = _sent(calls.evaluate)
    evidence = _sent(calls.evidence)
    roll_out = _sent(calls.roll_out)
    promote = _sent(calls.promote)
    roll_back = _sent(calls.roll_back)
    operation = _sent(calls.operation)
    cancel = _sent(calls.cancel)
    history = _sent(calls.history)
    sighting = _sent(calls.sighting)
    erase = _sent(calls.erase)
    erase_subject = _sent(calls.erase_subject)
    certificate = _sent(calls.certificate)
    audit = _sent(calls.audit)
    verification = _sent(calls.verification)
    api = _sent(calls.api)
    access = _sent(calls.access)
    keys = _sent(calls.keys)
    make_key = _sent(calls.make_key)
    rotate_key = _sent(calls.rotate_key)
    revoke_key = _sent(calls.revoke_key)

    async def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        at_once: int = 4,
        progress: Listener | None = None,
        **options: Unpack[Options],
    ) -> AsyncIterator[Outcome]:
        """One outcome for each, in their order; a photo that is refused does not stop the others.

        Raises:
            Unreachable: The service does not answer.
        """
        many = deque(pictures)
        pace, done = Pace("predicting", len(many), "photos"), 0
        asked: deque[asyncio.Task[Outcome]] = deque()
        try:
            while many or asked:
                while many and len(asked) < at_once:
                    asked.append(asyncio.create_task(self._outcome(many.popleft(), options)))
                yield await asked.popleft()
                done += 1
                if progress:
                    progress(pace.at(done))
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def sightings(self, **filters: Unpack[Filters]) -> AsyncIterator[Prediction]:
        """Every record, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = await self.history(limit=200, cursor=cursor, **filters)
            for each in page.items:
                yield each
            cursor = page.next_cursor
            if cursor is None:
                return

    async def export(self, **filters: Unpack[Filters]) -> AsyncIterator[bytes]:
        """All records as one table (CSV), in pieces as they come."""
        async with self._stream("/history", params=calls.export(filters)) as table:
            async for piece in table.aiter_bytes():
                yield piece

    async def verify_audit(self, *, progress: Listener | None = None) -> Verification:
        """Whether the whole audit holds; asked in parts, so that its length does not matter."""
        rows, cursor, pace = 0, None, None
        while True:
            part = await self.verification(limit=calls.AUDIT_ROWS, cursor=cursor)
            rows, cursor = rows + part.rows, part.next_cursor
            if cursor is None:
                return part.model_copy(update={"rows": rows})
            pace = pace or Pace("verifying", part.total, "rows")
            if progress:
                progress(pace.at(rows))

    async def watch(self, operation: Operation, *, timeout_seconds: float = WATCH_SECONDS) -> AsyncIterator[Operation]:
        """The change each time that it is further, until it has ended.

        Raises:
            Unfinished: It has not ended in time; it goes on.
        """
        until, heard, told = monotonic() + timeout_seconds, monotonic(), None
        while True:
            try:
                async with self._stream(calls.events(operation), timeout=EVENT_SECONDS) as events:
                    async for line in events.aiter_lines():
                        heard = monotonic()
                        if (step := exchange.event(line)) and step != told:
                            yield step
                            told = step
                        if told and told.state != "running":
                            return
                        if heard > until:
                            raise unfinished(operation, timeout_seconds)
            except (Refused, Unreachable) as error:  # a restart of the service does not end a change
                if not exchange.may_pass(error) or monotonic() - heard > self._limits.seconds:
                    raise
            if monotonic() > until:
                raise unfinished(operation, timeout_seconds)
            await asyncio.sleep(LOOK_SECONDS)

    async def watch_version(
        self, model: str, version: str, *, timeout_seconds: float = WATCH_SECONDS
    ) -> AsyncIterator[Version]:
        """An uploaded version each time that its check is further, until it has ended.

        Raises:
            Unfinished: It has not been checked in time.
        """
        until, told = monotonic() + timeout_seconds, None
        while True:
            found = calls.version_of(await self.model(model), version)
            if (found.state, found.reason) != told:
                yield found
                told = found.state, found.reason
            if found.is_checked:
                return
            if monotonic() > until:
                raise not_checked(found, timeout_seconds)
            await asyncio.sleep(LOOK_SECONDS)

    async def send(self, call: Call[T]) -> T:
        """Send a request, again where the service says that it may succeed later."""
        tries = exchange.Tries(call, self._limits)
        while True:
            try:
                return await self._send_once(call)
            except (Refused, Unreachable) as error:
                pause = tries.pause(error)
            await asyncio.sleep(pause)

    async def _send_once(self, call: Call[T]) -> T:
        with exchange.arguments(call, self._credentials) as given:
            try:
                answer = await self._http.request(call.method, call.path, **given)
            except httpx2.TransportError as error:
                raise exchange.unreachable(self.settings.url, error) from error
        return exchange.answered(call, answer, self.settings.url)

    async def _outcome(self, picture: Picture, options: Options) -> Outcome:
        try:
            return Outcome(picture, answer=await self.predict(picture, **options))
        except (Refused, OSError) as error:
            return Outcome(picture, error=error)

    @asynccontextmanager
    async def _stream(self, path: str, **what: Any) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._http.stream("GET", path, headers=self._credentials.header(admin=False), **what) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                    raise exchange.refusal(answer)
                yield answer
        except httpx2.TransportError as error:
            raise exchange.unreachable(self.settings.url, error) from error
