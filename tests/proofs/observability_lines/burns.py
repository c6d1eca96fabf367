"""How fast error budgets burn: days of history are put into a real Prometheus, and its rules run with their windows."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import yaml

from observability import generate
from observability.alertmanager import Channels
from observability.generate import Setup
from observability.programs import program
from tests.monitoring import Prometheus, Sink, running_alertmanager, running_prometheus, running_sink, targets
from tests.proofs.observability_lines.recorded import recording

DAYS = 3.2
FOR_FACTOR = 360
"""`for` and intervals are divided by it; windows are not."""
STEP_SECONDS = 60
PROMTOOL_SECONDS = 300
ANSWERED = (
    'weedwatch_http_requests_total{{job="control_plane",instance="one",method="POST",route="/predict",status="{0}"}}'
)


@dataclass(frozen=True)
class Burning:
    """Since days this share of sixty requests a minute fails; these alerts must fire."""

    failing: float
    alerts: tuple[str, ...]


BURNING = (
    Burning(0.2, ("ErrorBudgetBurnsFast", "ErrorBudgetBurnsSteadily")),
    Burning(0.02, ("ErrorBudgetBurnsSlowly", "ErrorBudgetLeaks")),
)


@contextmanager
def burning(folder: Path, fault: Burning) -> Iterator[tuple[Prometheus, Sink]]:
    """Prometheus, which knows such days, and who is told; a service that is well today is scraped."""
    with recording() as recorded, recorded.telling({"weedwatch_ready": 1, "weedwatch_database_up": 1}):
        setup = Setup(targets=targets(recorded.target), factor=FOR_FACTOR, windows=1)
        with _burning(folder, fault, setup) as (prometheus, sink):
            yield prometheus, sink


@contextmanager
def _burning(folder: Path, fault: Burning, setup: Setup) -> Iterator[tuple[Prometheus, Sink]]:
    data = folder / "prometheus" / "data"
    data.mkdir(parents=True)
    now = int(time.time())
    history = folder / "history.txt"
    history.write_text(_history(now, fault.failing))
    _promtool("tsdb", "create-blocks-from", "openmetrics", str(history), str(data))
    with running_prometheus(folder, setup) as prometheus:
        # The recordings of those days, by Prometheus's own tool, from the very rules.
        _promtool(
            *("tsdb", "create-blocks-from", "rules", f"--start={now - int(DAYS * 86400)}", f"--end={now}"),
            *(f"--url={prometheus.url}", f"--output-dir={data}", str(_recordings(folder, setup))),
        )
    with running_sink() as sink:
        told = replace(setup, channels=Channels(webhook_url=f"{sink.url}/people", inhibits=False))
        with (
            running_alertmanager(folder, told),
            running_prometheus(folder, told, "--rules.alert.resend-delay=1s", "--web.enable-admin-api") as prometheus,
        ):
            yield prometheus, sink


def forget(prometheus: Prometheus) -> None:
    """As if it had never been: what was recorded of those days goes."""
    for series in ("slo:sli_bad:rate5m", "weedwatch_http_requests_total"):
        httpx2.post(
            f"{prometheus.url}/api/v1/admin/tsdb/delete_series", params={"match[]": series}, timeout=60
        ).raise_for_status()


def _history(now: int, failing: float) -> str:
    good, bad = (ANSWERED.format(status) for status in ("200", "503"))
    lines = ["# TYPE weedwatch_http_requests counter"]
    steps = range(int(DAYS * 86400) // STEP_SECONDS)
    start = now - len(steps) * STEP_SECONDS
    for series, share in ((good, 1 - failing), (bad, failing)):
        lines += [f"{series} {60 * share * step:.1f} {start + step * STEP_SECONDS}" for step in steps]
    return "\n".join([*lines, "# EOF\n"])


def _recordings(folder: Path, setup: Setup) -> Path:
    """The five-minute rates of the objectives alone: the others are made of them when they are asked for."""
    rules = yaml.safe_load(generate.monitoring(setup)["prometheus/weedwatch.rules.yml"])
    kept = [
        {**group, "interval": f"{STEP_SECONDS}s", "rules": [each for each in group["rules"] if _is_rate(each)]}
        for group in rules["groups"]
    ]
    path = folder / "recordings.yml"
    path.write_text(yaml.safe_dump({"groups": [group for group in kept if group["rules"]]}))
    return path


def _is_rate(rule: dict[str, str]) -> bool:
    return rule.get("record", "").startswith("slo:sli_") and rule["record"].endswith(":rate5m")


def _promtool(*words: str) -> None:
    done = subprocess.run(
        [str(program("promtool")), *words], capture_output=True, text=True, timeout=PROMTOOL_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
