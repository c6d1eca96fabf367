"""Looks at a deployed service from outside: `python3 -m deploy verify https://weeds.example.org`.

It is ready and of the wanted version, names a plant, speaks TLS as it should, and keeps closed what nobody outside
needs. Standard library only, since it runs where nothing is installed.
"""

from __future__ import annotations

import argparse
import http.client
import ipaddress
import json
import os
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from deploy.errors import CannotDeploy

SUMMARY = "look at a deployed service from outside"

CLOSED_PATHS = ("/metrics", "/metrics/torchserve", "/audit", "/keys")
CLOSED_ANSWERS = (401, 403, 404)
# Of everything in compose.yaml that is not for the outside; 80 and 443 are.
CLOSED_PORTS = (3000, 3002, 3100, 5432, 6379, 8000, 8080, 8081, 8082, 9090, 9093, 9100, 12345)
LEAST_DAYS = 7.0  # of the certificate
SECONDS = 30.0  # for one request
PORT_SECONDS = 3.0


class Unmet(Exception):
    """A check does not hold; the text says what was found."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> dict[str, object]:
        try:
            found = json.loads(self.body)
        except ValueError:
            raise Unmet(f"{self.status}, and no JSON") from None
        if not isinstance(found, dict):
            raise Unmet(f"{self.status}, and no JSON object")
        return found


@dataclass(frozen=True)
class Place:
    """Where the service is, and how it is spoken to."""

    url: SplitResult
    tls: ssl.SSLContext
    key: str = ""

    @property
    def host(self) -> str:
        return self.url.hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, where more may be open than to the outside."""
        try:
            return ipaddress.ip_address(socket.gethostbyname(self.host)).is_loopback
        except OSError:
            return False

    def ask(self, path: str, body: bytes | None = None, content_type: str = "") -> Answer:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        if content_type:
            headers["Content-Type"] = content_type
        return _ask(self._connection(), "GET" if body is None else "POST", path, body, headers)

    def _connection(self) -> http.client.HTTPConnection:
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(self.host, self.url.port, timeout=SECONDS, context=self.tls)
        return http.client.HTTPConnection(self.host, self.url.port, timeout=SECONDS)


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answer:
    try:
        connection.request(method, path, body, headers)
        got = connection.getresponse()
        return Answer(got.status, got.headers, got.read())
    except ssl.SSLCertVerificationError as problem:
        raise Unmet(f"its certificate is not trusted: {problem.verify_message}") from None
    except (OSError, http.client.HTTPException) as problem:
        raise Unmet(f"no answer: {problem or type(problem).__name__}") from None
    finally:
        connection.close()


def health(place: Place, wanted: str) -> str:
    said = place.ask("/health").json()
    if said.get("status") != "ok":
        raise Unmet(f"status {said.get('status')}")
    if wanted and said.get("version") != wanted:
        raise Unmet(f"version {said.get('version')} runs instead of {wanted}")
    return f"version {said.get('version')}"


def readiness(place: Place, seconds: float) -> str:
    """Asks again for so many seconds: what has just been replaced may still be on its way."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = place.ask("/health/ready")
            if answer.status == http.client.OK:
                return "reference pictures answer as pinned"
            reasons = answer.json().get("reasons")
            problem = f"{answer.status}: {' '.join(map(str, reasons)) if isinstance(reasons, list) else ''}"
        except Unmet as unmet:
            problem = str(unmet)
        if time.monotonic() >= deadline:
            raise Unmet(problem)
        time.sleep(1)


def prediction(place: Place, photo: Path | None) -> str:
    picture = photo.read_bytes() if photo else _example(place)
    answer = place.ask("/predict", picture, "image/jpeg")
    said = answer.json()
    if answer.status != http.client.OK:
        raise Unmet(f"{answer.status}: {said.get('detail')}")
    predictions = said.get("predictions")
    if not isinstance(predictions, list) or not predictions:
        raise Unmet("an answer without a name")
    if not said.get("request_id") or answer.headers["X-Request-ID"] != said["request_id"]:
        raise Unmet("its request id is not the one in the header")
    return f"{predictions[0]['label']}, {predictions[0]['confidence']:.0%}, request {said['request_id']}"


def _example(place: Place) -> bytes:
    answer = place.ask("/info/example")
    if answer.status == http.client.UNAUTHORIZED:
        raise Unmet("it wants a credential: name a file with a key in WEEDWATCH_API_KEY_FILE")
    if answer.status != http.client.OK:
        raise Unmet(f"{answer.status} instead of a picture to try it with")
    return answer.body


def is_closed(place: Place, path: str) -> str:
    """Asked without a credential, as anybody would."""
    status = Place(place.url, place.tls).ask(path).status
    if status not in CLOSED_ANSWERS:
        raise Unmet(f"answered {status}; must be one of {', '.join(map(str, CLOSED_ANSWERS))}")
    return f"answered {status}"


def encryption(place: Place) -> str:
    """What its answers say of TLS, and until when its certificate holds."""
    policy = place.ask("/health").headers["Strict-Transport-Security"] or ""
    if "max-age=" not in policy:
        raise Unmet("no Strict-Transport-Security")
    if place.tls.verify_mode == ssl.CERT_NONE:
        return "HSTS; certificate not looked at"
    plain = socket.create_connection((place.host, place.url.port or 443), SECONDS)
    with place.tls.wrap_socket(plain, server_hostname=place.host) as secure:
        ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {}).get("notAfter")))
        version = secure.version()
    days = (ends - time.time()) / 86400
    if days < LEAST_DAYS:
        raise Unmet(f"the certificate ends in {days:.1f} days")
    return f"{version}, HSTS, certificate for {days:.0f} days more"


def old_protocols(place: Place) -> str:
    """TLS 1.1 and older must be refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():  # that these are old is the point
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    try:
        plain = socket.create_connection((place.host, place.url.port or 443), SECONDS)
        context.wrap_socket(plain, server_hostname=place.host).close()
    except OSError:
        return "refused"
    raise Unmet("taken")


