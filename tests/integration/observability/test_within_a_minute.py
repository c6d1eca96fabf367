"""As in earnest: nothing is made faster here."""

import time
from pathlib import Path

import prometheus_client

from control_plane.metrics import Metrics
from observability.channels import Channels
from observability.generate import Setup
from tests.monitoring import running_alertmanager, running_prometheus, running_sink, targets
from tests.waiting import wait_until

SECONDS = 120.0


def test_people_know_within_a_minute_that_the_database_is_away(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.database_up.set(1)
    server, thread = prometheus_client.start_http_server(0, "127.0.0.1", metrics.registry)
    try:
        with running_sink() as sink:
            watched = targets(f"127.0.0.1:{server.server_address[1]}")
            setup = Setup(targets=watched, channels=Channels(webhook_url=sink.url))
            with running_alertmanager(tmp_path, setup), running_prometheus(tmp_path, setup) as prometheus:
                assert wait_until(lambda: prometheus.value("weedwatch_database_up") == 1, SECONDS) is not None
                metrics.database_up.set(0)
                began = time.monotonic()
                assert wait_until(lambda: sink.told("DatabaseDown", "firing") is not None, SECONDS) is not None
                took = time.monotonic() - began
        said = sink.told("DatabaseDown", "firing")
        assert said is not None
        assert said["annotations"]["runbook_url"].endswith("/#/runbooks/DatabaseDown")
        assert took < 60, f"{took:.0f} s"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
