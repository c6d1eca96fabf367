"""What every part of the service wrote, by Loki. Each query names labels and fields that real lines have."""

from observability.parts import Loki, Panel, Row, Topic

CHOSEN = '{service=~"$service", level=~"$level"} |= `$search`'
_ALL = '{service=~"$service"}'
_SLOW_MILLISECONDS = 1000
BAD = "ERROR|CRITICAL|FATAL"

QUERIES = {
    "All lines of one container": '{container=~".+control-plane.+"}',
    "All errors": '{level="ERROR"}',
    "All successful predictions": '{service=~".+"} |= "Prediction successful"',
    "Predictions that were sure": '{service=~".+"} |= "Prediction successful" | json | confidence > 0.9',
    "All lines of one request": '{service=~".+"} | request_id="0198c5a2-7c11-7d30-9b55-0f4a51a7c1d2"',
    "Errors a minute, by service": 'sum by (service) (rate({level=~"ERROR|CRITICAL|FATAL"} [5m])) * 60',
    "The slowest paths": (
        'topk(5, quantile_over_time(0.95, {service=~".+"} | json path=`path`, milliseconds=`milliseconds`'
        ' | path != "" | unwrap milliseconds | __error__=`` [15m]) by (path))'
    ),
}
"""What people ask for by hand, as docs/logging.md shows it."""

TOPIC = Topic(
    "logs",
    rows=(
        Row(
            "logs",
            "How much, how bad",
            (
                Panel(
                    "logs-volume",
                    "Lines by level",
                    "How many lines were written, by level, with the words that are searched.",
                    "bars",
                    "short",
                    (Loki(f"sum by (level) (count_over_time({CHOSEN} [$__auto]))", "{{level}}"),),
                    width=12,
                    stacked=True,
                ),
                Panel(
                    "logs-errors",
                    "Errors by service",
                    "Lines of level ERROR and worse. When it began is when to look at first.",
                    "bars",
                    "short",
                    (
                        Loki(
                            f'sum by (service) (count_over_time({{service=~"$service", level=~"{BAD}"}} [$__auto]))',
                            "{{service}}",
                        ),
                    ),
                    width=12,
                    stacked=True,
                ),
                Panel(
                    "logs-statuses",
                    "Answers by status",
                    "Requests by the HTTP status of their answer, as the control plane wrote them.",
                    "bars",
                    "short",
                    (
                        Loki(
                            f"sum by (status) (count_over_time({_ALL} | json status=`status`, path=`path`"
                            ' | path != "" | status != "" [$__auto]))',
                            "{{status}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "logs-latency",
                    "P95 by path",
                    "95 % of the requests of a path took less, by their log lines. Paths that hold an id are left out.",
                    "timeseries",
                    "ms",
                    (
                        Loki(
                            f"quantile_over_time(0.95, {_ALL}"
                            " | json path=`path`, milliseconds=`milliseconds`"
                            ' | path != "" | path !~ `.*[0-9a-f]{8}-[0-9a-f]{4}-.*`'
                            " | unwrap milliseconds | __error__=`` [$__auto]) by (path)",
                            "{{path}}",
                        ),
                    ),
                ),
                Panel(
                    "logs-messages",
                    "Most frequent messages",
                    "Messages of the shown time, most frequent first. One that was never there before explains much.",
                    "table",
                    "none",
                    (
                        Loki(
                            f"topk(15, sum by (service, message) (count_over_time({CHOSEN} | json message=`message`"
                            ' | message != "" [$__range])))',
                            instant=True,
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "logs",
            "One request",
            (
                Panel(
                    "logs-request",
                    "All lines of one request",
                    "Enter its id above, as the answer's header X-Request-ID or its body says it: the control plane's "
                    "and the worker's lines in order.",
                    "logs",
                    "none",
                    (Loki('{service=~".+"} | request_id != "" | request_id = `$request_id`'),),
                    width=24,
                    height=10,
                ),
            ),
        ),
        Row(
            "logs",
            "What to look at",
            (
                Panel(
                    "logs-newest-errors",
                    "Newest errors",
                    "Lines of level ERROR and worse, with their cause; open one for its request and trace.",
                    "logs",
                    "none",
                    (Loki(f'{{service=~"$service", level=~"{BAD}"}} |= `$search`'),),
                    width=12,
                    height=10,
                ),
                Panel(
                    "logs-slow",
                    "Slow requests",
                    f"Requests that took longer than {_SLOW_MILLISECONDS} ms.",
                    "logs",
                    "none",
                    (
                        # A comparison of numbers lets lines through that could not be read.
                        Loki(
                            f"{_ALL} | json | milliseconds > {_SLOW_MILLISECONDS} | __error__=``"
                            " | line_format `{{.milliseconds}} ms {{.status}} {{.method}} {{.path}} {{.request_id}}`"
                        ),
                    ),
                    width=12,
                    height=10,
                ),
                Panel(
                    "logs-predictions",
                    "Successful predictions",
                    "One line for each prediction that was answered, with its plant and confidence.",
                    "logs",
                    "none",
                    (Loki(f"{_ALL} |= `Prediction successful` |= `$search`"),),
                    width=12,
                ),
                Panel(
                    "logs-sure",
                    "Sure predictions",
                    "Successful predictions with a confidence above 90 %.",
                    "logs",
                    "none",
                    (
                        Loki(
                            f"{_ALL} |= `Prediction successful` | json | confidence > 0.9"
                            " | line_format `{{.confidence}} {{.label}} ({{.model}} {{.version}}) {{.request_id}}`"
                        ),
                    ),
                    width=12,
                ),
                Panel(
                    "logs-not-json",
                    "Lines that are no JSON",
                    "What was printed past its logger: start-up messages of other programs, crashes of a runtime.",
                    "logs",
                    "none",
                    (Loki(f"{_ALL} | json | __error__=`JSONParserErr`"),),
                    width=12,
                ),
                Panel(
                    "logs-all",
                    "All lines",
                    "Everything, newest first, by the service, level and words chosen above.",
                    "logs",
                    "none",
                    (Loki(CHOSEN),),
                    width=12,
                    height=12,
                ),
            ),
        ),
    ),
)
