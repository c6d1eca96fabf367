"""How much is asked, and by which way."""

from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import CHOSEN, PREDICTIONS, REPLICA

_ROWS = (
    Panel(
        "requests",
        "Predictions by outcome",
        "Requests for a prediction, by status.",
        "timeseries",
        "reqps",
        (
            Prom(
                f"sum by (status) (rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}}}[$__rate_interval]))",
                "{{status}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "requests-by-route",
        "Requests by route",
        "All routes: predictions, history, models, health.",
        "timeseries",
        "reqps",
        (
            Prom(
                f"sum by (method, route) (rate(weedwatch_http_requests_total{{{REPLICA}}}[$__rate_interval]))",
                "{{method}} {{route}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "requests-by-version",
        "Predictions by version",
        "Who was asked, in which role.",
        "timeseries",
        "reqps",
        (
            Prom(
                f"sum by (model, version, role) (rate(weedwatch_predictions_total{{{CHOSEN}}}[$__rate_interval]))",
                "{{model}} {{version}}, {{role}}",
            ),
        ),
        stacked=True,
    ),
    Panel(
        "predictions-total",
        "Predictions in all",
        "Since each replica was started: requests, and answers.",
        "stat",
        "short",
        (
            Prom(f"sum(prediction_requests_total{{{REPLICA}}})", "asked", instant=True),
            Prom(f"sum(weedwatch_prediction_confidence_count{{{REPLICA}}})", "answered", instant=True),
        ),
        width=6,
        steps=((None, "blue"),),
    ),
    Panel(
        "request-bytes",
        "Size of requests and answers",
        "Half and 95 % of the bodies of predictions are smaller.",
        "timeseries",
        "bytes",
        tuple(
            Prom(
                f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{{{PREDICTIONS}}}[$__rate_interval])))",
                f"{name}, {said}",
            )
            for name, metric in (
                ("request", "weedwatch_http_request_bytes"),
                ("answer", "weedwatch_http_response_bytes"),
            )
            for share, said in ((0.5, "P50"), (0.95, "P95"))
        ),
        width=9,
    ),
    Panel(
        "idempotency",
        "Requests with a key of their own",
        "first: answered. replayed: the answer of before was given again. conflict: the same key with another body.",
        "timeseries",
        "reqps",
        (Prom(f"sum by (outcome) (rate(weedwatch_idempotency_total{{{REPLICA}}}[$__rate_interval]))", "{{outcome}}"),),
        width=9,
    ),
    Panel(
        "answer-cache",
        "Answers given again",
        "hit: the answer to the same picture was kept. miss: it was not. bypass: the client wanted a new one. Nothing "
        "while no answers are kept (WEEDWATCH_ANSWER_CACHE).",
        "timeseries",
        "reqps",
        (Prom(f"sum by (outcome) (rate(weedwatch_answer_cache_total{{{REPLICA}}}[$__rate_interval]))", "{{outcome}}"),),
        width=12,
        stacked=True,
    ),
    Panel(
        "kept-answers",
        "Kept answers",
        "How many are kept in memory, and how many have to go for newer ones: many in an hour, more room would help.",
        "timeseries",
        "short",
        (
            Prom(f"sum(weedwatch_answer_cache_entries{{{REPLICA}}})", "kept"),
            Prom(f"sum(increase(weedwatch_answer_cache_evictions_total{{{REPLICA}}}[1h]))", "gone in an hour"),
        ),
        width=12,
    ),
)

_ANSWERED = 'weedwatch_prediction_confidence_count{job="control_plane", model="plants", version="%s"}'
_QUIET_STEPS = (
    "Is it expected? At night or in winter it may well be. Silence the alert for that time: docs/alerts.md.",
    "`weedwatch status` and `weedwatch predict photo.jpg` show that the service itself works.",
    "It works and nobody comes: something before it is broken. Look at the proxy, the name and its certificate.",
)

TOPIC = Topic(
    "traffic",
    rows=(Row("service", "Traffic", _ROWS),),
    alerts=(
        Alert(
            "NoRequests",
            "sum(increase(prediction_requests_total[1m])) == 0 or absent(prediction_requests_total)",
            "info",
            "Nobody has asked for a prediction for five minutes.",
            "Either there is nobody, or requests do not get here.",
            _QUIET_STEPS,
            "requests",
            fires=Case(
                {'prediction_requests_total{job="control_plane", instance="a:8000"}': "0+5x10 50x100"},
                value="0",
                interval="20s",
            ),
            quiet=Case(
                {'prediction_requests_total{job="control_plane", instance="a:8000"}': "0+1x120"},
                interval="20s",
            ),
            for_seconds=240,
            value="{{ $value }}",
            covers=("NoPredictions",),
        ),
        Alert(
            "NoPredictions",
            "sum(increase(weedwatch_prediction_confidence_count[5m])) == 0 "
            "or absent(weedwatch_prediction_confidence_count)",
            "info",
            "Nothing has been answered for a quarter of an hour.",
            "No prediction came to an answer: nobody asked, or all that were asked failed.",
            (
                "See the panel: are there requests? If they fail, the alerts about errors say more.",
                *_QUIET_STEPS,
            ),
            "requests-by-version",
            fires=Case(
                {_ANSWERED % "1": "0+5x5 25x40"},
                at="30m",
                value="0",
            ),
            quiet=Case(
                {
                    # One version is not asked any more, another one is.
                    _ANSWERED % "1": "25x40",
                    _ANSWERED % "2": "0+1x40",
                },
                at="30m",
            ),
            for_seconds=600,
            value="{{ $value }}",
        ),
    ),
)
