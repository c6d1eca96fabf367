"""docs/alerts.md and docs/older-metric-names.md: what is watched, who is told, what stands for what."""

from collections.abc import Iterator

from observability import limits
from observability.alertmanager import parsed
from observability.channels import VARIABLES
from observability.runbooks import SIGNS, panel_of, plain
from observability.topics import TOPICS
from observability.topics.objectives import OBJECTIVES
from observability.topics.older_names import LATER, OLDER, SAME

_NOTE = "<!-- Made by `python -m observability write`. -->"

_OLD_LIMITS = (
    ("P95 under 2 s", "LatencyP95High", "kept; and 99 % under half a second is an objective"),
    (
        "confidence under 60 %",
        "ConfidenceLow",
        f"kept, as the median of {limits.CONFIDENCE_WINDOW}: single unsure answers are normal",
    ),
    ("majority class over 80 %", "MajorityClass", "kept, with a least number of answers"),
    ("disk over 80 %", "DiskFilling", "kept"),
    ("database up 99.9 % of the time", "ErrorBudgetBurnsFast", "kept, as an objective with four burn rates"),
    (
        "fewer than 10 000 requests",
        "NoRequests",
        "not kept: a count without a time and a place says nothing. Whether anybody comes at all is watched, and a "
        "fall is seen on the panel “Predictions by outcome”",
    ),
    (
        "negative feedback over 50 %, satisfaction over 80 %",
        "",
        "comes with feedback on answers, which is not there yet",
    ),
)


def alerts() -> str:
    return "\n".join([*_head(), *_table(), *_objectives(), *_old_limits(), *_told(), *_channels(), *_silence()]) + "\n"


def _head() -> Iterator[str]:
    yield from (
        "# Alerts",
        "",
        _NOTE,
        "",
        "Prometheus decides what fires, Alertmanager who is told. `make observe` runs both beside the service. "
        "Each alert "
        "says what is the matter, what to do, and leads to its [runbook](runbooks/README.md), and to its graph and log "
        "lines where there is a Grafana (`WEEDWATCH_GRAFANA_URL` names it to `make observe`). "
        "The Status room of the web pages shows what fires. Prometheus shows all of them on its pages `/alerts` and "
        "`/rules`, what it scrapes on `/targets`.",
        "",
        "Debian's packages, which `make observe` takes where the machine has none, leave the pages of Prometheus and "
        "Alertmanager out: it then prints the same as JSON (`/api/v1/alerts`, `/api/v1/rules`, `/api/v1/targets`, "
        "`/api/v2/alerts`), and `.tools/monitoring/usr/bin/` has `promtool` and `amtool`. For the pages put "
        "Prometheus 3 and Alertmanager as their makers publish them (with `promtool` and `amtool`) on your `PATH`, "
        "remove `.tools/monitoring`, and "
        "start again.",
        "",
    )


def _table() -> Iterator[str]:
    yield from (
        "## All alerts",
        "",
        "| Alert | Severity | Fires when | Held for | Panel |",
        "|---|---|---|---|---|",
    )
    for topic in TOPICS:
        for alert in topic.alerts:
            panel, dashboard = panel_of(alert)
            yield (
                f"| [{alert.name}](runbooks/{alert.name}.md) | {SIGNS[alert.severity]} {alert.severity} "
                f"| {plain(alert.summary)} | {alert.for_seconds} s | {dashboard}: {panel.title} |"
            )
    yield from (
        "",
        "Thresholds stand once, in `observability/limits.py`: rules compare with them, panels draw them. Shares have a "
        f"floor: below {300 * limits.LEAST_FAILURES_PER_SECOND:.0f} failures, or "
        f"{300 * limits.LEAST_REQUESTS_PER_SECOND:.0f} requests, in five minutes nobody is called. Who has been "
        "started "
        "less than two minutes ago may be not ready.",
        "",
    )


