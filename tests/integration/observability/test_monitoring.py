"""Prometheus and Alertmanager as they are: the generated rules load, and what fires reaches who shall be told."""

from pathlib import Path

from observability.alertmanager import Channels
from observability.generate import Setup
from observability.rules import RULES_FILE
from tests.monitoring import running_alertmanager, running_prometheus, running_sink, targets
from tests.proofs.stack import free_port
from tests.waiting import wait_until

SECONDS = 60.0


def test_an_alert_goes_the_whole_way_from_prometheus_to_a_webhook(tmp_path: Path) -> None:
    with running_sink() as sink:
        away = targets(f"127.0.0.1:{free_port()}")
        setup = Setup(targets=away, channels=Channels(webhook_url=sink.url), factor=30)
        with running_alertmanager(tmp_path, setup) as alertmanager, running_prometheus(tmp_path, setup) as prometheus:
            assert prometheus.ask("rules")["groups"]
            (tmp_path / "prometheus" / RULES_FILE).write_text(
                "groups: [{name: test, interval: 1s, rules: [{alert: Away, "
                "expr: 'up{job=\"control_plane\"} == 0', labels: {severity: critical}}]}]"
            )
            prometheus.reload()
            assert wait_until(lambda: "Away" in prometheus.firing(), SECONDS) is not None
            assert wait_until(lambda: sink.told("Away", "firing") is not None, SECONDS) is not None
            assert prometheus.targets()["control_plane"] == "down"
            assert prometheus.value("vector(3)") == 3
        assert prometheus.process is None
        assert alertmanager.process is None
