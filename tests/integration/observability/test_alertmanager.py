"""Alertmanager as it is: its configuration, its routes, what it says by each channel, and what it holds back."""

import base64
import email.header
import email.message
import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from observability import generate
from observability.alertmanager import TEMPLATE
from observability.channels import Channels, Mail
from observability.generate import Setup
from observability.places import Places
from observability.programs import program
from observability.rules import annotations
from observability.topics import ALERTS
from tests.monitoring import Alertmanager, Sink, running_alertmanager, running_sink, targets
from tests.waiting import wait_until

SECONDS = 60.0
ROOT = Path(__file__).parents[3]
FACTOR = 30
BY_NAME = {alert.name: alert for alert in ALERTS}


def amtool(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(program("amtool")), *words], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@contextmanager
def running_mail_sink() -> Iterator[tuple[int, list[str], list[str]]]:
    """A mail server on loopback: its port, the messages, and the user names with their passwords."""
    messages: list[str] = []
    logins: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 sink")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == "EHLO":
                    self.say("250-sink\r\n250 AUTH PLAIN")
                elif verb == "AUTH":
                    logins.append(base64.b64decode(line.split()[2]).decode())
                    self.say("235 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    text = b""
                    while not text.endswith(b"\r\n.\r\n"):
                        text += self.rfile.readline()
                    messages.append(text.decode())
                    self.say("250 ok")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server.server_address[1], messages, logins
        finally:
            server.shutdown()


def _secret(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text + "\n")
    return str(folder / name)


def _all_channels(folder: Path, sink: str = "http://127.0.0.1:1", mail_port: int = 25) -> Channels:
    return Channels(
        webhook_file=_secret(folder, "webhook", f"{sink}/webhook"),
        discord_file=_secret(folder, "discord", f"{sink}/discord"),
        slack_file=_secret(folder, "slack", f"{sink}/slack"),
        pagerduty_file=_secret(folder, "pagerduty", "0123456789abcdef0123456789abcdef"),
        pagerduty_url=f"{sink}/pagerduty",
        mail=Mail(
            *("127.0.0.1", "weedwatch@weeds.example", "people@weeds.example", mail_port),
            password_file=_secret(folder, "password", "open sesame"),
            tls=False,
        ),
        heartbeat_file=_secret(folder, "heartbeat", f"{sink}/heartbeat"),
    )


def _post(alertmanager: Alertmanager, name: str, *, over: bool = False, **labels: str) -> None:
    """As Prometheus would send it; `over`: it has ended."""
    alert = BY_NAME[name]
    said = {**annotations(alert, Places()), "summary": f"Summary of {name}.", "value": "42"}
    now = datetime.now(UTC)
    body = [
        {
            "labels": {"alertname": name, "severity": alert.severity, "topic": "x", **labels},
            "annotations": said,
            "startsAt": (now - timedelta(seconds=30)).isoformat(),
            **({"endsAt": now.isoformat()} if over else {}),
        }
    ]
    httpx2.post(f"{alertmanager.url}/api/v2/alerts", json=body, timeout=20).raise_for_status()


def _bodies(sink: Sink, path: str) -> list[Any]:
    return [json.loads(each.body) for each in list(sink.received) if each.path == path]


@pytest.mark.parametrize("all_set", [True, False])
def test_the_configuration_is_taken(tmp_path: Path, all_set: bool) -> None:
    channels = _all_channels(tmp_path) if all_set else Channels()
    generate.write(tmp_path, generate.monitoring(Setup(channels=channels)))
    said = amtool(tmp_path, "check-config", "alertmanager/alertmanager.yml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "4 receivers" in said.stdout
    assert "1 templates" in said.stdout


def test_what_the_image_says_for_the_stack_is_taken(tmp_path: Path) -> None:
    generate.write(tmp_path, generate.monitoring(Setup()))
    said = subprocess.run(
        [sys.executable, "-S", "-m", "observability.told"],
        cwd=ROOT,
        env={"SLACK_WEBHOOK_URL_FILE": _secret(tmp_path, "slack", "https://slack.example/x")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    (tmp_path / "alertmanager" / "alertmanager.yml").write_text(said.stdout)
    checked = amtool(tmp_path, "check-config", "alertmanager/alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("receiver", "labels"),
    [
        ("critical", "alertname=DatabaseDown severity=critical"),
        ("warning", "alertname=WorkersMissing severity=warning"),
        ("info", "alertname=NoRequests severity=info"),
        ("heartbeat", "alertname=Watchdog severity=info"),
        ("warning", "alertname=SomebodysOwn"),
    ],
)
def test_alerts_go_to_whom_they_concern(tmp_path: Path, receiver: str, labels: str) -> None:
    generate.write(tmp_path, generate.monitoring(Setup(channels=_all_channels(tmp_path))))
    config = "--config.file=alertmanager/alertmanager.yml"
    said = amtool(tmp_path, "config", "routes", "test", config, f"--verify.receivers={receiver}", *labels.split())
    assert said.returncode == 0, said.stdout + said.stderr
    other = amtool(tmp_path, "config", "routes", "test", config, "--verify.receivers=nobody", *labels.split())
    assert other.returncode == 1


def _rendered(folder: Path, data: dict[str, Any], name: str) -> str:
    generate.write(folder, generate.monitoring(Setup()))
    (folder / "data.json").write_text(json.dumps(data))
    said = amtool(
        folder,
        *("template", "render", f"--template.glob=alertmanager/{TEMPLATE}", "--template.data=data.json"),
        f'--template.text={{{{ template "{name}" . }}}}',
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


def _data(status: str, severity: str, count: int = 1) -> dict[str, Any]:
    said = annotations(BY_NAME["DatabaseDown"], Places()) | {"summary": "PostgreSQL is away.", "value": "7"}
    labels = {"alertname": "DatabaseDown", "severity": severity}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": said,
        "startsAt": "2026-11-26T10:00:00Z",
        "endsAt": "2026-11-26T10:05:00Z",
    }
    return {"status": status, "commonLabels": labels, "alerts": [alert] * count, "externalURL": "http://am.example"}


@pytest.mark.parametrize(
    ("status", "severity", "title", "colour"),
    [
        ("firing", "critical", "🔴 DatabaseDown: PostgreSQL is away.", "#d63232"),
        ("firing", "warning", "🟡 DatabaseDown: PostgreSQL is away.", "#e0b400"),
        ("firing", "info", "🔵 DatabaseDown: PostgreSQL is away.", "#3274d9"),
        ("resolved", "critical", "✅ DatabaseDown is over: PostgreSQL is away.", "#2eb886"),
    ],
)
def test_a_title_has_the_sign_of_its_severity(
    tmp_path: Path, status: str, severity: str, title: str, colour: str
) -> None:
    assert _rendered(tmp_path, _data(status, severity), "weedwatch.title") == title
    assert _rendered(tmp_path, _data(status, severity), "weedwatch.colour") == colour


def test_a_message_says_the_value_what_to_do_and_where_to_look(tmp_path: Path) -> None:
    text = _rendered(tmp_path, _data("firing", "critical"), "weedwatch.text")
    assert "Value: 7, since 2026-11-26 10:00:00 UTC." in text
    assert "1. `weedwatch api GET /health/detailed`" in text
    assert "Runbook: http://127.0.0.1:8000/#/runbooks/DatabaseDown" in text
    assert "&from=1795685400000&to=now" in text, "the graph begins half an hour before"
    assert "/d/weedwatch-logs?var-level=ERROR&from=1795686600000&to=now" in text
    over = _rendered(tmp_path, _data("resolved", "critical"), "weedwatch.text")
    assert "From 2026-11-26 10:00:00 to 10:05:00 UTC." in over
    assert "What to do" not in over


def test_many_alerts_are_one_short_message(tmp_path: Path) -> None:
    data = _data("firing", "critical", 9)
    assert _rendered(tmp_path, data, "weedwatch.title") == "🔴 DatabaseDown (9)"
    text = _rendered(tmp_path, data, "weedwatch.text")
    assert text.count("PostgreSQL is away.") == 4
    assert "And 9 in all; Alertmanager lists them: http://am.example" in text


def test_every_channel_is_told_that_it_fires_and_that_it_is_over(tmp_path: Path) -> None:
    with running_sink() as sink, running_mail_sink() as (port, mails, logins):
        setup = Setup(targets=targets("127.0.0.1:1"), channels=_all_channels(tmp_path, sink.url, port), factor=FACTOR)
        with running_alertmanager(tmp_path, setup) as alertmanager:
            _post(alertmanager, "DatabaseDown", instance="a:8000")
            _post(alertmanager, "Watchdog")
            paths = {"/webhook", "/discord", "/slack", "/pagerduty", "/heartbeat"}
            assert wait_until(lambda: {each.path for each in sink.received} >= paths and bool(mails), SECONDS)
            _post(alertmanager, "DatabaseDown", over=True, instance="a:8000")
            is_over: dict[str, Callable[[], bool]] = {
                "webhook": lambda: _bodies(sink, "/webhook")[-1]["status"] == "resolved",
                "discord": lambda: _bodies(sink, "/discord")[-1]["embeds"][0]["title"].startswith("✅"),
                "slack": lambda: _bodies(sink, "/slack")[-1]["attachments"][0]["title"].startswith("✅"),
                "pagerduty": lambda: _bodies(sink, "/pagerduty")[-1]["event_action"] == "resolve",
                "mail": lambda: any("is over" in _subject(mail) for mail in mails),
            }
            for channel, over in is_over.items():
                assert wait_until(over, SECONDS) is not None, f"{channel}: {alertmanager.log[-2000:]}"
    discord = _bodies(sink, "/discord")[0]["embeds"][0]
    assert discord["title"] == "🔴 DatabaseDown: Summary of DatabaseDown."
    assert "Value: 42" in discord["description"]
    assert "Runbook: http" in discord["description"]
    slack = _bodies(sink, "/slack")[0]["attachments"][0]
    assert slack["color"] == "#d63232"
    assert slack["title_link"].startswith("http://127.0.0.1:3002/d/weedwatch-service")
    page = _bodies(sink, "/pagerduty")[0]
    assert (page["event_action"], page["payload"]["severity"]) == ("trigger", "critical")
    assert page["routing_key"] == "0123456789abcdef0123456789abcdef"
    assert "DatabaseDown" in _subject(mails[0])
    assert "To: people@weeds.example" in mails[0]
    assert "\0weedwatch@weeds.example\0open sesame" in logins
    heartbeat = _bodies(sink, "/heartbeat")
    assert {each["alerts"][0]["labels"]["alertname"] for each in heartbeat} == {"Watchdog"}
    assert all(each["alerts"][0]["labels"]["alertname"] == "DatabaseDown" for each in _bodies(sink, "/webhook"))


def _subject(mail: str) -> str:

    found = email.message_from_string(mail)["Subject"]
    return str(email.header.make_header(email.header.decode_header(found)))


def test_what_follows_from_an_alert_is_held_back(tmp_path: Path) -> None:
    with running_sink() as sink:
        setup = Setup(targets=targets("127.0.0.1:1"), channels=Channels(webhook_url=sink.url), factor=FACTOR)
        with running_alertmanager(tmp_path, setup) as alertmanager:
            _post(alertmanager, "ModelNotLoaded")
            _post(alertmanager, "NotReady", instance="a:8000", reason="no_worker")
            _post(alertmanager, "NotReady", instance="b:8000", reason="records")
            _post(alertmanager, "WorkersMissing", model="plants", version="1", part="stable")

            def states() -> dict[tuple[str, str], str]:
                return {
                    (each["labels"]["alertname"], each["labels"].get("reason", "")): each["status"]["state"]
                    for each in alertmanager.alerts()
                }

            wanted = {
                ("ModelNotLoaded", ""): "active",
                ("NotReady", "no_worker"): "suppressed",
                ("NotReady", "records"): "active",
                ("WorkersMissing", ""): "suppressed",
            }
            assert wait_until(lambda: states() == wanted, SECONDS) is not None, states()
            assert wait_until(lambda: sink.told("NotReady", "firing") is not None, SECONDS) is not None
            time.sleep(3)
    told = {(each["labels"]["alertname"], each["labels"].get("reason", "")) for _, each in sink.notices()}
    assert told == {("ModelNotLoaded", ""), ("NotReady", "records")}


def test_what_is_critical_is_said_again_in_time(tmp_path: Path) -> None:
    """Five minutes, thirty times as fast."""
    with running_sink() as sink:
        setup = Setup(targets=targets("127.0.0.1:1"), channels=Channels(webhook_url=sink.url), factor=FACTOR)
        with running_alertmanager(tmp_path, setup) as alertmanager:
            _post(alertmanager, "DatabaseDown", instance="a:8000")
            _post(alertmanager, "NoRequests")
            assert wait_until(lambda: len(_critical(sink)) >= 2, SECONDS) is not None
    first, second = _critical(sink)[:2]
    assert 9.5 <= second - first < 18
    assert len([1 for _, alert in sink.notices() if alert["labels"]["alertname"] == "NoRequests"]) <= 1


def _critical(sink: Sink) -> list[float]:
    return [at for at, alert in sink.notices() if alert["labels"]["alertname"] == "DatabaseDown"]
