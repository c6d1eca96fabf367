"""How long a prediction takes, from the request's last byte to its answer."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic

_SUM = "sum(rate(weedwatch_prediction_seconds_sum[5m]))"
_COUNT = "sum(rate(weedwatch_prediction_seconds_count[5m]))"
_BUCKETS = "sum by (le) (rate(weedwatch_prediction_seconds_bucket[5m]))"
_STEPS = (
    "Look at the stages on the panel: which of receive, queue, torchserve, inference and record has grown?",
    "Queue: there are too few workers for the load. Add some (`weedwatch models workers`) or another machine.",
    "Inference: the machine is busy with something else, or a new version is slower. Compare the versions on the "
    "quality dashboard; roll back if it began with a change.",
    "Record: PostgreSQL is slow. See the infrastructure dashboard.",
)


def _slow(seconds: str) -> Case:
    """Sixty predictions a minute that take so long each."""
    edges = ("0.5", "1.0", "2.0", "3.0", "5.0", "10.0", "+Inf")
    served = 'model="plants", version="1", role="stable"'
    return Case(
        {
            **{
                f'weedwatch_prediction_seconds_bucket{{{served}, le="{edge}"}}': (
                    "0+60x30" if edge == "+Inf" or float(edge) >= float(seconds) else "0x30"
                )
                for edge in edges
            },
            f"weedwatch_prediction_seconds_sum{{{served}}}": f"0+{60 * float(seconds):g}x30",
            f"weedwatch_prediction_seconds_count{{{served}}}": "0+60x30",
        }
    )


_QUIET = _slow("0.4")


def _fires(seconds: str, value: str) -> Case:
    return Case(_slow(seconds).series, value=value)


TOPIC = Topic(
    "latency",
    rows=(
        Row(
            "service",
            "Latency",
            (
                Panel(
                    "latency-percentiles",
                    "Latency",
                    "From a request's last byte to its answer: half, 95 % and 99 % of the predictions are faster.",
                    "timeseries",
                    "s",
                    tuple(
                        Prom(
                            f"histogram_quantile({quantile}, sum by (le) (rate("
                            'weedwatch_prediction_seconds_bucket{model=~"$model", version=~"$version"}'
                            "[$__rate_interval])))",
                            name,
                            exemplars=True,
                        )
                        for quantile, name in ((0.5, "P50"), (0.95, "P95"), (0.99, "P99"))
                    ),
                    width=12,
                    steps=((None, "green"), (limits.P95_SECONDS, "red")),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "LatencyAverageHigh",
            f"{_SUM} / {_COUNT} > {limits.AVERAGE_SECONDS}",
            "warning",
            "Predictions take longer than a second on average.",
            "The mean over the last five minutes. People wait, and clients with short deadlines get errors.",
            _STEPS,
            "latency-percentiles",
            fires=_fires("2", "2s"),
            quiet=_QUIET,
            for_seconds=120,
            value="{{ $value | humanizeDuration }}",
        ),
    ),
)
