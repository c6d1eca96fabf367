"""Alertmanager's configuration: who is told of what, how often, by which channel, and what is held back."""

import re
from collections.abc import Iterator
from typing import Any

from observability.channels import Channels, Mail
from observability.limits import GROUP_SECONDS, HEARTBEAT, REPEAT, WAIT_SECONDS
from observability.parts import Alert, Severity, seconds
from observability.topics import ALERTS

__all__ = ["Channels", "configuration"]

TEMPLATE = "weedwatch.tmpl"
WATCHDOG = "Watchdog"
_COVERED = re.compile(r"(\w+)(?:\{(.+)\})?")
_TITLE, _TEXT = '{{ template "weedwatch.title" . }}', '{{ template "weedwatch.text" . }}'
_LINK = "{{ with (index .Alerts 0).Annotations }}{{ or .dashboard_url .runbook_url }}{{ end }}"
LOUDNESS: tuple[Severity, ...] = ("critical", "warning", "info")


def configuration(channels: Channels, factor: float = 1) -> dict[str, Any]:
    """The configuration; with a factor all waits are that much shorter."""
    return {
        "route": _routes(factor),
        "receivers": [*(_receiver(channels, severity) for severity in LOUDNESS), _heartbeat(channels)],
        "inhibit_rules": inhibitions() if channels.inhibits else [],
        "templates": [TEMPLATE],
    }


def _routes(factor: float) -> dict[str, Any]:
    """`repeat_interval` holds at the next tick of `group_interval`, so the ticks are short."""
    return {
        # What has no severity is nobody's plan, and somebody must see it.
        "receiver": "warning",
        "group_by": ["alertname"],
        "group_wait": _time(WAIT_SECONDS["warning"], factor),
        "group_interval": _time(GROUP_SECONDS, factor),
        "repeat_interval": _time(seconds(REPEAT["warning"]), factor),
        "routes": [
            {
                "matchers": [f'alertname="{WATCHDOG}"'],
                "receiver": "heartbeat",
                "group_wait": _time(0, factor),
                "group_interval": _time(seconds(HEARTBEAT) / 3, factor),
                "repeat_interval": _time(seconds(HEARTBEAT), factor),
            },
            *(
                {
                    "matchers": [f'severity="{severity}"'],
                    "receiver": severity,
                    "group_wait": _time(WAIT_SECONDS[severity], factor),
                    "repeat_interval": _time(seconds(REPEAT[severity]), factor),
                }
                for severity in LOUDNESS
            ),
        ],
    }


def _time(length: float, factor: float) -> str:
    shorter = length / factor
    return f"{shorter:g}s" if shorter == int(shorter) else f"{max(1, round(1000 * shorter))}ms"


def _receiver(channels: Channels, severity: Severity) -> dict[str, Any]:
    """Chat and webhook get everything, mail what is at least a warning, PagerDuty what is critical."""
    told = {"send_resolved": True}
    receiver: dict[str, Any] = {"name": severity}
    if channels.discord_file:
        receiver["discord_configs"] = [
            {**told, "webhook_url_file": channels.discord_file, "title": _TITLE, "message": _TEXT}
        ]
    if channels.slack_file:
        receiver["slack_configs"] = [
            {
                **told,
                "api_url_file": channels.slack_file,
                "color": '{{ template "weedwatch.colour" . }}',
                "title": _TITLE,
                "title_link": _LINK,
                "text": _TEXT,
                "fallback": _TITLE,
            }
        ]
    if channels.mail and severity != "info":
        receiver["email_configs"] = [_mail(channels.mail)]
    if channels.pagerduty_file and severity == "critical":
        receiver["pagerduty_configs"] = [_pagerduty(channels)]
    webhooks = [
        *([{**told, "url": channels.webhook_url}] if channels.webhook_url else []),
        *([{**told, "url_file": channels.webhook_file}] if channels.webhook_file else []),
    ]
    if webhooks:
        receiver["webhook_configs"] = webhooks
    return receiver


def _mail(mail: Mail) -> dict[str, Any]:
    password = {"auth_username": mail.sender, "auth_password_file": mail.password_file} if mail.password_file else {}
    return {
        "send_resolved": True,
        "to": mail.recipient,
        "from": mail.sender,
        "smarthost": f"{mail.server}:{mail.port}",
        **password,
        "require_tls": mail.tls,
        "headers": {"Subject": _TITLE},
        "html": "",
        "text": _TEXT,
    }


def _pagerduty(channels: Channels) -> dict[str, Any]:
    return {
        "send_resolved": True,
        "routing_key_file": channels.pagerduty_file,
        **({"url": channels.pagerduty_url} if channels.pagerduty_url else {}),
        "description": _TITLE,
        "severity": "critical",
        "client": "Weedwatch",
        "client_url": _LINK,
        "links": [{"href": "{{ (index .Alerts 0).Annotations.runbook_url }}", "text": "What to do"}],
        "details": {"what": _TEXT},
    }


def _heartbeat(channels: Channels) -> dict[str, Any]:
    """Without an address for it the watchdog's alert goes nowhere."""
    configs = [{"url_file": channels.heartbeat_file, "send_resolved": False}] if channels.heartbeat_file else []
    return {"name": "heartbeat", **({"webhook_configs": configs} if configs else {})}


def inhibitions() -> list[dict[str, Any]]:
    """One fault, one message: what follows from an alert is held back while it fires."""
    return [rule for alert in ALERTS for covered in alert.covers for rule in _inhibition(alert, covered)]


def _inhibition(alert: Alert, covered: str) -> Iterator[dict[str, Any]]:
    name, matcher = parsed(covered)
    other = next(each for each in ALERTS if each.name == name)
    # Of the same version, replica or promise, where both say which.
    common = sorted(set(alert.fires.labels) & set(other.fires.labels) - {"job"})
    yield {
        "source_matchers": [f'alertname="{alert.name}"'],
        "target_matchers": [f'alertname="{name}"', *([matcher] if matcher else [])],
        **({"equal": common} if common else {}),
    }


def parsed(covered: str) -> tuple[str, str | None]:
    """Name and matcher of `Name` or `Name{label="value"}`."""
    found = _COVERED.fullmatch(covered)
    if found is None:
        raise ValueError(f"{covered!r} is no alert.")
    return found[1], found[2]
