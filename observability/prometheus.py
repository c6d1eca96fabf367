"""Prometheus's configuration: what is scraped, how often, and who is told."""

from dataclasses import dataclass
from typing import Any

from observability.rules import INTERVAL_SECONDS, RULES_FILE

SCRAPE_SECONDS = 15
SERVICE_SCRAPE_SECONDS = 10
RETENTION = "31d"  # objectives look back thirty days
FLAGS = (
    f"--storage.tsdb.retention.time={RETENTION}",
    "--enable-feature=exemplar-storage",
    "--web.enable-lifecycle",
)


@dataclass(frozen=True)
class Targets:
    """HOST:PORT of what is scraped."""

    control_planes: tuple[str, ...] = ("127.0.0.1:8000",)
    prometheus: str = "127.0.0.1:9090"
    alertmanager: str = "127.0.0.1:9093"
    torchserves: tuple[str, ...] = ()
    """Those with an address of their own; none where they are behind sockets and the control plane passes on theirs."""
    control_planes_file: str | None = None
    """Pattern of files that list the control planes, instead: they may come and go."""
    edge: str | None = None
    """nginx in front of them, where there is one."""
    credentials_file: str | None = None
    """A key with the scope `read`, where the metrics have no port of their own and callers need credentials."""


COMPOSE = Targets(
    control_planes=("control-plane-1:9100",),
    prometheus="127.0.0.1:9090",
    alertmanager="alertmanager:9093",
    control_planes_file="/etc/prometheus-targets/*.json",
    edge="edge:9113",
)
"""In the Compose stack."""


def configuration(targets: Targets, factor: float = 1) -> dict[str, Any]:
    """The configuration; with a factor all is that much faster."""
    every = f"{max(1, round(SCRAPE_SECONDS / factor))}s"
    often = f"{max(1, round(SERVICE_SCRAPE_SECONDS / factor))}s"
    access = (
        {"authorization": {"type": "Bearer", "credentials_file": targets.credentials_file}}
        if targets.credentials_file
        else {}
    )
    found = (
        {"file_sd_configs": [{"files": [targets.control_planes_file], "refresh_interval": "30s"}]}
        if targets.control_planes_file
        else {"static_configs": [{"targets": list(targets.control_planes)}]}
    )
    torchserve = (
        {"static_configs": [{"targets": list(targets.torchserves)}]}
        if targets.torchserves
        else {
            "metrics_path": "/metrics/torchserve",
            "static_configs": [{"targets": list(targets.control_planes[:1])}],
            **access,
        }
    )
    return {
        "global": {
            "scrape_interval": every,
            "evaluation_interval": f"{max(1, round(INTERVAL_SECONDS / factor))}s",
            "external_labels": {"monitor": "weedwatch"},
        },
        "rule_files": [RULES_FILE],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [targets.alertmanager]}]}]},
        "scrape_configs": [
            {
                "job_name": "control_plane",
                "scrape_interval": often,
                **found,
                **access,
            },
            {"job_name": "torchserve", "scrape_interval": often, **torchserve},
            *([{"job_name": "edge", "static_configs": [{"targets": [targets.edge]}]}] if targets.edge else []),
            {"job_name": "prometheus", "static_configs": [{"targets": [targets.prometheus]}]},
            {"job_name": "alertmanager", "static_configs": [{"targets": [targets.alertmanager]}]},
        ],
    }
