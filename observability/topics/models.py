"""Versions: their workers, proofs, shares and changes."""

from observability import limits
from observability.parts import Alert, Case, Panel, Prom, Row, Topic
from observability.promql import CHOSEN, FAILED, happened, quantile

_LABELS = "model, version, part"
_DEAD = happened('weedwatch_guard_rollbacks_total{reason="silent"}', "model, version")
_ROLLBACKS = "weedwatch_guard_rollbacks_total"
_WORKERS = "weedwatch_version_workers"
_NAME = "{{model}} {{version}}, {{part}}"
_MODEL = 'model=~"$model"'
_BOTH = 'model=~"$model", version=~"$version"'


def _workers(part: str, wanted: str, ready: str) -> dict[str, str]:
    of = f'{_WORKERS}{{job="control_plane", instance="a:8000", model="plants", version="2", part="{part}", state="%s"}}'
    return {of % "wanted": wanted, of % "ready": ready}


def _rollback(reason: str, values: str) -> dict[str, str]:
    return {
        f'{_ROLLBACKS}{{job="control_plane", model="plants", version="2", reason="{reason}"}}': values,
    }


def _change(outcome: str, values: str) -> dict[str, str]:
    of = 'job="control_plane", instance="a:8000", model="plants", kind="rollout"'
    return {f'weedwatch_changes_total{{{of}, outcome="{outcome}"}}': values}


_ROLLOUT = (
    Panel(
        "shares",
        "Who answers how much",
        "Share of the requests that each version answers (stable, canary) or hears (shadow).",
        "timeseries",
        "percentunit",
        (Prom(f"max by ({_LABELS}) (weedwatch_rollout_share{{{CHOSEN}}})", _NAME),),
    ),
    Panel(
        "version-workers",
        "Workers of each version",
        "Wanted and ready. A version that is loading has fewer than wanted for some seconds.",
        "timeseries",
        "short",
        (Prom(f"max by ({_LABELS}, state) ({_WORKERS}{{{CHOSEN}}})", _NAME + ", {{state}}"),),
        steps=((None, "red"), (1, "green")),
    ),
    Panel(
        "proven",
        "Proven",
        "1 while all reference pictures of a version answer as pinned.",
        "state",
        "none",
        (Prom(f"min by ({_LABELS}) (weedwatch_version_proven{{{CHOSEN}}})", _NAME),),
        steps=((None, "red"), (1, "green")),
    ),
    Panel(
        "sick",
        "Sick",
        "1 for a version that cannot be loaded or answers wrongly.",
        "state",
        "none",
        (
            Prom(
                f"max by (model, version) (weedwatch_version_sick{{{CHOSEN}}})",
                "{{model}} {{version}}",
            ),
        ),
        steps=((None, "green"), (1, "red")),
    ),
    Panel(
        "changes",
        "Changes",
        "Changes of who answers, by what was asked for and how it ended, since the replicas were started.",
        "bars",
        "short",
        (
            Prom(
                f"sum by (model, kind, outcome) (weedwatch_changes_total{{{_MODEL}}})",
                "{{model}}: {{kind}}, {{outcome}}",
            ),
        ),
    ),
    Panel(
        "guard-rollbacks",
        "Canaries taken away",
        "By the guard: failed, slow, disagrees, or silent (dead).",
        "bars",
        "short",
        (
            Prom(
                f"sum by (model, version, reason) ({_ROLLBACKS}{{{_BOTH}}}) or vector(0)",
                "{{model}} {{version}}: {{reason}}",
            ),
        ),
        steps=((None, "green"), (1, "orange")),
    ),
    Panel(
        "revision",
        "Revision of the rollout",
        "Goes up with each change; replicas that differ for longer than seconds have lost the database.",
        "timeseries",
        "none",
        (Prom(f"weedwatch_rollout_revision{{{_MODEL}}}", "{{model}}, {{instance}}"),),
        width=12,
        decimals=0,
    ),
    Panel(
        "rollout-leader",
        "Leader and replicas",
        "One replica leads: it carries changes through. None for a minute: an alert.",
        "timeseries",
        "short",
        (
            Prom("sum(weedwatch_leader)", "leaders"),
            Prom("max(weedwatch_replicas)", "replicas"),
        ),
        width=12,
        decimals=0,
    ),
)

