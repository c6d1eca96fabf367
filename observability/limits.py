"""Every threshold and objective, once: rules compare with them, panels draw them, the documentation quotes them."""

from dataclasses import dataclass

GOOD_SECONDS = 0.5
AVERAGE_SECONDS = 1.0
AVERAGE_CRITICAL_SECONDS = 3.0
P95_SECONDS = 2.0
P99_SECONDS = 5.0
"""Edges of the latency buckets in control_plane/metrics.py, so that comparisons are exact."""

ERROR_RATIO = 0.05
ERROR_CRITICAL_RATIO = 0.25
PROCESSING_ERRORS_PER_SECOND = 0.1
REFUSED_RATIO = 0.05
QUEUE_SECONDS = 0.5
LEAST_FAILURES_PER_SECOND = 0.01
LEAST_REQUESTS_PER_SECOND = 0.02
"""Three failures in five minutes; six requests. Below that a share says little, and nobody is called."""

MEMORY_RATIO = 0.9
DISK_RATIO = 0.8
SPOOL_RATIO = 0.8
DATABASE_UP_RATIO = 0.999
UPLOAD_WAITS_SECONDS = 300
ERROR_LINES = 50
"""Of level ERROR and worse in five minutes."""

BACKUP_DAYS = 2

CERTIFICATE_DAYS = 14
CERTIFICATE_CRITICAL_DAYS = 3

CONFIDENCE_MEDIAN = 0.6
CONFIDENCE_WINDOW = "30m"
MAJORITY_RATIO = 0.8
LEAST_PREDICTIONS = 20
"""Below so many in the window a share or a median says nothing."""


@dataclass(frozen=True)
class Objective:
    """A promise over thirty days: this share of the events is good. `bad`, `total`: PromQL over five minutes."""

    name: str
    target: float
    bad: str
    total: str
    description: str


@dataclass(frozen=True)
class Burn:
    """Alert when both windows burn the error budget this many times too fast."""

    alert: str
    times: float
    short: str
    long: str
    for_seconds: int
    severity: str


BURNS = (
    Burn("ErrorBudgetBurnsFast", 14.4, "5m", "1h", 120, "critical"),
    Burn("ErrorBudgetBurnsSteadily", 6.0, "30m", "6h", 900, "critical"),
    Burn("ErrorBudgetBurnsSlowly", 3.0, "2h", "1d", 3600, "warning"),
    Burn("ErrorBudgetLeaks", 1.0, "6h", "3d", 10800, "warning"),
)
REPEAT = {"critical": "5m", "warning": "1h", "info": "6h"}
"""How often a firing alert is said again, by severity."""
WAIT_SECONDS = {"critical": 5, "warning": 30, "info": 60}
"""How long the first of a group waits for others, so that one message has them all."""
GROUP_SECONDS = 60
"""How often a group is looked at again; what has ended is said then, and what must be said again."""
HEARTBEAT = "1m"
