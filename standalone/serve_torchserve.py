"""`python -m standalone.serve_torchserve`: becomes TorchServe, as it runs in a container.

The command and the environment are those of `make run`; only its addresses are the container's own network's, on which
nothing but the control planes may be. This process is replaced by Java, so that a SIGTERM reaches it at once.
"""

import os
import resource
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from standalone.errors import CannotRun
from standalone.java import find_java
from standalone.kernel import at_most
from standalone.settings import read_settings
from standalone.torchserve import LARGEST_FILE, Addresses, TorchServe

# All interfaces of the container. gRPC stays where nobody connects to it (config.properties).
EVERYWHERE = Addresses("http://0.0.0.0:8080", "http://0.0.0.0:8081", "http://0.0.0.0:8082")


def program(environment: Mapping[str, str], temporary: Path) -> tuple[tuple[str, ...], dict[str, str], Path]:
    """Build the command, its environment and the folder to start it in; folders that are missing are made."""
    private = temporary / "torchserve"
    logs = Path(environment.get("LOG_LOCATION") or private / "logs")
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    store = read_settings(environment).model_store
    torchserve = TorchServe(find_java(environment), EVERYWHERE, store, private)
    shown = {"LOG_CONSOLE_LEVEL": environment.get("LOG_CONSOLE_LEVEL") or "info"}
    return torchserve.command(), torchserve.environment(logs, environment) | shown, private


def main() -> int:
    resource.setrlimit(resource.RLIMIT_FSIZE, at_most(resource.RLIMIT_FSIZE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, at_most(resource.RLIMIT_CORE, 1))
    try:
        command, environment, folder = program(os.environ, Path(tempfile.gettempdir()))
        os.chdir(folder)
        os.execve(command[0], command, environment)  # noqa: S606 - a list, and no shell
    except (CannotRun, OSError) as problem:
        print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
