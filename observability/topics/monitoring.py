"""Who watches the watchers: Prometheus, Alertmanager, and the way of an alert to a person."""

from observability.parts import Alert, Case, Panel, Prom, Row, Topic

_OTHERS = 'up{job!~"control_plane|edge"} == 0 unless on (instance) up{job="control_plane"} == 0'

TOPIC = Topic(
    "monitoring",
    rows=(
        Row(
            "infrastructure",
            "What is up",
            (
                Panel(
                    "up",
                    "What Prometheus reaches",
                    "Each target of Prometheus over time: yes, it answered; no, it did not.",
                    "state",
                    "none",
                    (Prom("up", "{{job}} {{instance}}"),),
                    width=16,
                ),
                Panel(
                    "alerts-table",
                    "Alerts that fire",
                    "Which alerts fire now, by severity. Watchdog always does: it shows that alerts get through.",
                    "table",
                    "none",
                    (
                        Prom(
                            'sum by (alertname, severity, topic) (ALERTS{alertstate="firing"})',
                            instant=True,
                        ),
                    ),
                    width=8,
                ),
            ),
        ),
        Row(
            "infrastructure",
            "Monitoring",
            (
                Panel(
                    "prometheus-series",
                    "Series",
                    "Series that Prometheus holds in memory. It grows with models, versions and replicas, never with "
                    "requests: a steep line is a label that should not be one.",
                    "timeseries",
                    "short",
                    (Prom("prometheus_tsdb_head_series", "{{instance}}"),),
                ),
                Panel(
                    "prometheus-scrapes",
                    "Duration of scrapes",
                    "How long each target takes to say its figures. Near ten seconds samples are lost.",
                    "timeseries",
                    "s",
                    (Prom("scrape_duration_seconds", "{{job}} {{instance}}"),),
                    steps=((None, "green"), (5, "orange")),
                ),
                Panel(
                    "prometheus-samples",
                    "Samples a scrape",
                    "How many figures each target says.",
                    "timeseries",
                    "short",
                    (Prom("scrape_samples_scraped", "{{job}} {{instance}}"),),
                ),
                Panel(
                    "prometheus-rules",
                    "Rules that fail",
                    "Evaluations of rules that failed: alerts of that group do not fire, whatever happens.",
                    "timeseries",
                    "short",
                    (
                        Prom(
                            "sum by (rule_group)"
                            " (increase(prometheus_rule_evaluation_failures_total[$__rate_interval]))",
                            "{{rule_group}}",
                        ),
                    ),
                    steps=((None, "green"), (1, "red")),
                ),
                Panel(
                    "prometheus-rule-seconds",
                    "Duration of rules",
                    "How long the newest evaluation of each group of rules took; they run every fifteen seconds.",
                    "timeseries",
                    "s",
                    (Prom("prometheus_rule_group_last_duration_seconds", "{{rule_group}}"),),
                ),
                Panel(
                    "alertmanager-notifications",
                    "Messages to people",
                    "Messages that were sent, by all channels, and those that failed, by channel.",
                    "timeseries",
                    "short",
                    (
                        Prom("sum(increase(alertmanager_notifications_total[$__rate_interval]))", "sent"),
                        Prom(
                            "(sum by (integration)"
                            " (increase(alertmanager_notifications_failed_total[$__rate_interval])) > 0)"
                            ' or label_replace(vector(0), "integration", "any", "", "")',
                            "{{integration}} failed",
                        ),
                    ),
                ),
                Panel(
                    "alertmanager-alerts",
                    "Alerts at Alertmanager",
                    "Alerts that it knows: active, or suppressed since another one explains them.",
                    "timeseries",
                    "short",
                    (Prom("sum by (state) (alertmanager_alerts)", "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "prometheus-to-alertmanager",
                    "Prometheus to Alertmanager",
                    "Alerts that Prometheus could not hand on.",
                    "timeseries",
                    "short",
                    (
                        Prom("increase(prometheus_notifications_errors_total[$__rate_interval])", "errors"),
                        Prom("increase(prometheus_notifications_dropped_total[$__rate_interval])", "dropped"),
                    ),
                    steps=((None, "green"), (1, "red")),
                ),
                Panel(
                    "prometheus-exemplars",
                    "Exemplars",
                    "Single requests that Prometheus remembers beside the graphs, each with its trace.",
                    "timeseries",
                    "short",
                    (Prom("prometheus_tsdb_exemplar_exemplars_in_storage", "{{instance}}"),),
                ),
            ),
        ),
    ),
    alerts=(
        Alert(
            "ScrapeTargetMissing",
            _OTHERS,
            "warning",
            "Prometheus does not reach {{ $labels.job }} at {{ $labels.instance }}.",
            "What it tells is missing on the dashboards, and alerts that need it cannot fire.",
            (
                "Prometheus says why: its page `/targets`, column Error; without pages `/api/v1/targets`, `lastError`.",
                "The process is gone: start it again, and read the end of its log.",
                "401 or 403: the key in the credentials file was revoked or lacks the scope `read`.",
            ),
            "up",
            fires=Case(
                {
                    'up{job="torchserve", instance="one"}': "0x30",
                    'up{job="control_plane", instance="one"}': "1x30",
                },
                labels={"job": "torchserve", "instance": "one"},
                value="0",
            ),
            # The control plane passes TorchServe's figures on: when it is away that is said once, by its own alert.
            quiet=Case(
                {
                    'up{job="torchserve", instance="one"}': "0x30",
                    'up{job="control_plane", instance="one"}': "0x30",
                }
            ),
            for_seconds=120,
        ),
        Alert(
            "RuleEvaluationFails",
            "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[5m])) > 0",
            "warning",
            "Rules of {{ $labels.rule_group }} cannot be evaluated.",
            "Their alerts do not fire, whatever happens.",
            (
                "Prometheus says why: its page `/rules`, in red; without pages `/api/v1/rules`, `lastError`.",
                "“many-to-many matching”: two replicas or targets say the same series; look for one that is scraped "
                "twice.",
                "It began with a change of the rules: go back, and run `promtool test rules` on the new ones.",
            ),
            "prometheus-rules",
            fires=Case(
                {'prometheus_rule_evaluation_failures_total{rule_group="latency", instance="one"}': "0+1x30"},
                labels={"rule_group": "latency"},
                value="5",
            ),
            quiet=Case({'prometheus_rule_evaluation_failures_total{rule_group="latency", instance="one"}': "3x30"}),
        ),
        Alert(
            "NotificationsFail",
            "sum by (integration) (increase(alertmanager_notifications_failed_total[5m])) > 0",
            "warning",
            "Messages by {{ $labels.integration }} do not get through.",
            "Who relies on that channel is not told of alerts. Those of other channels still are.",
            (
                "`logs/alertmanager.log` says why, by receiver: an address that is wrong, a secret that was revoked, a "
                "host that is away.",
                "Check its file of secrets: it must be readable, and hold nothing but the secret.",
                "Until it is mended, look at the panel of alerts that fire.",
            ),
            "alertmanager-notifications",
            fires=Case(
                {
                    'alertmanager_notifications_failed_total{integration="discord", reason="clientError"}': "0+1x30",
                    'alertmanager_notifications_failed_total{integration="discord", reason="other"}': "0x30",
                },
                labels={"integration": "discord"},
                value="5",
            ),
            quiet=Case(
                {'alertmanager_notifications_failed_total{integration="discord", reason="clientError"}': "4x30"},
            ),
        ),
        Alert(
            "Watchdog",
            "vector(1)",
            "info",
            "Alerts get through.",
            "Fires always. When it stops coming, Prometheus or Alertmanager is away, and nobody is told of anything.",
            (
                "Point it at something that misses it: a dead man's switch, or a cron job that expects its message.",
                "It is missing: see whether Prometheus and Alertmanager run.",
            ),
            "alerts-table",
            fires=Case({}, value="1"),
            # Even what always holds is first seen at some moment.
            quiet=Case({}, at="0m"),
        ),
    ),
)