_COMPARED = (
    Panel(
        "canary-errors",
        "Failed: canary beside stable",
        f"Share of the predictions that failed, by role. The guard takes a canary away that fails "
        f"{limits.ERROR_RATIO:.0%} more often than stable.",
        "timeseries",
        "percentunit",
        (
            Prom(
                f"(sum by (model, version, role) (rate(weedwatch_predictions_total{{{FAILED}, {_BOTH}}}"
                "[$__rate_interval])) or 0 * sum by (model, version, role) "
                f"(rate(weedwatch_predictions_total{{{_BOTH}}}[$__rate_interval]))) / sum by (model, version, role) "
                f"(rate(weedwatch_predictions_total{{{_BOTH}}}[$__rate_interval]))",
                "{{model}} {{version}}, {{role}}",
            ),
        ),
        steps=((None, "green"), (limits.ERROR_RATIO, "red")),
    ),
    Panel(
        "canary-latency",
        "P95: canary beside stable",
        "The guard takes a canary away whose P95 is twice stable's, and more than 50 ms longer.",
        "timeseries",
        "s",
        (
            Prom(
                quantile(0.95, "weedwatch_prediction_seconds", _BOTH, by="model, version, role"),
                "{{model}} {{version}}, {{role}}",
            ),
        ),
        steps=((None, "green"), (limits.P95_SECONDS, "red")),
    ),
    Panel(
        "shadow-agreement",
        "Agreement of shadows and canaries",
        "Of the pictures that two versions were asked for, the share that both named the same.",
        "timeseries",
        "percentunit",
        (
            Prom(
                "sum by (model, version) (rate(weedwatch_shadow_copies_total"
                f'{{outcome="agrees", {_BOTH}}}[$__rate_interval])) / sum by (model, version) '
                f'(rate(weedwatch_shadow_copies_total{{outcome=~"agrees|disagrees", {_BOTH}}}[$__rate_interval]))',
                "{{model}} {{version}}",
            ),
        ),
    ),
    Panel(
        "shadow-copies",
        "Copies for other versions",
        "By what became of them. shed: there was too much to do; copies are the first to go.",
        "timeseries",
        "reqps",
        (
            Prom(
                f"sum by (model, version, outcome) (rate(weedwatch_shadow_copies_total{{{_BOTH}}}[$__rate_interval]))",
                "{{model}} {{version}}: {{outcome}}",
            ),
        ),
        width=12,
        stacked=True,
    ),
    Panel(
        "probes",
        "Reference predictions",
        "Pictures with a known answer that the service sends itself, by result.",
        "timeseries",
        "reqps",
        (Prom("sum by (result) (rate(weedwatch_probes_total[$__rate_interval]))", "{{result}}"),),
        width=12,
        stacked=True,
    ),
)

_LOOK = (
    "`weedwatch models show plants` says what state each version is in, and why.",
    "`weedwatch models evidence plants 2` has what speaks for and against it.",
)

