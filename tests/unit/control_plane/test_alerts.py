"""What a Prometheus says is firing, and what is said when it says nothing, too much, or nonsense."""

import json
import random
from typing import Any

import pytest

from control_plane.contract.status import FiringAlert
from control_plane.telemetry import alerts
from control_plane.telemetry.alerts import LONGEST_TEXT, MOST_ALERTS, PrometheusAlerts, read
from tests.proofs.stack import free_port
from tests.unit.weedwatch.server import Said, serving


def alert(name: str, severity: str = "warning", state: str = "firing", **annotations: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": name, "severity": severity, "secret": "x"},
        "annotations": {"summary": f"{name} it is.", "value": "3", "runbook_url": "http://x/", **annotations},
        "state": state,
        "activeAt": "2026-11-26T10:00:00.123456789Z",
        "value": "3e+00",
    }


def answer(*given: Any) -> bytes:
    return json.dumps({"status": "success", "data": {"alerts": list(given)}}).encode()


def test_what_fires_is_given_the_most_severe_first_and_only_by_our_fields() -> None:
    told = read(
        answer(
            alert("Low", "info"),
            alert("Watchdog", "info"),
            alert("Soon", state="pending"),
            alert("Bad", "critical", dashboard_url="https://grafana.example/d/weedwatch-service"),
            alert("Odd", "none"),
            alert("Sly", dashboard_url="javascript:alert(1)"),
        )
    )
    assert told.problem is None
    assert told.watched
    assert [each.name for each in told.firing] == ["Bad", "Sly", "Low"]
    assert told.firing[0].dashboard_url == "https://grafana.example/d/weedwatch-service"
    assert told.firing[1].dashboard_url is None
    assert told.firing[0].since.year == 2026
    assert "secret" not in str(told)


def test_without_the_watchdog_it_is_said_that_nobody_watches() -> None:
    assert not read(answer()).watched


def test_in_the_first_minute_the_watchdog_is_on_its_way() -> None:
    assert read(answer(alert("Watchdog", "info", state="pending"))).watched


def test_nonsense_is_no_error() -> None:
    chance = random.Random(2)
    good = answer(alert("A"), alert("B"))
    for _ in range(3000):
        spoiled = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        read(bytes(spoiled))
    odd: list[Any] = [
        [], None, 1, {"data": {"alerts": 1}}, {"data": {"alerts": [1]}}, {"data": {"alerts": [{"state": "firing"}]}},
    ]  # fmt: skip
    for value in odd:
        assert read(json.dumps(value).encode()).problem
    assert read(b"[" * 10**6).problem
    assert len(read(answer(*[alert(f"A{number}") for number in range(1000)])).firing) == MOST_ALERTS


async def test_all_who_look_share_one_question() -> None:
    with serving(lambda _, __: Said({"data": {"alerts": [alert("A")]}})) as server:
        asked = PrometheusAlerts(server.url)
        assert [each.name for each in (await asked.look()).firing] == ["A"]
        assert await asked.look() is await asked.look()
        assert [each.path for each in server.asked] == ["/api/v1/alerts"]


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_another_status_is_said(status: int) -> None:
    with serving(lambda _, __: Said({}, status, {"Location": "http://127.0.0.1:1/"})) as server:
        told = await PrometheusAlerts(server.url).look()
    assert told.problem == f"It answers with status {status}."
    assert told.firing == ()


async def test_one_that_is_away_or_says_too_much_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    away = await PrometheusAlerts(f"http://127.0.0.1:{free_port()}").look()
    assert away.problem == "It cannot be reached."
    monkeypatch.setattr(alerts, "MAX_BYTES", 100)
    with serving(lambda _, __: Said({"data": {"alerts": [alert("A")]}})) as server:
        assert (await PrometheusAlerts(server.url).look()).problem == "It answers more than anybody could read."


def test_what_is_said_can_always_be_passed_on() -> None:
    half = "\ud800"
    (firing,) = read(answer(alert(half, summary=half, value=half, dashboard_url=f"http://{half}"))).firing
    assert (firing.name, firing.summary, firing.value, firing.dashboard_url) == ("?", "?", "?", "http://?")
    assert FiringAlert.of(firing).model_dump_json()
    address = "http://" + "a" * LONGEST_TEXT
    assert read(answer(alert("A", dashboard_url=address))).firing[0].dashboard_url == address
