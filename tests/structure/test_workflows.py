"""The workflows fit their schema, ask for little, take only what is pinned, and do what .ci/run does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.building import IMAGES, NAMES
from tests import workflows
from tests.workflows import Workflow

ROOT = Path(__file__).parents[2]
FILES = workflows.workflows()
GOOD = """name: Good
on: {push: {branches: [main]}}
permissions: {contents: read}
concurrency: {group: good, cancel-in-progress: false}
jobs:
  one:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    container: {image: "python:3.11.14-bookworm"}
    environment: production
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with: {persist-credentials: false}
      - env: {DEPLOY_KEY: "${{ secrets.DEPLOY_KEY }}"}
        run: make check
"""
# `make test` begins with check; pages of coverage are for somebody's browser; CI here reaches no list of weaknesses,
# and no registry with the official images.
ONLY_HOSTED = {"make check", "make coverage", "make audit", "make up", "make down"}
# What each check must find: the good one, with one thing changed.
BAD: dict[Callable[[Workflow], list[str]], list[tuple[str, str]]] = {
    workflows.asks_for_little: [
        ("permissions: {contents: read}\n", ""),
        ("permissions: {contents: read}", "permissions: write-all"),
        ("permissions: {contents: read}", "permissions: {contents: write}"),
        ("    timeout-minutes: 5", "    timeout-minutes: 5\n    permissions: {packages: write}"),
        ("    timeout-minutes: 5", "    timeout-minutes: 5\n    permissions: write-all"),
    ],
    workflows.ends: [("    timeout-minutes: 5\n", "")],
    workflows.is_one_at_a_time: [
        ("concurrency: {group: good, cancel-in-progress: false}\n", ""),
        ("cancel-in-progress: false", "cancel-in-progress: true"),
    ],
    workflows.starts_by_nobody_else: [
        ("on: {push: {branches: [main]}}", "on: pull_request_target"),
        ("on: {push: {branches: [main]}}", "on: {push: {}, workflow_run: {}}"),
    ],
    workflows.takes_only_what_is_pinned: [
        ("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5"),
        (" # v5.0.0", ""),
        ("python:3.11.14-bookworm", "python:latest"),
        ("python:3.11.14-bookworm", "python"),
    ],
    workflows.leaves_no_credential: [
        ("        with: {persist-credentials: false}\n", ""),
        ("persist-credentials: false", "persist-credentials: true"),
    ],
    workflows.puts_nothing_into_scripts: [("make check", 'make check && echo "${{ github.head_ref }}"')],
    workflows.keeps_secrets_to_steps: [
        ("jobs:", "env: {KEY: '${{ secrets.KEY }}'}\njobs:"),
        ("    environment: production", "    env: {KEY: '${{ secrets.KEY }}'}"),
        ("    environment: production", "    secrets: inherit"),
        ("make check", 'echo "$DEPLOY_KEY"'),
        ("make check", "printf '%s' ${DEPLOY_KEY:0:4}"),
        ("make check", "set -x; make check"),
        ("make check", "env"),
    ],
    workflows.has_its_commands: [
        ("make check", "make chekc"),
        ("make check", "cd . && make no-such-thing"),
        ("make check", "scripts/no-such-script.sh"),
    ],
    workflows.has_sound_scripts: [
        ("make check", "if true; then make check"),
        ("make check", "make $undefined_and_unquoted"),
    ],
    workflows.is_guarded: [("    environment: production\n", "")],
}


@pytest.mark.parametrize("workflow", FILES, ids=lambda each: each.name)
@pytest.mark.parametrize("check", workflows.CHECKS, ids=lambda each: each.__name__)
def test_a_workflow_has_no_fault(check: Callable[[Workflow], list[str]], workflow: Workflow) -> None:
    assert check(workflow) == []


@pytest.mark.parametrize("action", workflows.actions(), ids=lambda each: each.name)
@pytest.mark.parametrize("check", workflows.OF_ACTIONS, ids=lambda each: each.__name__)
def test_an_action_of_ours_has_no_fault(check: Callable[[Workflow], list[str]], action: Workflow) -> None:
    assert check(action) == []


@pytest.mark.parametrize("check", workflows.CHECKS, ids=lambda each: each.__name__)
def test_each_check_finds_what_it_looks_for_and_nothing_in_a_good_workflow(
    check: Callable[[Workflow], list[str]],
) -> None:
    assert check(Workflow("release.yml", GOOD)) == []
    assert BAD[check]
    for good, bad in BAD[check]:
        assert good in GOOD
        assert check(Workflow("release.yml", GOOD.replace(good, bad, 1))) != [], bad


def test_workflows_and_actions_fit_their_schema(tmp_path: Path) -> None:
    folder = ROOT / ".github"
    of_workflows = {file.name: workflows.schema_faults(file, "workflows") for file in folder.glob("workflows/*.yml")}
    of_actions = {file.name: workflows.schema_faults(file, "actions") for file in folder.glob("actions/*/*.yml")}
    assert of_workflows
    assert of_actions
    assert set(of_workflows.values()) | set(of_actions.values()) == {""}
    bad = tmp_path / "bad.yml"
    bad.write_text(GOOD.replace("runs-on", "runs-at"))
    assert "runs-at" in workflows.schema_faults(bad, "workflows")


def test_a_security_checker_finds_nothing_in_them_and_something_in_a_bad_one(tmp_path: Path) -> None:
    assert workflows.security_faults(ROOT / ".github") == ""
    bad = tmp_path / "bad.yml"
    bad.write_text(GOOD.replace("make check", 'echo "${{ github.event.issue.title }}"'))
    assert "template-injection" in workflows.security_faults(bad)


def test_ci_runs_in_jobs_what_it_runs_here_in_a_row() -> None:
    here = workflows.commands_of((ROOT / ".ci" / "run").read_text())
    files = (ROOT / ".github" / "workflows" / "ci.yml", ROOT / ".github" / "actions" / "prepare" / "action.yml")
    hosted = workflows.commands_of("".join(file.read_text() for file in files))
    assert here - hosted == set()
    assert hosted - here <= ONLY_HOSTED


def test_a_command_that_only_one_of_them_runs_is_seen() -> None:
    assert workflows.commands_of("part x make prove-core LINE=1,2 SHARE=0.1\nmake setup TORCH=cpu") == {
        "make prove-core LINE=1,2 SHARE=0.1",
        "make setup",
    }


@pytest.mark.parametrize(
    "name", [".ci/run", ".ci/packages", *(f"scripts/{f.name}" for f in (ROOT / "scripts").glob("*.sh"))]
)
def test_a_script_is_sound(name: str) -> None:
    assert workflows.shell_faults((ROOT / name).read_text()) == []


def test_each_image_is_scanned_and_released_by_its_own_file_and_target() -> None:
    by_name = {workflow.name: workflow for workflow in FILES}
    scanned = by_name["images.yml"].jobs["image"]["strategy"]["matrix"]["image"]
    released = by_name["release.yml"].jobs["images"]["strategy"]["matrix"]["include"]
    assert set(scanned) == set(NAMES)
    assert {(each["image"], f"{each['file']}.Dockerfile", each["target"]) for each in released} == {
        *((image.name, image.dockerfile, image.target) for image in IMAGES),
        ("torchserve", "torchserve.Dockerfile", "cuda"),
    }
    for each in released:
        stages = (ROOT / "deploy" / "images" / f"{each['file']}.Dockerfile").read_text()
        assert f" AS {each['target']}\n" in stages
