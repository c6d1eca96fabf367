"""The typed client: the public HTTP API and nothing else."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from weedwatch.errors import Refused, Unreachable
from weedwatch.types import Model, Operation, Prediction

DEFAULT_URL = "http://localhost:8000"
URL_VARIABLE = "WEEDWATCH_URL"
TOKEN_VARIABLE = "WEEDWATCH_TOKEN_FILE"  # noqa: S105 - the name of a file, no secret
DEFAULT_TOKEN_FILE = Path(".weedwatch/admin-token")


class Client:
    """One service: `with Client() as weeds: answer = weeds.predict("leaf.jpg")`.

    `url` comes from WEEDWATCH_URL when it is not given, `token` (for changes of models) from the file that
    WEEDWATCH_TOKEN_FILE names, or from the one that `make run` leaves.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, timeout_seconds: float = 60.0) -> None:
        self.url = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).rstrip("/")
        self._from = "as asked for" if url else URL_VARIABLE if os.environ.get(URL_VARIABLE) else "the default"
        self._token = token
        self._http = httpx2.Client(base_url=self.url, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def predict(self, picture: str | Path | bytes, *, key: str | None = None, **options: Any) -> Prediction:
        """What is on a photo; it is recorded when this returns.

        Args:
            picture: A file or its bytes.
            key: The Idempotency-Key; one is made when there is none, so that a second try makes no second record.
            options: `top_k`, `model`, `version`, `consent`, `latitude`, `longitude`, `subject`.
        """
        data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
        headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key or str(uuid.uuid4())}
        asked = {name: value for name, value in options.items() if value is not None}
        return Prediction.model_validate(self._call("POST", "/predict", content=data, headers=headers, params=asked))

    def ready(self) -> tuple[bool, list[str]]:
        """Whether the service is able to serve, and why not."""
        answer = self._send("GET", "/health/ready")
        try:
            body = answer.json()
            return bool(body["ready"]), [str(reason) for reason in body["reasons"]]
        except (ValueError, KeyError, TypeError):
            raise _refusal(answer) from None

    def models(self) -> list[Model]:
        return [Model.model_validate(each) for each in self._call("GET", "/models")["items"]]

    def model(self, name: str) -> Model:
        return Model.model_validate(self._call("GET", f"/models/{name}"))

    def add_version(self, model: str, version: str) -> None:
        """Make a version known whose archive lies in the service's model store."""
        self._call("POST", f"/models/{model}/versions", json={"version": version}, headers=self._admin())

    def remove_version(self, model: str, version: str) -> None:
        self._call("DELETE", f"/models/{model}/versions/{version}", headers=self._admin())

    def roll_out(
        self, model: str, stable: str, *, canary: str | None = None, percent: float = 0.0, revision: int
    ) -> Operation:
        """Say who shall answer; `revision` is that of the rollout that was read."""
        wanted = {"stable": stable, "canary": canary, "canary_percent": percent}
        headers = {**self._admin(), "If-Match": f'"{revision}"'}
        return Operation.model_validate(self._call("PUT", f"/models/{model}/rollout", json=wanted, headers=headers))

    def roll_back(self, model: str, *, revision: int) -> Operation:
        headers = {**self._admin(), "If-Match": f'"{revision}"'}
        return Operation.model_validate(self._call("POST", f"/models/{model}/rollback", headers=headers))

    def cancel(self, operation: Operation) -> Operation:
        path = f"/models/{operation.model}/operations/{operation.id}"
        return Operation.model_validate(self._call("DELETE", path, headers=self._admin()))

    def watch(self, operation: Operation) -> Iterator[Operation]:
        """The change each time that it is further, until it has ended."""
        path = f"/models/{operation.model}/operations/{operation.id}/events"
        try:
            with self._http.stream("GET", path) as events:
                if events.status_code >= 400:
                    events.read()
                    raise _refusal(events)
                for line in events.iter_lines():
                    if line.startswith("data:"):
                        yield Operation.model_validate_json(line.removeprefix("data:"))
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _admin(self) -> dict[str, str]:
        token = self._token
        if token is None:
            file = Path(os.environ.get(TOKEN_VARIABLE) or DEFAULT_TOKEN_FILE)
            token = file.read_text().strip() if file.is_file() else ""
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _call(self, method: str, path: str, **what: Any) -> Any:
        answer = self._send(method, path, **what)
        if answer.status_code >= 400:
            raise _refusal(answer)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise Unreachable(f"What answers at {self.url} ({self._from}) is not Weedwatch.") from None

    def _send(self, method: str, path: str, **what: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, **what)
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"Weedwatch does not answer at {self.url} ({self._from}): {error or type(error).__name__}. "
            f"Is it running? Start it with `make run`, or name another address in {URL_VARIABLE}."
        )


def _refusal(answer: httpx2.Response) -> Refused:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    wait = answer.headers.get("retry-after", "")
    return Refused(
        answer.status_code,
        problem if isinstance(problem, dict) else {},
        float(wait) if wait.replace(".", "", 1).isdigit() else None,
    )