def _objectives() -> Iterator[str]:
    yield from (
        "## Objectives",
        "",
        "| `slo` | Promise over thirty days |",
        "|---|---|",
        *(f"| {each.name} | {each.description} |" for each in OBJECTIVES),
        "",
        "What may go wrong is the error budget. An alert fires when it burns too fast in a long and in a short "
        "window: the "
        "long one shows that it matters, the short one that it still goes on.",
        "",
        "| Alert | Budget burns | Windows | Held for | Severity |",
        "|---|---|---|---|---|",
        *(
            f"| {burn.alert} | {burn.times:g} times as fast | {burn.short} and {burn.long} "
            f"| {burn.for_seconds // 60} min "
            f"| {burn.severity} |"
            for burn in limits.BURNS
        ),
        "",
    )


def _old_limits() -> Iterator[str]:
    yield from (
        "## Thresholds of older systems",
        "",
        "| Threshold | Alert | What became of it |",
        "|---|---|---|",
        *(
            f"| {limit} | {f'[{name}](runbooks/{name}.md)' if name else '—'} | {became} |"
            for limit, name, became in _OLD_LIMITS
        ),
        "",
    )


def _told() -> Iterator[str]:
    yield from (
        "## Who is told, and how often",
        "",
        "| Severity | First message | Again | Discord, Slack, webhook | Mail | PagerDuty |",
        "|---|---|---|---|---|---|",
    )
    for severity, repeat in limits.REPEAT.items():
        mail = "yes" if severity != "info" else "no"
        page = "yes" if severity == "critical" else "no"
        yield (
            f"| {SIGNS[severity]} {severity} | after {limits.WAIT_SECONDS[severity]} s | every {repeat} | yes | {mail} "
            f"| {page} |"
        )
    yield from (
        "",
        "Alerts of one name are one message. When they are over that is said too (✅), within a minute. What "
        "follows from "
        "another alert is held back while that one fires, so that one fault is one message:",
        "",
        "| While this fires | these are held back |",
        "|---|---|",
    )
    for topic in TOPICS:
        for alert in topic.alerts:
            if alert.covers:
                yield f"| {alert.name} | {', '.join(_held(alert.covers))} |"
    yield from (
        "",
        "Where both name a replica, version or promise, only that of the same is held back. Watchdog fires "
        "always and goes "
        "to `HEARTBEAT_URL_FILE` alone, every minute: point it at something that misses it.",
        "",
    )


def _held(covers: tuple[str, ...]) -> Iterator[str]:
    """The alerts in words; those about error budgets together."""
    burns = {burn.alert for burn in limits.BURNS}
    budgets = []
    for name, matcher in map(parsed, covers):
        if name in burns and matcher:
            budgets.append(matcher.split('"')[1])
        else:
            yield f"{name} ({matcher.replace('|', ', ')})" if matcher else name
    if budgets:
        yield f"the error budget of {' and of '.join(dict.fromkeys(budgets))}"


def _channels() -> Iterator[str]:
    yield from (
        "## Channels",
        "",
        "Which are used is decided by which are set, in the environment or in `.env`. Secrets stand in files, which "
        "Alertmanager reads itself; a file that is missing or empty stops the command with a sentence.",
        "",
        "| Variable | What |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in VARIABLES.items()),
        "",
        "**In the Compose stack**, for instance Discord: *Server settings → Integrations → Webhooks → Copy webhook "
        "URL*, then, beside `compose.yaml`,",
        "",
        "<!-- not run: it needs an address of Discord; `make alerts` by itself: tests/unit/deploy/test_alerts.py, a "
        "stand-in for Discord: tests/integration/observability/test_alertmanager.py -->",
        "```sh",
        "install -m 444 /dev/stdin deploy/secrets/alerting/discord  # paste the address, then Ctrl-D",
        "echo DISCORD_WEBHOOK_URL_FILE=deploy/secrets/alerting/discord >>.env",
        "make alerts",
        "```",
        "",
        "`make alerts` copies each secret to a name of its own in `deploy/secrets/alerting`, where the container's "
        "user may read it, writes "
        "`deploy/watching` from what is committed, names it in `.env` (`WEEDWATCH_OBSERVABILITY`), and starts again "
        "what reads it. It leads the links of alerts and dashboards to the stack's own address (`WEEDWATCH_NAME`, "
        "`WEEDWATCH_HTTPS_PORT`) and to Grafana's (`WEEDWATCH_GRAFANA_URL`, else this machine's port). Run it again "
        "after a change of these or of a secret; after an update `make up` does. The image of the control plane must "
        "be there, so on a new host `make up` comes first.",
        "",
        "**Beside `make run`**: `DISCORD_WEBHOOK_URL_FILE=$PWD/discord-webhook make observe`. **Anywhere else** "
        "`.venv/bin/python -m observability write FOLDER --service https://… --grafana https://…` writes all files; "
        "`--secrets-at /run/secrets` says in which folder a container sees those of secrets.",
        "",
        "A message has a sign by severity (🔴 🟡 🔵, ✅ when it is over), the value, what to do, and links to "
        "runbook, graph "
        "and logs. The bar beside a message of Discord is red while it fires and green when it is over, whatever the "
        "severity: Alertmanager has no setting for it.",
        "",
    )


