"""Who waits for a worker, and who is refused."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import PREDICTIONS, REPLICA, quantile

_REFUSED = 'sum(rate(weedwatch_errors_total{code="overloaded"}[5m]))'
_ASKED = f"sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}}}[5m]))"
_WAIT = 'weedwatch_stage_seconds_bucket{job="control_plane", instance="a:8000", stage="queue", le="%s"}'
_LONG = quantile(0.95, "weedwatch_stage_seconds", 'stage="queue"', "5m")
_STEPS = (
    "Is the load higher than usual (“Predictions by outcome”), or the service slower (“Where the time goes”)?",
    "Higher load: one more worker, if processors and memory are left: `weedwatch models workers plants 1 3`; "
    "`weedwatch models workers plants 1 auto` goes back to the setting.",
    "One caller asks for all of it: lower its limit, docs/security.md says how.",
    "A canary, a shadow or an evaluation takes processors: `weedwatch models rollback plants` ends it.",
    "For good: another replica, or a machine with more processors.",
)


def _waits(long: str) -> dict[str, str]:
    """Sixty waits a minute, some of them between half a second and a second."""
    return {
        _WAIT % "0.25": f"0+{60 - int(long)}x30",
        _WAIT % "0.5": f"0+{60 - int(long)}x30",
        _WAIT % "1.0": "0+60x30",
        _WAIT % "+Inf": "0+60x30",
        _WAIT.replace("queue", "record") % "0.5": "0x30",
        _WAIT.replace("queue", "record") % "+Inf": "0+60x30",
    }


def _refusals(refused: str) -> dict[str, str]:
    return {
        'weedwatch_errors_total{job="control_plane", code="overloaded"}': refused,
        'weedwatch_http_requests_total{job="control_plane", method="POST", route="/predict", status="200"}': "0+60x40",
        'weedwatch_http_requests_total{job="control_plane", method="POST", route="/predict", status="429"}': refused,
    }


TOPIC = Topic(
    "queue",
    rows=(
        Row(
            "service",
            "Queue",
            (
                Panel(
                    "queue-depth",
                    "Who waits",
                    "Requests that wait for a worker, and how many may. Who comes when it is full is refused (429).",
                    "timeseries",
                    "short",
                    (
                        Prom(f"sum(weedwatch_queue_depth{{{REPLICA}}})", "waiting"),
                        Prom(f"sum(weedwatch_queue_limit{{{REPLICA}}})", "limit"),
                        Prom(f"sum(weedwatch_in_flight{{{REPLICA}}})", "calls under way"),
                    ),
                ),
                Panel(
                    "queue-wait",
                    "How long they wait",
                    "Seconds from the checked picture to a worker: half, and 95 % wait less.",
                    "timeseries",
                    "s",
                    tuple(
                        Prom(quantile(share, "weedwatch_stage_seconds", f'stage="queue", {REPLICA}'), name)
                        for share, name in ((0.5, "P50"), (0.95, "P95"))
                    ),
                    steps=((None, "green"), (limits.QUEUE_SECONDS, "red")),
                ),
                Panel(
                    "refusals",
                    "Refused share",
                    "Share of the requests for a prediction that were refused: overloaded (the queue is full), or "
                    "rate_limited (one caller sent too many).",
                    "timeseries",
                    "percentunit",
                    tuple(
                        Prom(
                            f'(sum(rate(weedwatch_errors_total{{code="{code}", {REPLICA}}}[$__rate_interval])) '
                            f"or vector(0)) / sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}}}"
                            "[$__rate_interval]))",
                            code,
                        )
                        for code in ("overloaded", "rate_limited")
                    ),
                    steps=((None, "green"), (limits.REFUSED_RATIO, "red")),
                ),
                Panel(
                    "workers",
                    "Workers",
                    "TorchServe's workers that are ready, of all versions.",
                    "timeseries",
                    "short",
                    (Prom(f"sum by (instance) (weedwatch_ready_workers{{{REPLICA}}})", "{{instance}}"),),
                    width=12,
                    steps=((None, "red"), (1, "green")),
                ),
                Panel(
                    "batches",
                    "Pictures in a call",
                    "How many pictures one call to TorchServe carries: the more wait, the more go together.",
                    "timeseries",
                    "short",
                    tuple(
                        Prom(quantile(share, "weedwatch_batch_pictures", REPLICA), name)
                        for share, name in ((0.5, "P50"), (0.95, "P95"))
                    ),
                    width=12,
                    decimals=1,
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "QueueWaitLong",
            f"{_LONG} > {limits.QUEUE_SECONDS} "
            f'and sum(rate(weedwatch_stage_seconds_count{{stage="queue"}}[5m])) > {limits.LEAST_REQUESTS_PER_SECOND}',
            "warning",
            "One request in twenty waits longer than half a second for a worker.",
            "The workers do not keep up with the load. Answers get slower; if it goes on, requests are refused.",
            _STEPS,
            "queue-wait",
            fires=Case(
                {**_waits("6"), _WAIT.replace("bucket", "count").replace(', le="%s"', ""): "0+60x30"}, value="750ms"
            ),
            quiet=Case({**_waits("2"), _WAIT.replace("bucket", "count").replace(', le="%s"', ""): "0+60x30"}),
            value="{{ $value | humanizeDuration }}",
        ),
        Alert(
            "Overloaded",
            f"{_REFUSED} / {_ASKED} > {limits.REFUSED_RATIO} and {_REFUSED} > {limits.LEAST_FAILURES_PER_SECOND}",
            "warning",
            f"More than {limits.REFUSED_RATIO:.0%} of the predictions are refused.",
            "The queue is full. Refused clients are told when to come again (429, Retry-After).",
            _STEPS,
            "refusals",
            fires=Case(_refusals("0+20x40"), value="25%"),
            quiet=Case(_refusals("0+2x40")),
            value="{{ $value | humanizePercentage }}",
            covers=("QueueWaitLong",),
        ),
    ),
)
