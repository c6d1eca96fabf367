"""The generated rules under promtool: each alert fires when it shall, and is quiet when it shall."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability import generate
from observability.generate import Setup
from observability.programs import program
from observability.rules import RULES_FILE
from observability.topics import ALERTS

SECONDS = 300


def promtool(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(program("promtool")), *words], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _ran(report: Path) -> dict[str, bool]:
    """Name of each test that ran → whether it failed."""
    found = re.findall(r'<testcase name="([^"]+)"[^>]*?(/>|>)(\s*<failure)?', report.read_text())
    return {name: bool(failure) for name, _, failure in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generate.write(tmp_path, generate.files(Setup()))
    return tmp_path / "prometheus"


def test_rules_have_no_fault(folder: Path) -> None:
    said = promtool(folder, "check", "rules", "--lint=all", "--lint-fatal", RULES_FILE)
    assert said.returncode == 0, said.stdout + said.stderr


def test_faster_rules_have_no_fault(tmp_path: Path) -> None:
    generate.write(tmp_path, generate.monitoring(Setup(factor=60)))
    said = promtool(tmp_path / "prometheus", "check", "rules", "--lint=all", "--lint-fatal", RULES_FILE)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_rule_that_stands_there_twice_is_a_fault(folder: Path) -> None:
    rules = yaml.safe_load((folder / RULES_FILE).read_text())
    rules["groups"][0]["rules"].append(rules["groups"][0]["rules"][0])
    (folder / RULES_FILE).write_text(yaml.safe_dump(rules))
    assert promtool(folder, "check", "rules", "--lint=all", "--lint-fatal", RULES_FILE).returncode != 0


def test_prometheus_takes_the_configuration(folder: Path) -> None:
    said = promtool(folder, "check", "config", "prometheus.yml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert "SUCCESS: prometheus.yml is valid" in said.stdout


def test_every_alert_fires_and_is_quiet(folder: Path) -> None:
    said = promtool(folder, "test", "rules", f"--junit={folder / 'ran.xml'}", "tests.yml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert sorted(_ran(folder / "ran.xml")) == sorted(
        f"{alert.name} {how}" for alert in ALERTS for how in ("fires", "is quiet")
    )


def test_every_test_can_fail(folder: Path) -> None:
    """What fires is expected to be quiet, and what is quiet to fire: not one of them may pass."""
    tests: dict[str, Any] = yaml.safe_load((folder / "tests.yml").read_text())
    for test in tests["tests"]:
        for check in test["alert_rule_test"]:
            check["exp_alerts"] = [] if check["exp_alerts"] else [{"exp_labels": {"severity": "info"}}]
    (folder / "wrong.yml").write_text(yaml.safe_dump(tests))
    said = promtool(folder, "test", "rules", f"--junit={folder / 'ran.xml'}", "wrong.yml")
    assert said.returncode == 1
    ran = _ran(folder / "ran.xml")
    assert len(ran) == 2 * len(ALERTS)
    assert [name for name, failed in ran.items() if not failed] == []


def test_a_firing_case_whose_fault_is_taken_away_fails(folder: Path) -> None:
    tests: dict[str, Any] = yaml.safe_load((folder / "tests.yml").read_text())
    broken = next(test for test in tests["tests"] if test["name"] == "DatabaseDown fires")
    for series in broken["input_series"]:
        series["values"] = "1x40"
    (folder / "tests.yml").write_text(yaml.safe_dump(tests))
    said = promtool(folder, "test", "rules", "--run=DatabaseDown.*", "tests.yml")
    assert said.returncode == 1
    assert "DatabaseDown fires" in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("up", "ready", "database", "burning"),
    [
        # Two minutes of loading at the very first start: nobody was promised anything yet.
        ("1x40", "0x2 1x40", "0x1 1x40", set()),
        # Ten minutes away, later.
        ("1x40", "0x2 1x20 0x20", "1x40", {"readiness"}),
        ("1x40", "1x40", "1x20 0x20", {"database"}),
        # Prometheus can ask nobody: that is not ready. Of the database nothing is known.
        ("1x20 0x20", "1x20 _x20", "1x20 _x20", {"readiness"}),
    ],
)
def test_time_counts_against_an_objective_from_the_first_good_moment(
    folder: Path, up: str, ready: str, database: str, burning: set[str]
) -> None:
    said = {"severity": "critical", "topic": "objectives"}
    rules = yaml.safe_load((folder / RULES_FILE).read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("annotations", None)
    (folder / RULES_FILE).write_text(yaml.safe_dump(rules))
    check = {
        "eval_time": "32m",
        "alertname": "ErrorBudgetBurnsFast",
        "exp_alerts": [{"exp_labels": {**said, "slo": slo}} for slo in sorted(burning)],
    }
    series = {"weedwatch_ready": ready, "weedwatch_database_up": database, "up": up}
    test = {
        "interval": "1m",
        "input_series": [
            {"series": f'{name}{{job="control_plane", instance="a:8000"}}', "values": values}
            for name, values in series.items()
        ],
        "alert_rule_test": [check],
    }
    (folder / "own.yml").write_text(
        yaml.safe_dump({"rule_files": [RULES_FILE], "evaluation_interval": "1m", "tests": [test]})
    )
    ran = promtool(folder, "test", "rules", "own.yml")
    assert ran.returncode == 0, ran.stdout + ran.stderr
