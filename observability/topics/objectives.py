"""The promises, and how fast their error budgets burn."""

from itertools import pairwise

from observability import limits
from observability.limits import BURNS, Burn, Objective
from observability.parts import Alert, Case, Panel, Prom, Recording, Row, Topic
from observability.promql import PREDICTIONS

_SECONDS = "weedwatch_prediction_seconds"
_ASKED = f"sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}}}[5m]))"
_READY, _DATABASE = "weedwatch:ready:max", "weedwatch:database_up:min"
OBJECTIVES = (
    Objective(
        "answers",
        0.995,
        f'sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, status=~"5.."}}[5m]))',
        _ASKED,
        "Of the requests for a prediction, 99.5 % are not answered with a status from 500 on.",
    ),
    Objective(
        "readiness",
        0.995,
        f"1 - avg_over_time({_READY}[5m])",
        "vector(1)",
        "In 99.5 % of the time at least one replica is ready, proven by reference pictures.",
    ),
    Objective(
        "latency",
        0.99,
        f"clamp_min(sum(rate({_SECONDS}_count[5m])) "
        f'- sum(rate({_SECONDS}_bucket{{le="{limits.GOOD_SECONDS}"}}[5m])), 0)',
        f"sum(rate({_SECONDS}_count[5m]))",
        f"Of the predictions, 99 % take less than {limits.GOOD_SECONDS} seconds.",
    ),
    Objective(
        "database",
        0.999,
        f"1 - avg_over_time({_DATABASE}[5m])",
        "vector(1)",
        "In 99.9 % of the time PostgreSQL answers every replica.",
    ),
)
PERIOD = "30d"
WINDOWS = tuple(
    sorted(
        {each for burn in BURNS for each in (burn.short, burn.long)} - {"5m"},
        key=lambda w: (w[-1] != "m", w[-1] != "h", int(w[:-1])),
    )
)
"""Beside five minutes, which all others are made of."""

_FLOOR = limits.LEAST_REQUESTS_PER_SECOND


def _since_first_good(name: str, good: str, else_: str) -> str:
    """1 while it is good. What is not good counts once it has been good: nobody was promised anything before."""
    return f"({good} == 1) or (({else_}) and on () present_over_time({name}[1d]))"


def _recordings() -> tuple[Recording, ...]:
    known = [
        # A replica that cannot be asked is not ready; where Prometheus was not there itself, nothing is known.
        Recording(_READY, _since_first_good(_READY, "max(weedwatch_ready)", '0 * max(up{job="control_plane"})')),
        Recording(_DATABASE, _since_first_good(_DATABASE, "min(weedwatch_database_up)", "min(weedwatch_database_up)")),
    ]
    for each in OBJECTIVES:
        slo = {"slo": each.name}
        known += [
            Recording("slo:sli_bad:rate5m", f"({each.bad}) or vector(0)", slo),
            Recording("slo:sli_total:rate5m", f"({each.total}) or vector(0)", slo),
            Recording("slo:error_budget:ratio", f"vector({round(1 - each.target, 6)})", slo),
        ]
    known.append(
        Recording("slo:sli_error:ratio_rate5m", f"slo:sli_bad:rate5m / clamp_min(slo:sli_total:rate5m, {_FLOOR})")
    )
    known += [
        Recording(
            f"slo:sli_error:ratio_rate{window}",
            f"avg_over_time(slo:sli_bad:rate5m[{window}]) "
            f"/ clamp_min(avg_over_time(slo:sli_total:rate5m[{window}]), {_FLOOR})",
        )
        for window in (*WINDOWS, PERIOD)
    ]
    known.append(
        Recording(
            "slo:period_error_budget_remaining:ratio",
            f"1 - slo:sli_error:ratio_rate{PERIOD} / slo:error_budget:ratio",
        )
    )
    return tuple(known)


def _burns(window: str, times: float) -> str:
    return f"(slo:sli_error:ratio_rate{window} > {times:g} * slo:error_budget:ratio)"


def _failing(share: int) -> dict[str, str]:
    """A hundred requests a minute, so many of them fail from the first minute on."""
    at = 'weedwatch_http_requests_total{job="control_plane", method="POST", route="/predict", status="%s"}'
    # Four hours: windows that are longer see all that there is.
    return {at % "200": f"0+{100 - share}x240", at % "503": f"0+{share}x240"}


