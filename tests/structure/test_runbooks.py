"""A page for each alert, and on it nothing that cannot be done."""

import json
import re
from pathlib import Path

import pytest

from backup.settings import own_variables
from control_plane.settings import variable_names
from observability import generate, provisioning, runbooks
from observability.channels import VARIABLES
from observability.places import Places
from observability.provisioning import OWN_ALERTS
from observability.topics import ALERTS
from tests import documented
from tests.proofs.observability_lines.line_1_prover import ALWAYS
from tests.structure import composed

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / runbooks.FOLDER).glob("*.md"))
OWN = {alert.name for alert in OWN_ALERTS}
NAMES = {alert.name for alert in ALERTS} | OWN
CLIENT = {"WEEDWATCH_TOKEN_FILE"}  # of `weedwatch` itself: docs/commands.md
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda each: each.stem)


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.stem for page in PAGES} == {*NAMES, "README"}


def test_alerts_of_grafana_lead_to_their_pages() -> None:
    (group,) = provisioning.alerting(provisioning.Sources(), Places("https://weeds.example"))["groups"]
    books = {each["name"] for each in json.loads((ROOT / "ui/runbooks.json").read_text())}
    for rule in group["rules"]:
        assert rule["annotations"]["runbook_url"] == f"https://weeds.example/#/runbooks/{rule['title']}"
        assert rule["title"] in books & OWN


def test_pages_are_current() -> None:
    for name, text in generate.elsewhere().items():
        assert (ROOT / name).read_text() == text, f"{name}: run `python -m observability write`"


def test_only_what_always_fires_is_not_said_to_resolve() -> None:
    promise = "fire, arrive and resolve"
    assert {page.stem for page in PAGES if promise not in page.read_text()} == {"README", *ALWAYS, *OWN}


@by_page
def test_commands_of_a_runbook_exist(page: Path) -> None:
    known = {f"weedwatch {name}" for name in documented.programs()}
    for command in documented.commands(page.read_text()):
        assert any(f"{command} ".startswith(f"{each} ") for each in known), command


@by_page
def test_what_a_runbook_names_exists(page: Path) -> None:
    text = page.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets
    for module in re.findall(r"`\.venv/bin/python -m (\w+)", text):
        assert (ROOT / module / "__main__.py").exists(), module
    for path in re.findall(r"\bdocs/[\w./-]+\.md", text):
        assert (ROOT / path).exists(), path
    known = {*variable_names(), *own_variables(), *VARIABLES, *CLIENT}
    assert set(re.findall(r"\bWEEDWATCH_[A-Z_]+", text)) <= known
    names = set(re.findall(r"runbook of ([A-Z]\w+)", text))
    assert names <= NAMES


@by_page
def test_a_log_of_a_runbook_can_be_read_in_containers_too(page: Path) -> None:
    there = " ".join(row[0] for row in runbooks.ELSEWHERE)
    assert set(re.findall(r"`logs/[\w.]+`", page.read_text())) <= set(re.findall(r"`logs/[\w.]+`", there))


def test_what_stands_for_it_in_the_stack_names_its_services() -> None:
    text = " ".join(row[1] for row in runbooks.ELSEWHERE)
    named = re.findall(r"docker compose (?:logs|exec -e \S+|run --rm) ([a-z][\w-]+)", text)
    assert len(named) >= 6
    assert set(named) <= set(composed.services())


def test_a_command_that_is_none_is_noticed() -> None:
    assert documented.commands("1. Say `weedwatch models mend plants`.") == ["weedwatch models mend plants"]
    assert "models mend" not in documented.programs()
