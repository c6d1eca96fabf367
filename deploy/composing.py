"""Asking Docker Compose, and the few lines of `.env` that are the stack's own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from deploy.errors import CannotDeploy

ROOT = Path(__file__).resolve().parent.parent
ENV_FILE = ROOT / ".env"
REPLICAS = ("control-plane-1", "control-plane-2")
SURGE = "control-plane-surge"
NO_DOCKER = "There is no docker on PATH. Install Docker Engine with its Compose plugin."


def compose(*arguments: str, environment: dict[str, str] | None = None, seconds: float = 1800) -> None:
    """Run a command of Compose, with its own output.

    Raises:
        CannotDeploy: It is not there, failed, or took too long.
    """
    try:
        done = subprocess.run(
            ("docker", "compose", *arguments), cwd=ROOT, env={**os.environ, **(environment or {})}, timeout=seconds,
            check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise CannotDeploy(NO_DOCKER) from None
    except subprocess.TimeoutExpired:
        raise CannotDeploy(f"`docker compose {arguments[0]}` was not over after {seconds:.0f} s.") from None
    if done.returncode != 0:
        raise CannotDeploy(f"`docker compose {' '.join(arguments)}` ended with code {done.returncode}.")


def said(*arguments: str) -> str:
    """What a docker command prints.

    Raises:
        CannotDeploy: It failed; the text holds its last line.
    """
    try:
        done = subprocess.run(
            ("docker", *arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
    except FileNotFoundError:
        raise CannotDeploy(NO_DOCKER) from None
    except subprocess.TimeoutExpired:
        raise CannotDeploy(f"`docker {' '.join(arguments[:2])}` was not over after two minutes.") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise CannotDeploy(f"`docker {' '.join(arguments[:3])} …` failed: {last}")
    return done.stdout


def running() -> dict[str, dict[str, str]]:
    """Service → what Compose says of its container, of those that run."""
    lines = said("compose", "ps", "--format", "json").strip().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return {each["Service"]: each for each in found}


def has_image(reference: str) -> bool:
    try:
        done = subprocess.run(("docker", "image", "inspect", reference), capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        raise CannotDeploy(NO_DOCKER) from None
    return done.returncode == 0


def read_env() -> dict[str, str]:
    """The lines of `.env`, as Compose reads them; what is set in the environment wins."""
    lines = ENV_FILE.read_text("utf-8").splitlines() if ENV_FILE.exists() else []
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {_name(name): _value(value.strip()) for name, _, value in pairs}


def _name(text: str) -> str:
    return text.strip().removeprefix("export ").strip()


def _value(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text.split(" #", 1)[0].rstrip()


def setting(name: str, otherwise: str) -> str:
    return os.environ.get(name) or read_env().get(name) or otherwise


def write_env(values: dict[str, str]) -> None:
    """Set lines of `.env`; all others stay as they are. It is replaced in one step."""
    lines = ENV_FILE.read_text("utf-8").splitlines() if ENV_FILE.exists() else []
    kept = [line for line in lines if _name(line.partition("=")[0]) not in values]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"
    beside = ENV_FILE.with_name(".env.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)  # there may be secrets in it: nobody else reads it meanwhile
    beside.write_text(text, "utf-8")
    beside.chmod(ENV_FILE.stat().st_mode & 0o777 if ENV_FILE.exists() else 0o644)
    beside.replace(ENV_FILE)
