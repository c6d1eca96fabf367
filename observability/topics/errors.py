"""What fails, and how."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import FAILED, PREDICTIONS, REPLICA

_ALL = f"sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}}}[5m]))"
_BAD = f'sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, status=~"5.."}}[5m]))'
_WRONG = 'code=~"processing_error|internal_error"'
_STEPS = (
    "“Errors by code” says what fails. `weedwatch errors deadline_exceeded` explains a code, and docs/errors.md all.",
    "`model_not_loaded`: see the runbook of ModelNotLoaded. `history_unavailable`: see DatabaseDown.",
    "`processing_error`: the handler failed. The logs dashboard, level ERROR, has the cause; one request is found by "
    "its `request_id`.",
    "`deadline_exceeded`: too slow, or too few workers. See the runbook of QueueWaitLong.",
    "One version alone fails (“Failed by version”): `weedwatch models rollback plants`.",
)


def _answers(good: str, bad: str) -> dict[str, str]:
    at = 'weedwatch_http_requests_total{job="control_plane", method="POST", route="/predict", status="%s"}'
    # Broken pictures are not the service's fault, and other routes count for nothing.
    other = at.replace("/predict", "/history") % "500"
    return {at % "200": good, at % "503": bad, at % "422": "0+30x40", other: "0+60x40"}


TOPIC = Topic(
    "errors",
    rows=(
        Row(
            "service",
            "Errors",
            (
                Panel(
                    "error-share",
                    "Failed share",
                    "Predictions answered with a status from 500 on. Broken pictures (422) and refusals (429) are not "
                    "in it.",
                    "timeseries",
                    "percentunit",
                    (
                        Prom(
                            f"(sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}, "
                            f'status=~"5.."}}[$__rate_interval])) or vector(0)) / '
                            f"sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}}}[$__rate_interval]))",
                            "failed",
                        ),
                    ),
                    steps=((None, "green"), (limits.ERROR_RATIO, "orange"), (limits.ERROR_CRITICAL_RATIO, "red")),
                ),
                Panel(
                    "errors-by-code",
                    "Errors by code",
                    "Every error answer by its code; docs/errors.md explains each.",
                    "timeseries",
                    "cps",
                    (Prom(f"sum by (code) (rate(weedwatch_errors_total{{{REPLICA}}}[$__rate_interval]))", "{{code}}"),),
                    stacked=True,
                    steps=((None, "green"), (limits.PROCESSING_ERRORS_PER_SECOND, "red")),
                ),
                Panel(
                    "errors-by-type",
                    "Failed predictions by type",
                    "The same in the five types of the public counter `prediction_errors_total`.",
                    "timeseries",
                    "cps",
                    (
                        Prom(
                            f"sum by (error_type) (rate(prediction_errors_total{{{REPLICA}}}[$__rate_interval]))",
                            "{{error_type}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "failed-by-version",
                    "Failed by version",
                    "Share of a version's predictions that failed. One version alone: roll it back.",
                    "timeseries",
                    "percentunit",
                    (
                        Prom(
                            "(sum by (model, version, role) (rate(weedwatch_predictions_total"
                            f'{{{FAILED}, model=~"$model", version=~"$version"}}[$__rate_interval])) '
                            "or 0 * sum by (model, version, role) (rate(weedwatch_predictions_total"
                            '{model=~"$model", version=~"$version"}[$__rate_interval]))) '
                            "/ sum by (model, version, role) (rate(weedwatch_predictions_total"
                            '{model=~"$model", version=~"$version"}[$__rate_interval]))',
                            "{{model}} {{version}}, {{role}}",
                        ),
                    ),
                    width=12,
                    steps=((None, "green"), (limits.ERROR_RATIO, "red")),
                ),
                Panel(
                    "restarts",
                    "Restarts of the control plane",
                    "How often each replica was started within ten minutes.",
                    "timeseries",
                    "none",
                    (Prom('changes(process_start_time_seconds{job="control_plane"}[10m])', "{{instance}}"),),
                    width=12,
                    steps=((None, "green"), (3, "red")),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "ErrorRatioHigh",
            f"{_BAD} / {_ALL} > {limits.ERROR_RATIO} and {_BAD} > {limits.LEAST_FAILURES_PER_SECOND}",
            "warning",
            f"More than {limits.ERROR_RATIO:.0%} of the predictions fail.",
            "Answers with a status from 500 on, over five minutes; at least three of them, so that one failure at "
            "night calls nobody.",
            _STEPS,
            "error-share",
            fires=Case(_answers("0+60x40", "0+10x40"), value="10%"),
            quiet=Case(_answers("0+60x40", "0+2x40")),
            value="{{ $value | humanizePercentage }}",
        ),
        Alert(
            "ErrorRatioCritical",
            f"{_BAD} / {_ALL} > {limits.ERROR_CRITICAL_RATIO} and {_BAD} > {limits.LEAST_FAILURES_PER_SECOND}",
            "critical",
            f"More than {limits.ERROR_CRITICAL_RATIO:.0%} of the predictions fail.",
            "Answers with a status from 500 on, over five minutes; at least three of them.",
            _STEPS,
            "error-share",
            fires=Case(_answers("0+30x40", "0+60x40"), value="50%"),
            # One failure and no other request at all: all have failed, and it is only one.
            quiet=Case({next(iter(_answers("", ""))).replace("200", "503"): "0x15 1x30"}, at="17m"),
            for_seconds=30,
            value="{{ $value | humanizePercentage }}",
            covers=(
                "ErrorRatioHigh",
                "ProcessingErrors",
                *(f'{burn.alert}{{slo="answers"}}' for burn in limits.BURNS),
            ),
        ),
        Alert(
            "ProcessingErrors",
            f"sum(rate(weedwatch_errors_total{{{_WRONG}}}[5m])) > {limits.PROCESSING_ERRORS_PER_SECOND}",
            "warning",
            "The handler or the control plane fails on many requests.",
            "More than one in ten seconds over five minutes: a bug, a broken worker, or a kind of picture that the "
            "model cannot take.",
            (
                "The logs dashboard, level ERROR, shows the cause of each with its `request_id`.",
                "One version alone fails: `weedwatch models rollback plants`.",
                "One kind of picture alone fails: keep the request id and report it.",
            ),
            "errors-by-code",
            fires=Case(
                {'weedwatch_errors_total{job="control_plane", code="processing_error"}': "0+12x40"},
                value="0.20 a second",
            ),
            quiet=Case(
                {
                    'weedwatch_errors_total{job="control_plane", code="processing_error"}': "0+1x40",
                    'weedwatch_errors_total{job="control_plane", code="invalid_image"}': "0+60x40",
                }
            ),
            value='{{ $value | printf "%.2f" }} a second',
        ),
    ),
)
