"""No alert without a case that fires, one that is quiet, a panel, steps, and a page that says what to do."""

import re

import pytest

from observability import alert_page, rules
from observability.alertmanager import parsed
from observability.dashboards import place_of
from observability.parts import Alert, Case, seconds
from observability.places import Places
from observability.topics import ALERTS, TOPICS

LOUDNESS = {"info": 0, "warning": 1, "critical": 2}
ALWAYS = "Watchdog"
by_name = pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)


def test_every_alert_has_a_case_that_fires_and_one_that_is_quiet() -> None:
    ruled = {rule["alert"] for group in rules.rules(Places())["groups"] for rule in group["rules"] if "alert" in rule}
    cases: dict[str, list[bool]] = {}
    for test in rules.tests(Places())["tests"]:
        for check in test["alert_rule_test"]:
            cases.setdefault(check["alertname"], []).append(bool(check["exp_alerts"]))
    assert ruled == set(cases) == {alert.name for alert in ALERTS}
    assert all(seen == [True, False] for seen in cases.values()), cases


def test_an_alert_cannot_be_written_without_them() -> None:
    with pytest.raises(TypeError, match="quiet"):
        Alert("X", "up == 0", "info", "X.", "X.", ("Look.",), "ready", fires=Case({}))  # type: ignore[call-arg]


@by_name
def test_an_alert_says_what_it_is_and_what_to_do(alert: Alert) -> None:
    assert re.fullmatch(r"([A-Z][a-z]*\d*)+", alert.name)
    assert alert.summary.endswith(".")
    assert alert.meaning.endswith(".")
    assert "$value" not in alert.summary
    assert len(alert.steps) >= 2
    assert place_of(alert.panel)
    assert alert.fires.value, "what its annotation `value` says is tested too"


@by_name
def test_the_cases_of_an_alert_are_two(alert: Alert) -> None:
    assert (alert.fires.series, alert.fires.at) != (alert.quiet.series, alert.quiet.at)
    assert alert.fires.series or alert.name == ALWAYS


@by_name
def test_windows_are_long_enough_for_the_scrapes(alert: Alert) -> None:
    assert all(seconds(found) >= 60 for found in re.findall(r"\[(\d+[smhd])[\]:]", alert.expr)), alert.expr


@by_name
def test_what_an_alert_holds_back_exists_and_is_not_louder(alert: Alert) -> None:
    known = {each.name: each for each in ALERTS}
    for covered in alert.covers:
        other = known[parsed(covered)[0]]
        assert LOUDNESS[other.severity] <= LOUDNESS[alert.severity], f"{alert.name} would hide {other.name}"
        assert alert.name not in {parsed(each)[0] for each in other.covers}, "each would hide the other"


def test_the_page_says_the_window_that_the_rule_has() -> None:
    (low,) = (each for each in ALERTS if each.name == "ConfidenceLow")
    (said,) = re.findall(r"the median of (\w+):", alert_page.alerts())
    assert set(re.findall(r"\[(\w+)\]", low.expr)) == {said}


def test_names_are_used_once() -> None:
    for names in (
        [alert.name for alert in ALERTS],
        [topic.name for topic in TOPICS],
        [panel.key for topic in TOPICS for row in topic.rows for panel in row.panels],
    ):
        assert len(set(names)) == len(names)
