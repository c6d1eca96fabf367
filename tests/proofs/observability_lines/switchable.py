"""Two control planes in one process, one that counts and logs and one that does not: two processes differ by more.

`python -m tests.proofs.observability_lines.switchable PORT PORT`: the second one is started with WEEDWATCH_METRICS=off.
SIGUSR1 switches all logs of the process off, SIGUSR2 on again.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Iterator

import uvicorn

from control_plane import connections, logs
from control_plane.app import create_app
from control_plane.settings import Settings


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they are for both


def _server(settings: Settings) -> _Server:
    app = create_app(settings)
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            http=connections.protocol(app.state.metrics),
            ws="none",
        )
    )


async def _serve(servers: list[_Server]) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGUSR1, logging.disable, logging.CRITICAL)
    loop.add_signal_handler(signal.SIGUSR2, logging.disable, logging.NOTSET)
    await asyncio.gather(*(server.serve() for server in servers))


def main() -> None:
    usual = Settings()
    logs.configure(level=usual.log_level, folder=usual.log_dir)
    servers = [
        _server(usual.model_copy(update={"port": int(port), "replica": f"{usual.replica}-{state}", "metrics": state}))
        for port, state in zip(sys.argv[1:], ("on", "off"), strict=True)
    ]
    gc.collect()
    gc.freeze()
    asyncio.run(_serve(servers))


if __name__ == "__main__":
    main()
