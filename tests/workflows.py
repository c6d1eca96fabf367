"""What is asked of the workflows beyond their schema: faults as sentences, an empty list when there are none."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github"
TOOLS = ROOT / ".venv" / "bin"

# Which job may write what; all else reads.
MAY_WRITE = {
    ("release.yml", "images"): {"packages"},
    ("release.yml", "publish"): {"contents"},
    ("release.yml", "deploy"): {"actions"},
}
FORBIDDEN_TRIGGERS = {"pull_request_target", "workflow_run", "issue_comment"}
_PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
_EXACT_IMAGE = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")
_MAKE = re.compile(r"(?:^|[\s;&|(])make ([a-z][a-z-]*)")


@dataclass(frozen=True)
class Workflow:
    """One file, as text and as what it says."""

    name: str
    text: str

    @cached_property
    def said(self) -> dict[str, Any]:
        loaded = yaml.safe_load(self.text)
        assert isinstance(loaded, dict)
        return {"on" if key is True else str(key): value for key, value in loaded.items()}

    @property
    def triggers(self) -> set[str]:
        on = self.said.get("on", {})
        return {on} if isinstance(on, str) else set(on)

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        return dict(self.said.get("jobs", {}))

    def steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Also those of a composite action."""
        for name, job in self.jobs.items():
            yield from ((name, step) for step in job.get("steps", []))
        yield from (("runs", step) for step in self.said.get("runs", {}).get("steps", []))

    @property
    def scripts(self) -> list[str]:
        return [str(step["run"]) for _, step in self.steps() if "run" in step]


def workflows() -> list[Workflow]:
    return [Workflow(file.name, file.read_text()) for file in sorted((FOLDER / "workflows").glob("*.yml"))]


def actions() -> list[Workflow]:
    files = sorted((FOLDER / "actions").glob("*/action.yml"))
    return [Workflow(f"{file.parent.name}/{file.name}", file.read_text()) for file in files]


def asks_for_little(workflow: Workflow) -> list[str]:
    """Permissions are set, for the whole file to reading at most, and a job writes only what it is listed for."""
    whole = workflow.said.get("permissions")
    faults = []
    if not isinstance(whole, dict) or set(whole.values()) - {"read", "none"}:
        faults.append(f"permissions of the whole file: {whole}; must be there, and read at most")
    for name, job in workflow.jobs.items():
        own = job.get("permissions", {})
        writes = {what for what, how in own.items() if how == "write"} if isinstance(own, dict) else {str(own)}
        if more := writes - MAY_WRITE.get((workflow.name, name), set()):
            faults.append(f"{name} may write {', '.join(sorted(more))}")
    return faults


def ends(workflow: Workflow) -> list[str]:
    """No job hangs for the six hours that are the default. A called workflow's jobs have their own limits."""
    return [
        f"{name} has no timeout-minutes"
        for name, job in workflow.jobs.items()
        if "uses" not in job and not isinstance(job.get("timeout-minutes"), int)
    ]


def is_one_at_a_time(workflow: Workflow) -> list[str]:
    said = workflow.said.get("concurrency")
    if not isinstance(said, dict) or "group" not in said:
        return ["no concurrency group"]
    if workflow.name in ("deploy.yml", "release.yml") and said.get("cancel-in-progress") is not False:
        return ["a newer run cuts off one that changes things outside"]
    return []


def starts_by_nobody_else(workflow: Workflow) -> list[str]:
    """Triggers that run with the repository's secrets for somebody else's change."""
    return [f"started by {each}" for each in sorted(workflow.triggers & FORBIDDEN_TRIGGERS)]


def takes_only_what_is_pinned(workflow: Workflow) -> list[str]:
    """Actions by the digest of a commit, with its version behind it; images by an exact tag."""
    faults = [
        line.strip().removeprefix("- ")
        for line in workflow.text.splitlines()
        if re.match(r"\s*(- )?uses: (?!\./)", line) and not _PINNED.search(line)
    ]
    for job in workflow.jobs.values():
        container = job.get("container", {})
        image = container.get("image") if isinstance(container, dict) else container
        if image and not _EXACT_IMAGE.fullmatch(str(image)):
            faults.append(f"image {image}")
    return faults