_CASES = {
    "ErrorBudgetBurnsFast": ("12m", _failing(10), "10%"),
    "ErrorBudgetBurnsSteadily": ("30m", _failing(5), "5%"),
    "ErrorBudgetBurnsSlowly": ("90m", _failing(2), "2%"),
    "ErrorBudgetLeaks": ("200m", _failing(1), "1%"),
}


def _quiet(burn: Burn) -> Case:
    """Half as fast as the limit; and at night one request that fails, alone."""
    share = burn.times * 0.005 * 50
    at = 'weedwatch_http_requests_total{job="control_plane", method="POST", route="/predict", status="%s"}'
    when, _, _ = _CASES[burn.alert]
    if burn.alert == "ErrorBudgetBurnsFast":
        return Case({at % "503": "0x60 1x600"}, at="70m")
    return Case({at % "200": f"0+{100 - share:g}x240", at % "503": f"0+{share:g}x240"}, at=when)


def _alert(burn: Burn) -> Alert:
    at, series, value = _CASES[burn.alert]
    return Alert(
        burn.alert,
        f"{_burns(burn.short, burn.times)} and {_burns(burn.long, burn.times)}",
        "critical" if burn.severity == "critical" else "warning",
        "The error budget of {{ $labels.slo }} burns "
        + (f"{burn.times:g} times as fast as it may." if burn.times > 1 else "faster than it may."),
        f"Both in the last {burn.long} and in the last {burn.short}. Going on like this the budget of thirty days is "
        f"used up in {_left(burn)}. The value is the share of bad events in the last {burn.short}.",
        (
            "The label `slo` says which promise: answers, readiness, latency or database (docs/alerts.md has them).",
            "answers: see the runbook of ErrorRatioHigh. readiness: NotReady. latency: LatencyP95High. database: "
            "DatabaseDown.",
            "The panel shows since when. Look for a change at that time: blue marks are rollouts, "
            "orange ones rollbacks.",
            "Too tight a promise is changed in `observability/topics/objectives.py`, once for rules, panels and pages.",
        ),
        "burn-rates",
        fires=Case(series, at=at, labels={"slo": "answers"}, value=value),
        quiet=_quiet(burn),
        for_seconds=burn.for_seconds,
        value="{{ $value | humanizePercentage }}",
        covers=tuple(slower.alert for slower in BURNS if slower.times < burn.times),
    )


def _left(burn: Burn) -> str:
    days = 30 / burn.times
    return f"{days:.0f} days" if days >= 3 else f"{24 * days:.0f} hours"


TOPIC = Topic(
    "objectives",
    rows=(
        Row(
            "service",
            "Objectives",
            (
                Panel(
                    "objectives",
                    "Kept",
                    "Share of the good events in the last thirty days, or since it runs: "
                    + " ".join(f"{each.name}: {each.description}" for each in OBJECTIVES),
                    "stat",
                    "percentunit",
                    (Prom(f"1 - slo:sli_error:ratio_rate{PERIOD}", "{{slo}}", instant=True),),
                    width=6,
                    steps=((None, "red"), (min(each.target for each in OBJECTIVES), "green")),
                    decimals=3,
                ),
                Panel(
                    "budget-left",
                    "Error budget left",
                    "How much of what may go wrong in thirty days is left. Below 0 the promise is broken.",
                    "gauge",
                    "percentunit",
                    (Prom("slo:period_error_budget_remaining:ratio", "{{slo}}", instant=True),),
                    width=6,
                    steps=((None, "red"), (0.0, "orange"), (0.25, "green")),
                    most=1,
                    decimals=0,
                ),
                Panel(
                    "burn-rates",
                    "How fast the budgets burn",
                    "1: just as fast as thirty days allow. Alerts: "
                    + ", ".join(f"{burn.times:g} over {burn.short} and {burn.long}" for burn in BURNS)
                    + ".",
                    "timeseries",
                    "none",
                    tuple(
                        Prom(f"slo:sli_error:ratio_rate{window} / slo:error_budget:ratio", f"{{{{slo}}}}, {window}")
                        for window in ("5m", "1h", "6h")
                    ),
                    width=12,
                    steps=(
                        (None, "green"),
                        *((before.times, "orange") for before, _ in list(pairwise(reversed(BURNS)))[:-1]),
                        (BURNS[0].times, "red"),
                    ),
                    decimals=1,
                ),
            ),
        ),
    ),
    recordings=_recordings(),
    alerts=tuple(_alert(burn) for burn in BURNS),
)
