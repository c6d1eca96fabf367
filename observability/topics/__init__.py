"""What is watched, topic by topic, in the order of the dashboards' rows."""

from observability.parts import Alert, Panel, Topic
from observability.topics import (
    backups,
    certificates,
    errors,
    latency,
    logs,
    machine,
    models,
    monitoring,
    objectives,
    older_names,
    quality,
    queue,
    readiness,
    records,
    torchserve,
    traffic,
)

TOPICS: tuple[Topic, ...] = (
    readiness.TOPIC,
    objectives.TOPIC,
    traffic.TOPIC,
    errors.TOPIC,
    latency.TOPIC,
    queue.TOPIC,
    models.TOPIC,
    quality.TOPIC,
    records.TOPIC,
    torchserve.TOPIC,
    machine.TOPIC,
    certificates.TOPIC,
    backups.TOPIC,
    monitoring.TOPIC,
    logs.TOPIC,
    older_names.TOPIC,
)

ALERTS: tuple[Alert, ...] = tuple(alert for topic in TOPICS for alert in topic.alerts)
PANELS: tuple[Panel, ...] = tuple(panel for topic in TOPICS for row in topic.rows for panel in row.panels)