def _silence() -> Iterator[str]:
    yield from (
        "## Silence and acknowledge",
        "",
        "On Alertmanager's page (`http://127.0.0.1:9093`) where it has one, or by command; its port is on the line "
        "`Alerts` that `make observe` prints. To acknowledge is to silence for as "
        "long as you "
        "need, with your name and why. In Compose `docker compose exec alertmanager amtool "
        "--alertmanager.url=http://127.0.0.1:9093 …` is the same.",
        "",
        "<!-- not run: amtool is checked with our configuration in "
        "tests/integration/observability/test_alertmanager.py, silences by hand -->",
        "```sh",
        "PATH=$PATH:$PWD/.tools/monitoring/usr/bin  # where amtool is, unless the machine has its own",
        "export ALERTMANAGER=--alertmanager.url=http://127.0.0.1:9093",
        "amtool $ALERTMANAGER alert query",
        "amtool $ALERTMANAGER silence add alertname=DatabaseDown --duration=1h --author=ada "
        "--comment='the disk is being replaced'",
        "amtool $ALERTMANAGER silence add alertname=~'NoRequests|NoPredictions' "
        "--duration=12h "
        "--author=ada --comment='night'",
        "amtool $ALERTMANAGER silence query",
        "amtool $ALERTMANAGER silence expire ID",
        "```",
        "",
        "## A new alert",
        "",
        "One edit in one place: an `Alert` in a topic of `observability/topics/`, with the case that fires and "
        "the one that "
        "is quiet; without them it cannot be written. `.venv/bin/python -m observability write` makes rules, tests, "
        "runbook and this "
        "page. `.venv/bin/python -m observability check` says which metrics do not exist.",
    )


def _cell(expr: str) -> str:
    return expr.replace("{part}", "_…").replace("|", r"\|")


def older_names() -> str:
    """docs/older-metric-names.md."""
    lines = [
        "# Names of older systems' metrics",
        "",
        _NOTE,
        "",
        "Dashboards and queries of the systems that Weedwatch replaces go on working: recording rules say its metrics "
        "under their names, every fifteen seconds. For something new use the metrics themselves.",
        "",
        "| Name | What | From | Unlike before |",
        "|---|---|---|---|",
        *(
            f"| `{each.name}`{' (histogram)' if '{part}' in each.expr else ''} | {each.means} "
            f"| `{_cell(each.expr)}` | {each.unlike or '—'} |"
            for each in OLDER
        ),
        "",
        "The same name as before, told by the service itself:",
        "",
        "| Name | What |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in SAME),
        "",
        "Not there yet:",
        "",
        "| Name | What |",
        "|---|---|",
        *(f"| `{name}` | {text} |" for name, text in LATER),
        "",
        "For instance `rate(http_requests_total[5m])`, "
        "`histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))`, "
        "`sum(model_predictions_total)`, `process_resident_memory_bytes`.",
    ]
    return "\n".join(lines) + "\n"
