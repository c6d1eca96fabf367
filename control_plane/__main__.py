"""Settings, logging, uvicorn: `python -m control_plane`."""

import contextlib
import gc
import logging
import resource
import sys

import uvicorn
from pydantic import ValidationError

from control_plane.app import create_app
from control_plane.secret_files import WrongSecretFile
from control_plane.settings import Settings
from control_plane.telemetry import logs
from control_plane.web import connections
from control_plane.web.serving import Server

KEEP_ALIVE_SECONDS = 15  # a connection without a request
STARTUP_FAILED = 3  # uvicorn's own
GRACEFUL_SECONDS = 15  # for requests under way at SIGTERM; a little over the default deadline


def main() -> int:
    # No core files, which would hold secrets and people's photos; one byte, not none, stops those to a program too.
    resource.setrlimit(resource.RLIMIT_CORE, (min(1, resource.getrlimit(resource.RLIMIT_CORE)[1]),) * 2)
    try:
        settings = Settings()
    except ValidationError as error:
        for each in error.errors():
            print(f"The setting {_variable(each['loc'])} is wrong: {each['msg']}.", file=sys.stderr)
        return 2
    except WrongSecretFile as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(level=settings.log_level, folder=settings.log_dir)
    try:
        app = create_app(settings)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logging.getLogger(__name__).info("starting", extra={"host": settings.host, "port": settings.port})
    gc.collect()
    gc.freeze()  # what was imported stays: collections need not look at it again
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn's own default believes every process of this machine; see trusted_proxies
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        http=connections.protocol(app.state.metrics, ending=app.state.ending),
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = Server(
        config,
        is_ready=lambda: app.state.parts.readiness.is_ready,
        patience_seconds=settings.ready_first_seconds,
        ending=app.state.ending,
    )
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else STARTUP_FAILED


def _variable(location: tuple[int | str, ...]) -> str:
    name = str(location[0])
    return name if name.isupper() else f"WEEDWATCH_{name.upper()}"


if __name__ == "__main__":
    sys.exit(main())
