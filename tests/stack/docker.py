"""The command line of one Docker Engine."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DockerFailed(Exception):
    """A command of Docker's failed; the text has the command and the end of what it wrote."""


@dataclass(frozen=True)
class Docker:
    """`environment` finds the program, its plugins and the engine."""

    environment: Mapping[str, str]

    def run(self, *arguments: str, seconds: float = 120, text: str | None = None, folder: Path | None = None) -> str:
        """Run `docker ARGUMENTS` and give what it wrote to its standard output.

        Raises:
            DockerFailed: It ended with an error, or took longer than `seconds`.
        """
        done = self.attempt(*arguments, seconds=seconds, text=text, folder=folder)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise DockerFailed(f"`docker {' '.join(arguments)}` ended with code {done.returncode}: {said}")
        return done.stdout

    def attempt(
        self, *arguments: str, seconds: float = 120, text: str | None = None, folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The same, and the caller looks at the exit code.

        Raises:
            DockerFailed: It took longer than `seconds`, or there is no such program.
        """
        # Looked up in its own PATH: subprocess would look in ours.
        try:
            return subprocess.run(
                ["/usr/bin/env", "docker", *arguments],
                env=dict(self.environment),
                cwd=folder,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DockerFailed(f"`docker {' '.join(arguments)}` took more than {seconds:g} seconds.") from None

    def json(self, *arguments: str, seconds: float = 120) -> Any:
        """Run a command whose output is one JSON document."""
        return json.loads(self.run(*arguments, seconds=seconds))

    def inspect(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """Describe containers, images, networks or volumes (`kind`: container, image, …)."""
        found: list[dict[str, Any]] = self.json(kind, "inspect", *names) if names else []
        return found


def environment_for(host: str, programs: Path) -> dict[str, str]:
    """Ours, with the engine at `host` and the client below `programs`."""
    places = [str(programs / "usr" / "bin"), str(programs / "usr" / "sbin"), *_path()]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "COMPOSE_"))}
    return {**kept, "DOCKER_HOST": host, "DOCKER_CONFIG": str(programs / "config"), "PATH": os.pathsep.join(places)}


def _path() -> list[str]:
    """Where iptables and runc are, also for those whose PATH lacks the folders of the system's programs."""
    places = os.environ.get("PATH", "").split(os.pathsep)
    return [*places, *(each for each in ("/usr/sbin", "/sbin") if each not in places)]
