"""Whether it can serve, why not, since when, and who answers: the first thing that is looked at."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import CHOSEN, PREDICTIONS, REPLICA, SETTLED, quantile

_GOOD = ((None, "red"), (1, "green"))
_BAD = ((None, "green"), (1, "red"))
_EDGE = {"job": "edge", "instance": "edge:9113"}
_RUNNING = {'process_start_time_seconds{job="control_plane", instance="a:8000"}': "1000x40"}
_ERRORS = f'sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}, status=~"5.."}}[$__rate_interval]))'
_REQUESTS = f"sum(rate(weedwatch_http_requests_total{{{PREDICTIONS}, {REPLICA}}}[$__rate_interval]))"

_NOW = (
    Panel(
        "ready",
        "Ready",
        "1: in each replica a reference picture has gone the whole way and was answered as pinned.",
        "stat",
        "none",
        (Prom(f"min(weedwatch_ready{{{REPLICA}}})", "ready", instant=True),),
        width=3,
        height=4,
        steps=_GOOD,
    ),
    Panel(
        "alerts-now",
        "Firing alerts",
        "How many alerts fire now. The one that always fires does not count.",
        "stat",
        "none",
        (Prom('count(ALERTS{alertstate="firing", alertname!="Watchdog"}) or vector(0)', "alerts", instant=True),),
        width=3,
        height=4,
        steps=_BAD,
    ),
    Panel(
        "error-share-now",
        "Failed",
        "Share of the predictions that were answered with a status from 500 on.",
        "stat",
        "percentunit",
        (Prom(f"(({_ERRORS}) or vector(0)) / ({_REQUESTS} > 0) or vector(0)", "failed"),),
        width=3,
        height=4,
        steps=((None, "green"), (limits.ERROR_RATIO, "orange"), (limits.ERROR_CRITICAL_RATIO, "red")),
        decimals=1,
    ),
    Panel(
        "request-rate-now",
        "Predictions a second",
        "Requests for a prediction, whatever became of them.",
        "stat",
        "reqps",
        (Prom(f"{_REQUESTS} or vector(0)", "requests"),),
        width=3,
        height=4,
        steps=((None, "blue"),),
        decimals=2,
    ),
    Panel(
        "p95-now",
        "P95",
        "95 % of the predictions take less than this, from the request's last byte to the answer.",
        "stat",
        "s",
        (Prom(quantile(0.95, "weedwatch_prediction_seconds", CHOSEN), "P95"),),
        width=4,
        height=4,
        steps=((None, "green"), (limits.P95_SECONDS, "red")),
    ),
    Panel(
        "budget-now",
        "Error budget left",
        "Of the objective that has least left of its thirty days. Below 0 the promise is broken.",
        "stat",
        "percentunit",
        (Prom("min(slo:period_error_budget_remaining:ratio)", "left", instant=True),),
        width=4,
        height=4,
        steps=((None, "red"), (0.0, "orange"), (0.25, "green")),
        decimals=0,
    ),
    Panel(
        "build",
        "Replicas by version of Weedwatch",
        "Two lines while an update is under way, or after one that has stopped half way.",
        "stat",
        "none",
        (Prom("count by (version) (weedwatch_build)", "{{version}}", instant=True),),
        width=4,
        height=4,
        steps=((None, "blue"),),
    ),
    Panel(
        "not-ready-reasons",
        "Why it cannot serve",
        "Red while a reason holds. stopping: it is being ended. records: neither PostgreSQL nor the spool can keep "
        "answers. no_model, no_worker, "
        "wrong_answers, unproven, silent: see the runbook of NotReady.",
        "state",
        "none",
        (
            Prom(f"max by (reason) (weedwatch_not_ready{{{REPLICA}}})", "{{reason}}"),
            Prom('1 - min(up{job="control_plane"})', "control plane down"),
            Prom(f"1 - min(weedwatch_database_up{{{REPLICA}}})", "database down"),
        ),
        width=8,
        steps=_BAD,
    ),
    Panel(
        "alerts-since",
        "What fires, since when",
        "Each alert with the time at which its condition began. Watchdog always fires: it shows that alerts arrive.",
        "table",
        "dateTimeAsIso",
        (
            Prom(
                "1000 * max by (alertname, severity, topic, model, version, reason, slo, instance) "
                '(ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{alertstate="firing"})',
                "{{alertname}}",
                instant=True,
            ),
        ),
        width=8,
    ),
    Panel(
        "who-answers",
        "Who answers",
        "Share of the requests that each version answers (stable, canary) or only hears (shadow).",
        "table",
        "percentunit",
        (
            Prom(
                f"max by (model, version, part) (weedwatch_rollout_share{{{CHOSEN}}}) > 0",
                "{{model}} {{version}}, {{part}}",
                instant=True,
            ),
        ),
        width=8,
    ),
)

_FAILING = ("ErrorRatioHigh", "ErrorRatioCritical", "ProcessingErrors", "NoPredictions")


def _burns(objective: str) -> tuple[str, ...]:
    return tuple(f'{burn.alert}{{slo="{objective}"}}' for burn in limits.BURNS)


_NOT_READY_STEPS = (
    "`weedwatch status` says the reasons in sentences; the table in docs/running.md, “When something is wrong”, says "
    "what each one means.",
    "`no_model`, `no_worker`: `weedwatch models show plants` says what state the version is in and why. Look for the "
    "cause in the logs of TorchServe (`logs/torchserve.log`) and of the handler (`logs/handler.log`).",
    "`wrong_answers`, `unproven`: the version does not answer its reference pictures as pinned. Go back to the one "
    "before: `weedwatch models rollback plants`.",
    "`silent`: workers are there and answer nothing. The machine is stuck or out of memory; see the dashboard "
    "Infrastructure.",
    "`records`: see the runbook of DatabaseDown, then how full spool and disk are.",
)

TOPIC = Topic(
    "readiness",
    rows=(Row("service", "What is wrong, since when, in which version", _NOW),),
    alerts=(
        Alert(
            "ControlPlaneDown",
            'up{job="control_plane"} == 0 or absent(up{job="control_plane"})',
            "critical",
            "The control plane does not answer.",
            "Prometheus cannot read its metrics. If the process is gone nobody gets an answer; if there are several "
            "replicas, the others still serve.",
            (
                "`.venv/bin/python -m standalone status` says which parts run. A part that has died is started again "
                "within seconds; if it dies again and again, `logs/supervisor.log` and `logs/control_plane.log` say "
                "why.",
                "Nothing runs: `make run`.",
                "It runs and answers `weedwatch status`: Prometheus cannot reach it. Look at Prometheus under "
                "Status → Targets: a wrong address, or a key for `/metrics` that has expired.",
            ),
            "not-ready-reasons",
            fires=Case(
                {'up{job="control_plane", instance="a:8000"}': "1x10 0x30"},
                labels={"job": "control_plane", "instance": "a:8000"},
                value="0",
            ),
            quiet=Case(
                {
                    'up{job="control_plane", instance="a:8000"}': "1x40",
                    'up{job="torchserve", instance="a:8000"}': "0x40",
                }
            ),
            for_seconds=15,
            value="{{ $value }}",
            covers=(
                *("NotReady", "ModelNotLoaded", "DatabaseDown", "TorchServeDown", "NoRequests", "NoPredictions"),
                *("NoLeader", "ScrapeTargetMissing"),
                *_burns("readiness"),
            ),
        ),
        Alert(
            "EdgeDown",
            'up{job="edge"} == 0',
            "critical",
            "nginx, through which all requests come, does not answer.",
            "Nobody outside gets an answer or sees a page, while the service behind it may be well. "
            "Only the Compose stack has it.",
            (
                "`docker compose ps edge` says whether it runs; `docker compose logs --tail 50 edge` says why not. "
                "Most often it is a certificate that cannot be read, or a mistake in a file of its own that somebody "
                "mounted.",
                "It is gone: `docker compose up -d edge`.",
                "It runs, and the pages open: only Prometheus does not reach it, on the network `monitoring`.",
            ),
            "up",
            fires=Case({'up{job="edge", instance="edge:9113"}': "1x10 0x30"}, labels=_EDGE, value="0"),
            quiet=Case(
                {
                    'up{job="edge", instance="edge:9113"}': "1x40",
                    'up{job="control_plane", instance="a:8000"}': "0x40",
                }
            ),
            for_seconds=30,
            value="{{ $value }}",
            covers=("NoRequests", "NoPredictions"),
        ),
        Alert(
            "NotReady",
            f"max by (instance, reason) (weedwatch_not_ready == 1 and on (instance) ({SETTLED}))",
            "critical",
            "{{ $labels.instance }} cannot serve: {{ $labels.reason }}.",
            "The label `reason` says why. A replica that is not ready gets no requests from a balancer; if it is the "
            "only one, predictions fail.",
            _NOT_READY_STEPS,
            "not-ready-reasons",
            fires=Case(
                {
                    'weedwatch_not_ready{job="control_plane", instance="a:8000", reason="wrong_answers"}': "0x10 1x30",
                    'weedwatch_not_ready{job="control_plane", instance="a:8000", reason="records"}': "0x40",
                    **_RUNNING,
                },
                labels={"instance": "a:8000", "reason": "wrong_answers"},
                value="1",
            ),
            quiet=Case(
                {
                    # One that works, and one that was started a minute ago.
                    'weedwatch_not_ready{job="control_plane", instance="a:8000", reason="no_worker"}': "0x40",
                    'weedwatch_not_ready{job="control_plane", instance="b:8000", reason="no_worker"}': "_x19 1x20",
                    'process_start_time_seconds{job="control_plane", instance="b:8000"}': "_x19 1140x20",
                    **_RUNNING,
                }
            ),
            for_seconds=15,
            value="{{ $value }}",
            covers=(*_FAILING, *_burns("readiness"), *_burns("answers")),
        ),
        Alert(
            "ModelNotLoaded",
            f"sum(weedwatch_ready_workers) == 0 and on () (count({SETTLED}) > 0)",
            "critical",
            "No worker of any model is ready.",
            "No replica has a worker: every prediction is answered with `model_not_loaded` (503).",
            (
                "`weedwatch models show plants` says what state each version is in, and why.",
                "TorchServe down? The alert TorchServeDown says so; then its runbook is the one to follow.",
                "Workers that die while they load are short of memory, or the archive is damaged: `logs/handler.log`. "
                "Fewer workers: `weedwatch models workers plants 1 1`.",
                "It began with a change: `weedwatch models rollback plants`.",
            ),
            "workers",
            fires=Case(
                {'weedwatch_ready_workers{job="control_plane", instance="a:8000"}': "2x10 0x30", **_RUNNING}, value="0"
            ),
            quiet=Case(
                {
                    'weedwatch_ready_workers{job="control_plane", instance="a:8000"}': "0x40",
                    'weedwatch_ready_workers{job="control_plane", instance="b:8000"}': "1x40",
                    **_RUNNING,
                }
            ),
            for_seconds=15,
            value="{{ $value }}",
            covers=(
                'NotReady{reason=~"no_model|no_worker|unproven|silent"}',
                *("WorkersMissing", "CanaryDead"),
                *_FAILING,
                *_burns("readiness"),
                *_burns("answers"),
            ),
        ),
        Alert(
            "DatabaseDown",
            "max by (instance) (weedwatch_database_up) == 0",
            "critical",
            "PostgreSQL does not answer {{ $labels.instance }}.",
            "Answers go to the spool and nobody notices at first. The history cannot be read, rollouts cannot be "
            "changed, and when the spool is full predictions are refused.",
            (
                "`weedwatch api GET /health/detailed` says what PostgreSQL answered (`database.detail`).",
                "The embedded one: `.venv/bin/python -m standalone status`, then `logs/postgres.log` and "
                "`logs/supervisor.log`.",
                "Your own: can this machine reach it (`DATABASE_URL`), is its disk full, are its connections used up?",
                "Nothing is lost while the spool has room: what waits there goes home by itself. Do not remove "
                "`.weedwatch/spool`.",
            ),
            "not-ready-reasons",
            fires=Case(
                {'weedwatch_database_up{job="control_plane", instance="a:8000"}': "1x10 0x30"},
                labels={"instance": "a:8000"},
                value="0",
            ),
            quiet=Case({'weedwatch_database_up{job="control_plane", instance="a:8000"}': "1x10 0 1x30"}, at="12m"),
            for_seconds=15,
            value="{{ $value }}",
            covers=(
                'NotReady{reason="records"}',
                "NoLeader",
                "SpoolGrowing",
                "DatabasePoolExhausted",
                *_burns("database"),
            ),
        ),
        Alert(
            "ControlPlaneRestarts",
            'changes(process_start_time_seconds{job="control_plane"}[10m]) > 2',
            "warning",
            "The control plane of {{ $labels.instance }} has been started again and again.",
            "More than twice in ten minutes. Requests that were under way at those moments failed.",
            (
                "`logs/supervisor.log` says how it ended each time, `logs/control_plane.log` what it said last.",
                "`ended with code -9`: the kernel ended it, mostly for memory. See the dashboard Infrastructure.",
                "It began with a new setting or version: take that back.",
            ),
            "restarts",
            fires=Case(
                {'process_start_time_seconds{job="control_plane", instance="a:8000"}': "0x9 600x2 720x2 900x30"},
                at="17m",
                labels={"job": "control_plane", "instance": "a:8000"},
                value="3",
            ),
            quiet=Case({'process_start_time_seconds{job="control_plane", instance="a:8000"}': "0x9 600x30"}, at="15m"),
            for_seconds=0,
            value="{{ $value }}",
        ),
    ),
)
