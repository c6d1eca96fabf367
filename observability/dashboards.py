"""Topics as Grafana's dashboards (classic schema: files of the newer one are not taken by its provisioning)."""

import warnings
import zlib
from dataclasses import dataclass

with warnings.catch_warnings():
    # Every builder says that the newer schema is to be preferred.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import dashboard

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from observability.parts import Panel
from observability.topics import TOPICS


@dataclass(frozen=True)
class Dashboard:
    key: str
    title: str
    description: str


DASHBOARDS = (
    Dashboard("service", "Service and objectives", "What broke, since when, in which version."),
    Dashboard("quality", "Model quality and rollouts", "What the versions answer, how sure they are, how they differ."),
    Dashboard("logs", "Logs", "What every part of the service wrote."),
    Dashboard("infrastructure", "Infrastructure", "Machine, database, TorchServe, and the monitoring itself."),
)


def number_of(panel: Panel) -> int:
    """Its id on the dashboard: stable, so that links and annotations keep pointing at it."""
    return zlib.crc32(panel.key.encode()) % 1_000_000 + 1


def place_of(key: str) -> tuple[str, int]:
    """Dashboard and id of the panel with this key."""
    for topic in TOPICS:
        for row in topic.rows:
            for panel in row.panels:
                if panel.key == key:
                    return row.dashboard, number_of(panel)
    raise LookupError(f"There is no panel {key!r}.")


def encoded(each: Dashboard) -> str:
    """The dashboard as JSON."""
    built = dashboard.Dashboard(each.title).uid(f"weedwatch-{each.key}").description(each.description).build()
    return JSONEncoder(indent=2, sort_keys=True).encode(built) + "\n"