def leaves_no_credential(workflow: Workflow) -> list[str]:
    """The token that checkout uses does not stay in the folder."""
    return [
        f"{job}: checkout without persist-credentials: false"
        for job, step in workflow.steps()
        if str(step.get("uses", "")).startswith("actions/checkout@")
        and step.get("with", {}).get("persist-credentials") is not False
    ]


def puts_nothing_into_scripts(workflow: Workflow) -> list[str]:
    """What `${{ }}` gives goes through the environment: in a script it would be run as part of it."""
    return [
        f"${{{{ }}}} in a script: {script.strip().splitlines()[0]}" for script in workflow.scripts if "${{" in script
    ]


def keeps_secrets_to_steps(workflow: Workflow) -> list[str]:
    """Secrets stand in the env or with of the one step that needs them, and no script prints them."""
    faults = ["all secrets are handed on"] if re.search(r"secrets:\s*inherit", workflow.text) else []
    outer = [workflow.said.get("env", {})]
    outer += [job.get(where, {}) for job in workflow.jobs.values() for where in ("env", "container", "services")]
    faults += ["a secret for more than one step"] if any("secrets." in str(each) for each in outer) else []
    for _, step in workflow.steps():
        names = [name for name, value in step.get("env", {}).items() if "secrets." in str(value)]
        told = [line.strip() for line in str(step.get("run", "")).splitlines() if _tells(line, names)]
        faults += [f"may print a secret: {line}" for line in told]
    return faults


def _tells(line: str, secrets: list[str]) -> bool:
    if re.search(r"^\s*env\s*$|\bset -\w*x", line):
        return bool(secrets)
    named = any(re.search(rf"\${{?{name}\b", line) for name in secrets)
    return named and bool(re.search(r"\b(echo|printf|cat|tee)\b", line))


def has_its_commands(workflow: Workflow) -> list[str]:
    """Each `make X` is in the Makefile, each script is there and can be run."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    faults = [f"make {each}" for each in sorted(set(_MAKE.findall(workflow.text)) - targets)]
    for script in re.findall(r"(?<![\w/])((?:scripts|\.ci)/[\w.-]+)", " ".join(workflow.scripts)):
        file = ROOT / script
        if not file.is_file() or not file.stat().st_mode & 0o100:
            faults.append(f"{script} cannot be run")
    return faults


def has_sound_scripts(workflow: Workflow) -> list[str]:
    return [fault for script in workflow.scripts for fault in shell_faults(script)]


def shell_faults(script: str) -> list[str]:
    """By bash itself, then by shellcheck."""
    words = ("-s", "bash", "-f", "gcc", "-")
    for command in (["bash", "-n"], [str(TOOLS / "shellcheck"), *words]):
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            return [(done.stdout + done.stderr).strip()]
    return []


def is_guarded(workflow: Workflow) -> list[str]:
    """What gets a deployment's key waits for the environment's reviewers."""
    return [
        f"{name} deploys without an environment"
        for name, job in workflow.jobs.items()
        if "DEPLOY_KEY" in str(job) and "environment" not in job
    ]


CHECKS: tuple[Callable[[Workflow], list[str]], ...] = (
    *(asks_for_little, ends, is_one_at_a_time, starts_by_nobody_else, takes_only_what_is_pinned),
    *(leaves_no_credential, puts_nothing_into_scripts, keeps_secrets_to_steps, has_its_commands, has_sound_scripts),
    is_guarded,
)
OF_ACTIONS = (takes_only_what_is_pinned, puts_nothing_into_scripts, has_its_commands, has_sound_scripts)


def commands_of(text: str) -> set[str]:
    """The `make …` lines of .ci/run, or of a workflow, with the words behind them."""
    found = re.findall(r"\bmake [a-z-]+(?: [A-Z]+=[\w,.]+)*", text)
    return {re.sub(r" TORCH=\w+", "", each) for each in found}


def schema_faults(file: Path, schema: str) -> str:
    """By the schema that check-jsonschema carries; nothing is fetched. Empty when it fits."""
    return _said(TOOLS / "check-jsonschema", "--builtin-schema", f"vendor.github-{schema}", str(file))


def security_faults(*files: Path) -> str:
    """By zizmor, which asks nobody either. Empty when it finds nothing."""
    return _said(TOOLS / "zizmor", "--offline", "--no-progress", "--quiet", *map(str, files))


def _said(*command: str | Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    return (done.stdout + done.stderr).strip() if done.returncode else ""