def redirection(place: Place, port: int) -> str:
    connection = http.client.HTTPConnection(place.host, port, timeout=SECONDS)
    answer = _ask(connection, "GET", "/health", None, {})
    target = answer.headers["Location"] or ""
    if answer.status not in (301, 302, 307, 308) or not target.startswith("https://"):
        raise Unmet(f"port {port} answered {answer.status} {target}")
    return f"{answer.status} to {target}"


def ports(place: Place) -> str:
    with ThreadPoolExecutor(len(CLOSED_PORTS)) as pool:
        found = [port for port in pool.map(_open_at(place.host), CLOSED_PORTS) if port not in (None, place.url.port)]
    if found:
        raise Unmet(f"open: {', '.join(map(str, found))}")
    return f"{len(CLOSED_PORTS)} tried"


def _open_at(host: str) -> Callable[[int], int | None]:
    def opens(port: int) -> int | None:
        try:
            socket.create_connection((host, port), PORT_SECONDS).close()
        except OSError:
            return None
        return port

    return opens


def checks(place: Place, options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "ready", lambda: readiness(place, options.wait)
    yield "health", lambda: health(place, options.version.removeprefix("v"))
    yield "a prediction", lambda: prediction(place, options.photo)
    for path in CLOSED_PATHS:
        yield f"{path} is closed", lambda path=path: is_closed(place, path)  # type: ignore[misc]
    if place.url.scheme == "https":
        yield "TLS", lambda: encryption(place)
        yield "TLS 1.1 and older", lambda: old_protocols(place)
        yield "plain HTTP leads to HTTPS", lambda: redirection(place, options.http_port)
    if not place.is_local:
        yield "ports that are not for the outside", lambda: ports(place)


def verify(place: Place, options: argparse.Namespace) -> int:
    """Print a line for each check; 1 when one does not hold."""
    failed = 0
    for name, check in checks(place, options):
        try:
            print(f"ok    {name}: {check()}", flush=True)
        except Unmet as unmet:
            failed += 1
            print(f"FAIL  {name}: {unmet}", flush=True)
    print(f"{failed} checks do not hold." if failed else "All of it holds.")
    return 1 if failed else 0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="https://NAME, as its users know it")
    parser.add_argument("--version", default="", help="the version that must run, such as 0.2.0 or v0.2.0")
    parser.add_argument("--wait", type=float, default=60, metavar="SECONDS", help="until it must be ready (60)")
    parser.add_argument("--photo", type=Path, help="a JPEG to ask about; otherwise the model's own example")
    parser.add_argument("--http-port", type=int, default=80, help="the port of plain HTTP (80)")
    parser.add_argument("--ca", type=Path, help="trust this certificate, such as the self-signed one")
    parser.add_argument("--insecure", action="store_true", help="do not look at the certificate")


def run(options: argparse.Namespace) -> int:
    url = urlsplit(options.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise CannotDeploy(f"{options.url!r} is no address of a service. Write https://NAME.")
    try:
        tls = ssl.create_default_context(cafile=options.ca)
        place = Place(url, tls, credential())
    except OSError as problem:
        raise CannotDeploy(f"A file cannot be read: {problem}.") from None
    if options.insecure:
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return verify(place, options)


def credential() -> str:
    """From a file or the environment, as the other commands take it; never from the command line."""
    file = os.environ.get("WEEDWATCH_API_KEY_FILE")
    return (Path(file).read_text() if file else os.environ.get("WEEDWATCH_API_KEY", "")).strip()