TOPIC = Topic(
    "models",
    rows=(Row("quality", "Rollouts", _ROLLOUT), Row("quality", "Versions compared", _COMPARED)),
    alerts=(
        Alert(
            "CanaryDead",
            f"({_DEAD}) "
            f'or (max_over_time(sum by (model, version) ({_WORKERS}{{part="canary", state="ready"}})[1m:15s]) == 0 '
            f'and sum by (model, version) ({_WORKERS}{{part="canary", state="wanted"}}) > 0)',
            "warning",
            "Canary {{ $labels.version }} of {{ $labels.model }} answers nothing.",
            "It has no worker any more, or its workers are stuck. Stable answers in its place, so callers see nothing; "
            "the guard takes a dead canary away after twenty seconds.",
            (
                *_LOOK,
                "The logs dashboard, service handler and torchserve, has what its workers said last.",
                "Mend the version and add it under another number. Forget this one: `weedwatch models rm plants 2`.",
            ),
            "guard-rollbacks",
            fires=Case(
                _rollback("silent", "_x10 1x30"), at="15m", labels={"model": "plants", "version": "2"}, value="1"
            ),
            quiet=Case({**_workers("canary", "2x40", "2x15 0 2x20"), **_rollback("slow", "0x10 1x30")}, at="15m"),
            for_seconds=0,
            value='{{ $value | printf "%.0f" }}',
            covers=('WorkersMissing{part="canary"}', "VersionSick"),
        ),
        Alert(
            "CanaryRolledBack",
            happened(_ROLLBACKS + '{reason!="silent"}', "model, version, reason"),
            "warning",
            "Canary {{ $labels.version }} of {{ $labels.model }} was taken away: {{ $labels.reason }}.",
            "The guard compared it with stable over the last minute: it failed more often (failed), took twice as long "
            "(slow), or named too many pictures otherwise (disagrees). Stable answers everything again.",
            (
                *_LOOK,
                "“Versions compared” on the panel's dashboard shows both side by side at that time.",
                "Mend the version, evaluate it (`weedwatch models evaluate plants 2`), then try again.",
            ),
            "guard-rollbacks",
            fires=Case(
                _rollback("disagrees", "_x10 1x30"),
                at="15m",
                labels={"model": "plants", "version": "2", "reason": "disagrees"},
                value="1",
            ),
            # It was an hour ago.
            quiet=Case(_rollback("disagrees", "0x5 1x60"), at="50m"),
            for_seconds=0,
            value='{{ $value | printf "%.0f" }}',
        ),
        Alert(
            "WorkersMissing",
            f'max by ({_LABELS}) ({_WORKERS}{{state="wanted"}} - ignoring (state) {_WORKERS}{{state="ready"}}) > 0',
            "warning",
            "Version {{ $labels.version }} of {{ $labels.model }} ({{ $labels.part }}) has fewer workers than wanted.",
            "For three minutes. It still answers if one is left, and slower.",
            (
                _LOOK[0],
                "`logs/torchserve.log` and `logs/handler.log` say why workers end. A worker needs about 0.5 GB: is "
                "there memory left (dashboard Infrastructure)?",
                "Take what the machine can carry: `weedwatch models workers plants 1 1`.",
            ),
            "version-workers",
            fires=Case(
                _workers("stable", "3x40", "3x5 1x35"),
                labels={"model": "plants", "version": "2", "part": "stable"},
                value="2",
            ),
            # One dies and is back two minutes later.
            quiet=Case(_workers("stable", "3x40", "3x17 2x1 3x20")),
            for_seconds=180,
            value="{{ $value }}",
        ),
        Alert(
            "VersionSick",
            "max by (model, version) (weedwatch_version_sick) == 1",
            "warning",
            "Version {{ $labels.version }} of {{ $labels.model }} cannot be loaded, or answers wrongly.",
            "It answers nobody. If it was to be the next stable version, the change has stopped and the one before "
            "goes on answering.",
            (
                *_LOOK,
                "`cannot be loaded`: what TorchServe and the handler said stands there too; docs/models.md says "
                "what an archive needs.",
                "Forget it: `weedwatch models rm plants 2`.",
            ),
            "sick",
            fires=Case(
                {'weedwatch_version_sick{job="control_plane", model="plants", version="2"}': "0x5 1x35"},
                labels={"model": "plants", "version": "2"},
                value="1",
            ),
            quiet=Case({'weedwatch_version_sick{job="control_plane", model="plants", version="2"}': "0x40"}),
            for_seconds=30,
            value="{{ $value }}",
        ),
        Alert(
            "NoLeader",
            "sum(weedwatch_leader) == 0",
            "warning",
            "No replica leads.",
            "Predictions go on. Changes of who answers, uploads and the guard wait until one leads again; that takes "
            "seconds when a replica has died.",
            (
                "The leader's lease lies in PostgreSQL: see the runbook of DatabaseDown.",
                "`weedwatch api GET /health/detailed` on each replica; the logs say `lease` when one loses it.",
                "Start the replicas again, one after the other.",
            ),
            "rollout-leader",
            fires=Case(
                {
                    'weedwatch_leader{job="control_plane", instance="a:8000"}': "1x10 0x30",
                    'weedwatch_leader{job="control_plane", instance="b:8000"}': "0x40",
                },
                value="0",
            ),
            quiet=Case(
                {
                    'weedwatch_leader{job="control_plane", instance="a:8000"}': "1x10 0x30",
                    'weedwatch_leader{job="control_plane", instance="b:8000"}': "0x10 1x30",
                }
            ),
            value="{{ $value }}",
        ),
        Alert(
            "ChangeFailed",
            happened('weedwatch_changes_total{outcome="failed"}', "model, kind"),
            "warning",
            "A change of {{ $labels.model }} failed: {{ $labels.kind }}.",
            "What answered before goes on answering. Nothing is half done.",
            (
                _LOOK[0],
                "`weedwatch models watch plants` says at which stage the newest change stopped, and why.",
                "Mend the cause, then ask for it again.",
            ),
            "changes",
            fires=Case(
                _change("failed", "0x10 1x30"), at="15m", labels={"model": "plants", "kind": "rollout"}, value="1"
            ),
            quiet=Case({**_change("done", "0+1x40"), **_change("cancelled", "0+1x40")}),
            for_seconds=0,
            value='{{ $value | printf "%.0f" }}',
        ),
    ),
)
