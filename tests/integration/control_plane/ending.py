"""The small service in a process of its own, which a test can end: `python -m …ending PORT`."""

import sys

import uvicorn

from control_plane.draining import Ending
from control_plane.web import connections
from control_plane.web.connections import Patience
from control_plane.web.serving import Server
from tests.integration.control_plane.serving import Service


def main(port: int) -> None:
    service = Service()
    service.go.set()
    ending = Ending()
    config = uvicorn.Config(
        service.app(), port=port, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False,
        http=connections.protocol(service.metrics, Patience(), ending), timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
    )  # fmt: skip
    Server(config, is_ready=lambda: True, patience_seconds=0, ending=ending).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
