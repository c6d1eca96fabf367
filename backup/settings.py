"""The settings of backups, beside those of the control plane: a backup finds the service by what the service reads."""

from pydantic import Field, ValidationError

from backup.errors import Refusal
from control_plane.secret_files import WrongSecretFile
from control_plane.settings import Settings as OfTheService


class Settings(OfTheService):
    """Frozen; a bad value is named."""

    backup_url: str | None = Field(
        None,
        description="Where backups lie: a folder, or s3://bucket/folder, gs://bucket/folder. Credentials come from "
        "the cloud's own variables and files. One service only in each.",
    )
    backup_hours: float = Field(24.0, gt=0, le=24 * 31, description="`keep`: hours between two backups.")
    backup_daily: int = Field(7, ge=1, le=3660, description="The newest backup of so many days is kept.")
    backup_weekly: int = Field(4, ge=0, le=520, description="And the newest of so many weeks.")
    backup_erasures_minutes: float = Field(
        5.0,
        gt=0,
        le=24 * 60,
        description="`keep`: after so many minutes the list of erasures is compared with the database anew, in case it "
        "has gone. Each erasure is added within seconds.",
    )


def own_variables() -> dict[str, str]:
    """The variables that only backups read, and what each is."""
    return {
        f"WEEDWATCH_{name.upper()}": field.description or ""
        for name, field in Settings.model_fields.items()
        if name not in OfTheService.model_fields
    }


def read() -> Settings:
    """From the environment.

    Raises:
        Refusal: A value is wrong; names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        variable = name if name.isupper() else f"WEEDWATCH_{name.upper()}"
        raise Refusal(f"The setting {variable} is wrong: {first['msg']}.") from None
    except WrongSecretFile as error:
        raise Refusal(str(error)) from None
