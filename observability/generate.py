"""All generated files, by their path below the folder that they are written to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from observability import alertmanager, dashboards, prometheus, rules
from observability.places import Places

GENERATED = Path(__file__).parent / "generated"
_NOTE = "# Made by `python -m observability write`; change the topics, not this file.\n"


def files(places: Places | None = None) -> dict[str, str]:
    """Path → text."""
    at = places or Places()
    return {
        f"prometheus/{rules.RULES_FILE}": _yaml(rules.rules(at)),
        "prometheus/tests.yml": _yaml(rules.tests(at)),
        "prometheus/prometheus.yml": _yaml(prometheus.configuration(prometheus.Targets())),
        "alertmanager/alertmanager.yml": _yaml(alertmanager.configuration(alertmanager.Channels())),
        **{f"grafana/dashboards/{each.key}.json": dashboards.encoded(each) for each in dashboards.DASHBOARDS},
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
