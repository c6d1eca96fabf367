"""The settings of `make run`, read once from the environment and from `.env`."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from standalone.errors import CannotRun

ROOT = Path(__file__).resolve().parent.parent
SECRET = re.compile(
    "DATABASE_URL|LIMITS_URL|TRACES_HEADERS|OTLP_HEADERS|PASSWORD|PGPASS|SECRET|TOKEN|CREDENTIAL|API_KEY|PRIVATE_KEY",
    re.IGNORECASE,
)
"""In the name of a variable that may hold a secret; config.properties has the same words."""


@dataclass(frozen=True)
class Settings:
    """Where things live and what was asked for."""

    state_dir: Path
    host: str
    port: int
    auth: str
    """Who may come in: off (everybody of this machine), keys or oidc."""
    model_store: Path
    database_url: str | None
    observe: bool
    """Whether Prometheus and Alertmanager start too."""
    environment: Mapping[str, str]
    """All variables, those of `.env` included; what the control plane inherits."""

    @property
    def logs(self) -> Path:
        return self.state_dir / "logs"

    @property
    def own_url(self) -> str:
        """The address under which this machine reaches the control plane."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "localhost", "::", ""} else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read_settings(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Build the settings; the environment wins over `.env`.

    Raises:
        CannotRun: A value is unusable; the text names the variable.
    """
    given = os.environ if environ is None else environ
    values = {**read_env_file(root / ".env"), **given}
    return Settings(
        state_dir=(root / (values.get("WEEDWATCH_STATE_DIR") or ".weedwatch")).resolve(),
        host=values.get("WEEDWATCH_HOST") or "127.0.0.1",
        port=read_port(values.get("WEEDWATCH_PORT") or "8000"),
        auth=(values.get("WEEDWATCH_AUTH") or "off").strip(),
        model_store=(root / (values.get("WEEDWATCH_MODEL_STORE") or "model_store")).resolve(),
        database_url=read_database_url(values, root),
        observe=False,
        environment=values,
    )


def read_database_url(values: Mapping[str, str], root: Path) -> str | None:
    """From the variable or from the file that another one names.

    control_plane/secret_files.py reads it the same way; neither side may import the other.
    """
    url, file = values.get("DATABASE_URL"), values.get("DATABASE_URL_FILE")
    if not file:
        return url or None
    if url:
        raise CannotRun("Both DATABASE_URL and DATABASE_URL_FILE are set. Keep one of them.")
    try:
        found = (root / file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is no text"
        raise CannotRun(f"The file {file} that DATABASE_URL_FILE names cannot be read ({why}).") from None
    if not found:
        raise CannotRun(f"The file {file} that DATABASE_URL_FILE names is empty. Write the address into it.")
    return found


def secret_files(environment: Mapping[str, str], root: Path = ROOT) -> list[Path]:
    """Files of secrets that variables name."""
    return [
        root / value for name, value in environment.items() if value and name.endswith("_FILE") and SECRET.search(name)
    ]


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """What programs get that need no secret: those that load models, above all."""
    return {name: value for name, value in environment.items() if not SECRET.search(name)}


def read_port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65535:
        return int(text)
    raise CannotRun(f"WEEDWATCH_PORT is {text!r}. Give a number from 1 to 65535, for instance 8000.")


def read_env_file(path: Path) -> dict[str, str]:
    """Read `NAME=value` lines; `#` begins a comment line, quotes around a value are taken off."""
    if not path.is_file():
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise CannotRun(f"Line {number} of {path} is no NAME=value line. Correct it or begin it with #.")
        values[name.strip()] = unquote(value.strip())
    return values


def unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()
