"""The typed client: the public HTTP API and nothing else. `AsyncClient` has the same methods."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import wraps
from time import monotonic, sleep
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


def _sent(make: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    @wraps(make)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(make(*args, **kwargs))

    return method


class Client:
    """One service: `with Client() as weeds: answer = weeds.predict("leaf.jpg")`.

    Args:
        url: Its address. When it is not given: WEEDWATCH_URL, ./weedwatch.toml, the user's file, localhost.
        key: An API key; when it is not given: WEEDWATCH_API_KEY, else the file that the settings name.
        token: The admin token, for what needs the scope admin; when neither it nor a key is given, it is read from the
            file that the settings name.
        timeout_seconds: Of one request, while nothing moves.
        limits: How often and how long a request is sent again when the service says "come back later".
        settings: Read already.
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
        self._http = httpx2.Client(base_url=self.url, timeout=timeout_seconds or self.settings.seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

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

    def predict_many(
        self,
        pictures: Iterable[Picture],
        *,
        at_once: int = 4,
        progress: Listener | None = None,
        **options: Unpack[Options],
    ) -> Iterator[Outcome]:
        """One outcome for each, in their order; a photo that is refused does not stop the others.

        Raises:
            Unreachable: The service does not answer.
        """
        many = deque(pictures)
        pace, done = Pace("predicting", len(many), "photos"), 0
        asked: deque[Future[Outcome]] = deque()
        threads = ThreadPoolExecutor(at_once)
        try:
            while many or asked:
                while many and len(asked) < at_once:
                    asked.append(threads.submit(self._outcome, many.popleft(), options))
                yield asked.popleft().result()
                done += 1
                if progress:
                    progress(pace.at(done))
        finally:  # an interrupt waits for nothing
            threads.shutdown(wait=False, cancel_futures=True)

    def sightings(self, **filters: Unpack[Filters]) -> Iterator[Prediction]:
        """Every record, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.history(limit=200, cursor=cursor, **filters)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def export(self, **filters: Unpack[Filters]) -> Iterator[bytes]:
        """All records as one table (CSV), in pieces as they come."""
        with self._stream("/history", params=calls.export(filters)) as table:
            yield from table.iter_bytes()

    def verify_audit(self, *, progress: Listener | None = None) -> Verification:
        """Whether the whole audit holds; asked in parts, so that its length does not matter."""
        rows, cursor, pace = 0, None, None
        while True:
            part = self.verification(limit=calls.AUDIT_ROWS, cursor=cursor)
            rows, cursor = rows + part.rows, part.next_cursor
            if cursor is None:
                return part.model_copy(update={"rows": rows})
            pace = pace or Pace("verifying", part.total, "rows")
            if progress:
                progress(pace.at(rows))

    def watch(self, operation: Operation, *, timeout_seconds: float = WATCH_SECONDS) -> Iterator[Operation]:
        """The change each time that it is further, until it has ended.

        Raises:
            Unfinished: It has not ended in time; it goes on.
        """
        until, heard, told = monotonic() + timeout_seconds, monotonic(), None
        while True:
            try:
                with self._stream(calls.events(operation), timeout=EVENT_SECONDS) as events:
                    for line in events.iter_lines():
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
            sleep(LOOK_SECONDS)

    def watch_version(self, model: str, version: str, *, timeout_seconds: float = WATCH_SECONDS) -> Iterator[Version]:
        """An uploaded version each time that its check is further, until it has ended.

        Raises:
            Unfinished: It has not been checked in time.
        """
        until, told = monotonic() + timeout_seconds, None
        while True:
            found = calls.version_of(self.model(model), version)
            if (found.state, found.reason) != told:
                yield found
                told = found.state, found.reason
            if found.is_checked:
                return
            if monotonic() > until:
                raise not_checked(found, timeout_seconds)
            sleep(LOOK_SECONDS)

    def send(self, call: Call[T]) -> T:
        """Send a request, again where the service says that it may succeed later."""
        tries = exchange.Tries(call, self._limits)
        while True:
            try:
                return self._send_once(call)
            except (Refused, Unreachable) as error:
                pause = tries.pause(error)
            sleep(pause)

    def _send_once(self, call: Call[T]) -> T:
        with exchange.arguments(call, self._credentials) as given:
            try:
                answer = self._http.request(call.method, call.path, **given)
            except httpx2.TransportError as error:
                raise exchange.unreachable(self.settings.url, error) from error
        return exchange.answered(call, answer, self.settings.url)

    def _outcome(self, picture: Picture, options: Options) -> Outcome:
        try:
            return Outcome(picture, answer=self.predict(picture, **options))
        except (Refused, OSError) as error:
            return Outcome(picture, error=error)

    @contextmanager
    def _stream(self, path: str, **what: Any) -> Iterator[httpx2.Response]:
        try:
            with self._http.stream("GET", path, headers=self._credentials.header(admin=False), **what) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise exchange.refusal(answer)
                yield answer
        except httpx2.TransportError as error:
            raise exchange.unreachable(self.settings.url, error) from error
