"""Pieces of PromQL that several topics use."""

PREDICTIONS = 'route=~"/predict|/v2/.+/infer"'
"""The routes that predict: what people wait for, and what the objectives are about."""

CHOSEN = 'model=~"$model", version=~"$version", instance=~"$replica"'
"""What the variables of a dashboard choose, of series of one version."""

REPLICA = 'instance=~"$replica"'
"""The same of series without model and version."""

FAILED = 'outcome=~"model_not_loaded|processing_error|deadline_exceeded|internal_error"'
"""Outcomes of a prediction that the version or the service is to blame for."""

SETTLED = (
    'process_start_time_seconds{job="control_plane"} == (process_start_time_seconds{job="control_plane"} offset 2m)'
)
"""Replicas that have run for two minutes: who has just been started is allowed to be on the way."""


def happened(metric: str, by: str, window: str = "10m") -> str:
    """How often it happened in the window, above 0; also where the series begins with the first event.

    `increase` alone does not see the first one: before it there was no series to grow.
    """
    return (
        f"(sum by ({by}) (increase({metric}[{window}])) > 0) "
        f"or ((sum by ({by}) ({metric}) unless sum by ({by}) ({metric} offset {window})) > 0)"
    )


def quantile(share: float, metric: str, labels: str = "", window: str = "$__rate_interval", by: str = "") -> str:
    """A quantile of a histogram."""
    kept = f"le, {by}" if by else "le"
    chosen = f"{{{labels}}}" if labels else ""
    return f"histogram_quantile({share}, sum by ({kept}) (rate({metric}_bucket{chosen}[{window}])))"


def mean(metric: str, labels: str = "", window: str = "$__rate_interval", by: str = "") -> str:
    """The mean of a histogram."""
    chosen, kept = f"{{{labels}}}" if labels else "", f" by ({by})" if by else ""
    return f"sum{kept} (rate({metric}_sum{chosen}[{window}])) / sum{kept} (rate({metric}_count{chosen}[{window}]))"
