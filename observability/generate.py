"""All generated files, by their path below the folder that they are written to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from observability import (
    alert_page,
    alertmanager,
    alloy,
    dashboards,
    kubernetes,
    loki,
    page,
    prometheus,
    provisioning,
    reader,
    reference,
    rules,
    runbooks,
)
from observability.channels import Channels
from observability.places import Places
from observability.prometheus import Targets

GENERATED = Path(__file__).parent / "generated"
ROOT = GENERATED.parents[1]
_PROVISIONING = "grafana/provisioning"
_NOTE = "# Made by `python -m observability write`; change the topics, not this file.\n"


@dataclass(frozen=True)
class Setup:
    """What the files depend on beside the topics. `factor`: how much faster than in earnest a proof wants them."""

    places: Places = field(default_factory=Places)
    targets: Targets = field(default_factory=Targets)
    channels: Channels = field(default_factory=Channels)
    sources: provisioning.Sources = field(default_factory=provisioning.Sources)
    keeping: loki.Keeping = field(default_factory=loki.Keeping)
    shipping: alloy.Shipping = field(default_factory=alloy.Shipping)
    factor: float = 1
    windows: float | None = None
    """Another factor for the windows of rules; the same when None."""


def files(setup: Setup) -> dict[str, str]:
    """Path → text, of everything."""
    return {
        **monitoring(setup),
        "prometheus/compose.yml": _yaml(prometheus.configuration(prometheus.COMPOSE, setup.factor)),
        "prometheus/tests.yml": _yaml(rules.tests(setup.places)),
        "grafana/reader.sql": reader.script(),
        "panels.md": page.panels(),
        f"{_PROVISIONING}/datasources/weedwatch.yaml": _yaml(provisioning.datasources(setup.sources)),
        f"{_PROVISIONING}/dashboards/weedwatch.yaml": _yaml(provisioning.dashboards()),
        f"{_PROVISIONING}/alerting/weedwatch.yaml": _yaml(provisioning.alerting(setup.sources, setup.places)),
        "loki/loki.yaml": _yaml(loki.configuration(setup.keeping)),
        "alloy/config.alloy": alloy.configuration(setup.shipping),
        **{path: _yaml(document) for path, document in kubernetes.documents(setup.places).items()},
        **{
            f"grafana/dashboards/{each.key}.json": dashboards.encoded(each, setup.places)
            for each in dashboards.DASHBOARDS
        },
    }


def elsewhere() -> dict[str, str]:
    """Path below the repository → text, of generated files that have a place among others."""
    return {
        "ui/runbooks.json": runbooks.ui_file(),
        "docs/metrics.md": reference.page(),
        "docs/alerts.md": alert_page.alerts(),
        "docs/older-metric-names.md": alert_page.older_names(),
        **runbooks.pages(),
    }


def monitoring(setup: Setup) -> dict[str, str]:
    """Path → text, of what Prometheus and Alertmanager need."""
    return {
        f"prometheus/{rules.RULES_FILE}": _yaml(rules.rules(setup.places, setup.factor, setup.windows)),
        "prometheus/prometheus.yml": _yaml(prometheus.configuration(setup.targets, setup.factor)),
        "alertmanager/alertmanager.yml": _yaml(alertmanager.configuration(setup.channels, setup.factor)),
        f"alertmanager/{alertmanager.TEMPLATE}": (Path(__file__).parent / alertmanager.TEMPLATE).read_text("utf-8"),
    }


def write(folder: Path, texts: Mapping[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _yaml(value: Any) -> str:
    return _NOTE + yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
