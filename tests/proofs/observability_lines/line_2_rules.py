"""Line 2: promtool sees each alert fire and keep quiet, and would see it if one did not."""

import subprocess
from pathlib import Path

import yaml

from observability import generate, rules
from observability.generate import Setup
from observability.programs import program
from observability.topics import ALERTS
from tests.proofs.harness import Context
from tests.proofs.results import Figure, for_the_record, is_true, none_of

SECONDS = 300


def run(context: Context) -> list[Figure]:
    folder = context.folder / "prometheus"
    generate.write(context.folder, generate.files(Setup()))
    cases = yaml.safe_load((folder / "tests.yml").read_text())["tests"]
    names = [case["name"] for case in cases]
    missing = [
        f"{alert.name} {kind}"
        for alert in ALERTS
        for kind in ("fires", "is quiet")
        if f"{alert.name} {kind}" not in names
    ]
    lint = _promtool("check", "rules", "--lint=all", "--lint-fatal", str(folder / rules.RULES_FILE))
    tested = _promtool("test", "rules", str(folder / "tests.yml"))
    return [
        none_of("alerts without a firing and a quiet test", missing, 2 * len(ALERTS), context.say),
        is_true("the rules are without fault, lint included", lint.returncode == 0, _last(lint)),
        is_true(f"the {len(cases)} tests pass", tested.returncode == 0, _last(tested)),
        none_of("alerts that may never fire and nobody sees it", _unseen(folder), len(ALERTS), context.say),
        for_the_record("alerts", str(len(ALERTS))),
    ]


def _unseen(folder: Path) -> list[str]:
    """The alerts whose test still passes when the alert can never fire."""
    rule_file = folder / rules.RULES_FILE
    broken = yaml.safe_load(rule_file.read_text())
    for group in broken["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = f"({rule['expr']}) and on () vector(1) == 2"
    rule_file.write_text(yaml.safe_dump(broken))
    said = _promtool("test", "rules", str(folder / "tests.yml"))
    return [alert.name for alert in ALERTS if f"{alert.name}" not in said.stdout + said.stderr]


def _promtool(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [str(program("promtool")), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def _last(done: "subprocess.CompletedProcess[str]") -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[-1].strip()[:120] if lines else f"exit code {done.returncode}"
