"""Where the service is: a flag, else WEEDWATCH_*, else ./weedwatch.toml, else the user's file, else the default."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weedwatch.errors import WrongSettings

DEFAULTS = {
    "url": "http://localhost:8000",
    "token_file": ".weedwatch/admin-token",
    "api_key_file": ".weedwatch/api-key",
    "timeout_seconds": "60",
}
KEY = "WEEDWATCH_API_KEY"
HERE = Path("weedwatch.toml")


@dataclass(frozen=True)
class Setting:
    value: str
    source: str


@dataclass(frozen=True)
class Settings:
    """Each with where it comes from; `token_file` is read only for what needs the scope admin."""

    url: Setting
    token_file: Setting
    api_key_file: Setting
    timeout_seconds: Setting

    @property
    def seconds(self) -> float:
        try:
            seconds = float(self.timeout_seconds.value)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise WrongSettings(
                f"timeout_seconds must be a number above 0, not {self.timeout_seconds.value!r} "
                f"(from {self.timeout_seconds.source})."
            )
        return seconds

    def token(self) -> str | None:
        return _first_line(self.token_file)

    def key(self) -> str | None:
        """The API key: what WEEDWATCH_API_KEY says, else the file."""
        return os.environ.get(KEY, "").strip() or _first_line(self.api_key_file)


def load(**flags: str | None) -> Settings:
    """Read them all.

    Raises:
        WrongSettings: A file cannot be read, or says something unknown.
    """
    layers = [
        {name: Setting(value, _flag(name)) for name, value in flags.items() if value},
        {
            name: Setting(value, variable(name))
            for name in DEFAULTS
            if (value := os.environ.get(variable(name), "").strip())
        },
        *(_of_file(file) for file in (HERE, user_file())),
        {name: Setting(value, "the default") for name, value in DEFAULTS.items()},
    ]
    found = {name: next(layer[name] for layer in layers if name in layer) for name in DEFAULTS}
    settings = Settings(**found)
    if not settings.url.value.startswith(("http://", "https://")):
        raise WrongSettings(
            f"url must begin with http:// or https://, not {settings.url.value!r} (from {settings.url.source})."
        )
    return settings


def _first_line(setting: Setting) -> str | None:
    file = Path(setting.value).expanduser()
    return file.read_text().strip() or None if file.is_file() else None


def variable(name: str) -> str:
    return f"WEEDWATCH_{name.upper()}"


def user_file() -> Path:
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "weedwatch" / "config.toml"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _of_file(file: Path) -> dict[str, Setting]:
    try:
        said: Mapping[str, Any] = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WrongSettings(f"{file} cannot be read: {error}.") from error
    unknown = sorted(set(said) - set(DEFAULTS))
    if unknown:
        raise WrongSettings(f"{file} says {unknown[0]!r}, which is no setting; there are {', '.join(DEFAULTS)}.")
    settings = {name: Setting(str(value), str(file)) for name, value in said.items()}
    for name in {"token_file", "api_key_file"} & set(settings):  # relative to the file that names it
        settings[name] = Setting(str(file.parent / Path(settings[name].value).expanduser()), str(file))
    return settings
