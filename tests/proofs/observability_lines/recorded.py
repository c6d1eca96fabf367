"""Series that nobody can be made to tell: they are told by a stand-in which Prometheus scrapes beside the service."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Recorded:
    """What it tells: series → value."""

    target: str
    series: dict[str, float] = field(default_factory=dict)
    answers: bool = True

    @contextmanager
    def telling(self, series: Mapping[str, float]) -> Iterator[None]:
        """Tell these meanwhile."""
        self.series = dict(series)
        try:
            yield
        finally:
            self.series = {}

    @contextmanager
    def away(self) -> Iterator[None]:
        """Tell nothing meanwhile, as what is down."""
        self.answers = False
        try:
            yield
        finally:
            self.answers = True


@contextmanager
def recording() -> Iterator[Recorded]:
    """Listens on loopback until the block is left."""
    recorded: Recorded

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(f"{name} {value}\n" for name, value in recorded.series.items()).encode()
            self.send_response(200 if recorded.answers else 503)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        recorded = Recorded(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield recorded
        finally:
            server.shutdown()
            thread.join(10)
