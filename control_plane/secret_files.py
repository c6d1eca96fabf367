"""Secrets from files: `NAME_FILE` beside each setting `NAME` that is a secret, as Docker and Kubernetes mount them."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

SUFFIX = "_FILE"


class WrongSecretFile(Exception):
    """Its sentence names the variable and what to do, and holds nothing of the secret."""


class SecretFiles(EnvSettingsSource):
    """Gives what the files hold; a line's end at the end of a file does not count."""

    def __call__(self) -> dict[str, Any]:
        """Raises WrongSecretFile."""
        return {
            str(field.validation_alias or name): read_secret(file, f"{variable}{SUFFIX}")
            for name, field in self.settings_cls.model_fields.items()
            if is_secret(field)
            for variable in [self._variable(name, field)]
            if (file := self._given(variable))
        }

    def _variable(self, name: str, field: FieldInfo) -> str:
        return str(field.validation_alias or f"{self.env_prefix}{name}").upper()

    def _given(self, variable: str) -> str | None:
        """The file's path, when there is one and not the secret itself as well."""
        file = self.env_vars.get(f"{variable}{SUFFIX}".lower())
        if file and self.env_vars.get(variable.lower()):
            raise WrongSecretFile(f"Both {variable} and {variable}{SUFFIX} are set. Keep one of them.")
        return file


def is_secret(field: FieldInfo) -> bool:
    return field.annotation in {SecretStr, SecretStr | None}


def read_secret(file: str, variable: str) -> str:
    """What a file holds.

    Raises:
        WrongSecretFile: It cannot be read or is empty.
    """
    try:
        secret = Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else "it is no text"
        raise WrongSecretFile(f"The file {file} that {variable} names cannot be read ({why}).") from None
    if not secret:
        raise WrongSecretFile(f"The file {file} that {variable} names is empty. Write the secret into it.")
    return secret
