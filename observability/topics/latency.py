"""How long a prediction takes, from the request's last byte to its answer."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import CHOSEN, REPLICA, mean, quantile

_METRIC = "weedwatch_prediction_seconds"
_MEAN = mean(_METRIC, window="5m")
_ENOUGH = f"and sum(rate({_METRIC}_count[5m])) > {limits.LEAST_REQUESTS_PER_SECOND}"
_STAGES = "receive|check|queue|torchserve|keep|record"
_HANDLER = "preprocess|inference|postprocess"
_STEPS = (
    "“Where the time goes” has the stages: which of receive, queue, torchserve and record has grown?",
    "queue: too few workers for the load. Add one: `weedwatch models workers plants 1 3`, or another machine.",
    "torchserve: “Within the handler” says which step. The machine is busy with something else (dashboard "
    "Infrastructure), or a new version is slower (dashboard Model quality and rollouts): "
    "`weedwatch models rollback plants`.",
    "record: PostgreSQL is slow. See the dashboard Infrastructure.",
    "receive: one client's connection is slow; that is not ours to mend.",
)


def _slow(seconds: str, per_minute: int = 60) -> dict[str, str]:
    """Predictions that take so long each."""
    edges = ("0.5", "1.0", "2.0", "3.0", "5.0", "10.0", "+Inf")
    served = 'job="control_plane", instance="a:8000", model="plants", version="1", role="stable"'
    return {
        **{
            f'{_METRIC}_bucket{{{served}, le="{edge}"}}': (
                f"0+{per_minute}x30" if edge == "+Inf" or float(edge) >= float(seconds) else "0x30"
            )
            for edge in edges
        },
        f"{_METRIC}_sum{{{served}}}": f"0+{per_minute * float(seconds):g}x30",
        f"{_METRIC}_count{{{served}}}": f"0+{per_minute}x30",
    }


def _mixed(fast: int, slow: int) -> dict[str, str]:
    """So many predictions a minute of 0.4 and of 8 seconds."""
    return {name: _added(each, _slow("8", slow)[name]) for name, each in _slow("0.4", fast).items()}


def _added(one: str, other: str) -> str:
    grows = [float(values[2:-3]) if values.startswith("0+") else 0.0 for values in (one, other)]
    return f"0+{sum(grows):g}x30"


# One prediction a minute, each of them slow: too few to say anything.
_NIGHT = Case(_slow("8", 1))


def _alert(
    name: str,
    expr: str,
    severity: str,
    summary: str,
    meaning: str,
    fires: Case,
    quiet: Case,
    panel: str,
    covers: tuple[str, ...] = (),
) -> Alert:
    return Alert(
        name,
        f"{expr} {_ENOUGH}",
        "critical" if severity == "critical" else "warning",
        summary,
        f"{meaning} Six predictions or more in five minutes; below that nobody is called.",
        _STEPS,
        panel,
        fires=fires,
        quiet=quiet,
        for_seconds=60 if severity == "critical" else 120,
        value="{{ $value | humanizeDuration }}",
        covers=covers,
    )


_PANELS = (
    Panel(
        "latency-percentiles",
        "Latency",
        "From a request's last byte to its answer: half, 95 % and 99 % of the predictions are faster. The dots are "
        "single requests; each leads to its trace.",
        "timeseries",
        "s",
        (
            *(
                Prom(quantile(share, _METRIC, CHOSEN), name, exemplars=True)
                for share, name in ((0.5, "P50"), (0.95, "P95"), (0.99, "P99"))
            ),
            Prom(mean(_METRIC, CHOSEN), "mean"),
        ),
        width=12,
        steps=((None, "green"), (limits.P95_SECONDS, "red")),
    ),
    Panel(
        "latency-heatmap",
        "Latency, all of it",
        "How many predictions took how long. Two bands mean two kinds of requests, or two versions.",
        "heatmap",
        "s",
        (Prom(f"sum by (le) (increase({_METRIC}_bucket{{{CHOSEN}}}[$__rate_interval]))", "{{le}}"),),
        width=12,
    ),
    Panel(
        "latency-average",
        "Average",
        "The mean now.",
        "gauge",
        "s",
        (Prom(mean(_METRIC, CHOSEN), "mean"),),
        width=4,
        steps=((None, "green"), (limits.AVERAGE_SECONDS, "orange"), (limits.AVERAGE_CRITICAL_SECONDS, "red")),
        most=limits.P99_SECONDS,
    ),
    Panel(
        "latency-p95",
        "P95",
        "95 % of the predictions are faster.",
        "gauge",
        "s",
        (Prom(quantile(0.95, _METRIC, CHOSEN), "P95"),),
        width=4,
        steps=((None, "green"), (limits.P95_SECONDS, "red")),
        most=limits.P99_SECONDS,
    ),
    Panel(
        "stages",
        "Where the time goes",
        "Mean seconds of a prediction by stage: receive, check, queue, torchserve, keep (the photo), record.",
        "timeseries",
        "s",
        (
            Prom(
                f'sum by (stage) (rate(weedwatch_stage_seconds_sum{{stage=~"{_STAGES}", {REPLICA}}}'
                "[$__rate_interval])) / on () group_left () "
                f"sum(rate({_METRIC}_count{{{REPLICA}}}[$__rate_interval]))",
                "{{stage}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "handler-stages",
        "Within the handler",
        "Mean seconds of a picture in the handler by step.",
        "timeseries",
        "s",
        (
            Prom(
                mean("weedwatch_stage_seconds", f'stage=~"{_HANDLER}", {REPLICA}', by="stage"),
                "{{stage}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "torchserve-share",
        "TorchServe's share of the time",
        "How much of a prediction's time goes by in the call to TorchServe, and how much in the wait for a worker.",
        "timeseries",
        "percentunit",
        (
            Prom(
                f'sum by (stage) (rate(weedwatch_stage_seconds_sum{{stage=~"torchserve|queue", {REPLICA}}}'
                "[$__rate_interval])) / on () group_left () "
                f"sum(rate({_METRIC}_sum{{{REPLICA}}}[$__rate_interval]))",
                "{{stage}}",
            ),
        ),
    ),
    Panel(
        "http-latency",
        "Slowest routes",
        "P95 of each route, first byte to last.",
        "timeseries",
        "s",
        (
            Prom(
                f"topk(8, {quantile(0.95, 'weedwatch_http_request_seconds', REPLICA, by='route')})",
                "{{route}}",
            ),
        ),
        width=16,
    ),
)

TOPIC = Topic(
    "latency",
    rows=(Row("service", "Latency", _PANELS),),
    alerts=(
        _alert(
            "LatencyAverageHigh",
            f"{_MEAN} > {limits.AVERAGE_SECONDS}",
            "warning",
            "Predictions take longer than a second on average.",
            "The mean of the last five minutes. People wait, and clients with short deadlines get errors.",
            Case(_slow("2"), value="2s"),
            Case(_slow("0.4")),
            "latency-average",
            covers=("LatencyP95High", "LatencyP99High"),
        ),
        _alert(
            "LatencyAverageCritical",
            f"{_MEAN} > {limits.AVERAGE_CRITICAL_SECONDS}",
            "critical",
            "Predictions take longer than three seconds on average.",
            "The mean of the last five minutes. Nearly everybody waits, and the queue fills.",
            Case(_slow("4"), value="4s"),
            _NIGHT,
            "latency-average",
            covers=(
                *("LatencyAverageHigh", "LatencyP95High", "LatencyP99High", "QueueWaitLong"),
                *(f'{burn.alert}{{slo="latency"}}' for burn in limits.BURNS),
            ),
        ),
        _alert(
            "LatencyP95High",
            f"{quantile(0.95, _METRIC, window='5m')} > {limits.P95_SECONDS}",
            "warning",
            "One prediction in twenty takes longer than two seconds.",
            "P95 of the last five minutes.",
            Case(_mixed(80, 20), value="8.75s"),
            Case(_mixed(97, 3)),
            "latency-p95",
            covers=("LatencyP99High",),
        ),
        _alert(
            "LatencyP99High",
            f"{quantile(0.99, _METRIC, window='5m')} > {limits.P99_SECONDS}",
            "warning",
            "One prediction in a hundred takes longer than five seconds.",
            "P99 of the last five minutes: something is stuck now and then.",
            Case(_mixed(97, 3), value="8.333s"),
            Case(_mixed(1000, 1)),
            "latency-percentiles",
        ),
    ),
)
