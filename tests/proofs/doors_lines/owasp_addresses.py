"""Item 7: whatever address the service is given, it connects to none that the operator did not allow."""

import asyncio
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from control_plane.access.provider import Provider
from tests.issuer.site import site
from tests.proofs.doors_lines.owasp_ground import Ground, Trap
from tests.proofs.results import Figure, at_least, none_of
from tests.proofs.stack import free_port, run_description

ALLOWED_PORT = free_port()
ALLOWED = f"http://127.0.0.1:{ALLOWED_PORT}/models"
LOOPBACK = (
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0",
    "0.0.0.0", "127.127.127.127", "[::]", "localhost.", "①②⑦.0.0.1",  # noqa: S104
)  # fmt: skip
METADATA = (
    "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/", "http://2852039166/latest/",
    "http://metadata.google.internal/computeMetadata/v1/", "http://100.100.100.200/latest/meta-data/",
    "http://169.254.169.254.nip.io/", "http://192.0.0.192/opc/v2/",
)  # fmt: skip
REDIRECTS = (301, 302, 303, 307, 308)
SECONDS = 60.0


def run(ground: Ground, snare: Trap) -> list[Figure]:
    urls = list(_urls(ground, snare.port))
    faults = []
    for number, url in enumerate(urls):
        body = {"version": f"a{number}", "url": url}
        reply = ground.ask("POST", "/models/plants/versions", ground.admin, data=body)
        if reply.status != 422:
            faults.append(f"{url}: {reply.status}")
    with _allowed(snare.port) as asked:
        ended = list(_redirected(ground))
    provider, keys = asyncio.run(_of_a_provider(urls))
    lines = _postgres_lines(ground)
    return [
        at_least("addresses", len(urls), 60),
        none_of("addresses that the model's URL may hold", faults, len(urls), ground.context.say),
        none_of("redirects of an allowed server that were followed", ended, len(REDIRECTS), ground.context.say),
        at_least("times that the allowed server was asked", len(asked), len(REDIRECTS)),
        none_of("addresses in a provider's description that gave keys", keys, len(provider), ground.context.say),
        none_of("connections at the trap", [str(each) for each in snare.caught], len(urls), ground.context.say),
        none_of("connections at PostgreSQL that were no session", lines, len(urls), ground.context.say),
    ]


def _urls(ground: Ground, port: int) -> Iterator[str]:
    postgres, public = ground.postgres.port, ground.place.stack.port
    sockets = run_description(ground.place.stack)["torchserve"]
    for host in LOOPBACK:
        yield f"http://{host}:{port}/models/a.mar"
        yield f"https://{host}:{port}/a.mar"
    yield from METADATA
    yield from (f"http://127.0.0.1:{each}/a.mar" for each in (postgres, public, 8080, 8081, 8082, 5432))
    yield from (
        f"gopher://127.0.0.1:{port}/_GET", f"ftp://127.0.0.1:{port}/a.mar", f"dict://127.0.0.1:{port}/a",
        f"tftp://127.0.0.1:{port}/a", f"ldap://127.0.0.1:{port}/a", f"sftp://127.0.0.1:{port}/a.mar",
        f"smb://127.0.0.1:{port}/a/b.mar", f"webhdfs://127.0.0.1:{port}/a", f"ws://127.0.0.1:{port}/a",
        f"s3://127.0.0.1:{port}/a.mar", f"github://a@127.0.0.1:{port}/a.mar", f"hdfs://127.0.0.1:{port}/a",
        "file:///etc/passwd", "file://localhost/etc/passwd", f"file://{ground.place.stack.state}/admin-token",
        "local:///etc/passwd", "memory://a.mar", "data:,a", "/etc/passwd", "jar:file:///etc!/passwd",
        f"{sockets['management'].replace('unix:', 'http+unix:')}/models", str(sockets["management"]),
        f"simplecache::http://127.0.0.1:{port}/a", f"filecache::{ALLOWED}/a.mar", f"zip://a::http://127.0.0.1:{port}/a",
        f"reference::http://127.0.0.1:{port}/a", f"{ALLOWED}@127.0.0.1:{port}/a.mar", f"{ALLOWED}/../a.mar",
        f"{ALLOWED}/%2e%2e/a.mar", f"{ALLOWED}.evil/a.mar", f"http://127.0.0.1:{ALLOWED_PORT}@127.0.0.1:{port}/models/a",
        f"http://127.0.0.1:{ALLOWED_PORT}" f"\\@127.0.0.1:{port}/models/a", f"{ALLOWED}/a?u=http://127.0.0.1:{port}/",
        f"{ALLOWED}/a#http://127.0.0.1:{port}/", f"HTTP://127.0.0.1:{port}/models/a", f"//127.0.0.1:{port}/models/a",
        f"http://localtest.me:{port}/models/a", f"http://127.0.0.1.nip.io:{port}/a", f"http:127.0.0.1:{port}/a",
        f"{ALLOWED}/a\r\nHost: 127.0.0.1:{port}", f" http://127.0.0.1:{port}/a", f"{ALLOWED}/a\0.mar",
    )  # fmt: skip


class _Redirecting(http.server.BaseHTTPRequestHandler):
    """`/models/302.mar` is answered with that status and the trap's address."""

    def __init__(self, *given: Any, trap: int, asked: list[str]) -> None:
        self.trap, self.asked = trap, asked
        super().__init__(*given)

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(int(self.path[-7:-4]))
        self.send_header("Location", f"http://127.0.0.1:{self.trap}/a.mar")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _allowed(trap: int) -> Iterator[list[str]]:
    asked: list[str] = []
    handler = partial(_Redirecting, trap=trap, asked=asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", ALLOWED_PORT), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield asked
        finally:
            server.shutdown()
            thread.join(SECONDS)


def _redirected(ground: Ground) -> Iterator[str]:
    for status in REDIRECTS:
        body = {"version": f"redirected-{status}", "url": f"{ALLOWED}/{status}.mar"}
        reply = ground.ask("POST", "/models/plants/versions", ground.admin, data=body)
        if reply.status != 202:
            yield f"{status}: {reply.status} {reply.text[:200]}"
            continue
        deadline, state = time.monotonic() + SECONDS, "uploaded"
        while state in ("uploaded", "checking") and time.monotonic() < deadline:
            time.sleep(0.1)
            versions = ground.ask("GET", "/models/plants", ground.admin).json()["versions"]
            state = next((each["state"] for each in versions if each["version"] == body["version"]), "gone")
        if state != "refused":
            yield f"{status}: it is {state}"


async def _of_a_provider(urls: list[str]) -> tuple[list[str], list[str]]:
    """A provider whose description sends us elsewhere for its keys; and one that is given as such an address."""
    asked, gave = [], []
    async with site() as where:
        for url in urls:
            where.described = {"jwks_uri": url}
            provider = Provider(where.url, ("RS256",))
            asked.append(url)
            if await provider.key("key-RS256", "RS256") is not None:
                gave.append(url)
    return asked, gave


def _postgres_lines(ground: Ground) -> list[str]:
    """What PostgreSQL says when somebody connects who does not speak its language."""
    said = ground.postgres.log.read_text(errors="replace") if ground.postgres.log.is_file() else ""
    return [line for line in said.splitlines() if "startup packet" in line or "unsupported frontend" in line]
