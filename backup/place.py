"""The service that is backed up or restored: where its parts are, by the settings that it reads itself."""

from dataclasses import dataclass
from pathlib import Path

from backup.errors import Refusal
from backup.settings import Settings
from control_plane.access.credentials import KeySecrets
from control_plane.photos.stores import Store, open_store


@dataclass(frozen=True)
class Place:
    """`secrets` is None where there are none yet."""

    database_url: str
    state: Path
    model_store: Path
    pictures: Store
    secrets: KeySecrets | None

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def key_names(self) -> tuple[str, ...]:
        """Of its secrets; nothing of them."""
        return tuple(self.secrets.by_name) if self.secrets else ()


def place_of(settings: Settings) -> Place:
    """Raises Refusal when a setting is of no use."""
    file = settings.key_secret_file or settings.state_dir / "key-secret"
    try:
        # Never made here: a new one would fit nothing.
        secrets = KeySecrets.load(file, settings.state_dir) if file.exists() or settings.key_secret_file else None
        pictures = open_store(settings.pictures_url, settings.pictures_dir)
    except ValueError as error:
        raise Refusal(str(error)) from None
    return Place(settings.database_url.get_secret_value(), settings.state_dir, settings.model_store, pictures, secrets)
