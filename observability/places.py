"""Where people reach what alerts and dashboards link to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """Addresses as a browser sees them, without a slash at the end."""

    service: str = "http://127.0.0.1:8000"
    grafana: str = "http://127.0.0.1:3002"
    """Empty where there is none: then nothing links to it."""

    def runbook(self, alert: str) -> str:
        return f"{self.service}/#/runbooks/{alert}"

    def logs(self) -> str:
        """What went wrong lately, by the logs of all parts."""
        return f"{self.grafana}/d/weedwatch-logs?var-level=ERROR"

    def panel(self, dashboard: str, number: int) -> str:
        return f"{self.grafana}/d/weedwatch-{dashboard}?viewPanel={number}"
