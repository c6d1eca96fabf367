"""The public contract of keys and callers."""

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from control_plane.contract.text import Name
from control_plane.domain.callers import SCOPES, Caller, Mode, Scope
from control_plane.tables.keys import Key


class KeyLimits(BaseModel):
    """What one key may send; what is not given is as the settings say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: float | None = Field(None, gt=0, le=100_000, description="Requests a second, in the long run.")
    burst: int | None = Field(None, ge=1, le=1_000_000, description="Requests at once, after a pause.")
    concurrent: int | None = Field(None, ge=1, le=100_000, description="Requests under way at once.")
    bytes_per_minute: int | None = Field(None, ge=1024, description="Of bodies.")


class NewKey(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="For people: who or what uses it.")
    scopes: list[Scope] = Field(["predict", "read"], min_length=1, description="What it may do; admin implies all.")
    owner: Name | None = Field(
        None, description="Whose records it writes and sees; keys may share one. By default its name."
    )
    expires_in_days: float | None = Field(None, gt=0, le=36_500)
    limits: KeyLimits | None = None


class Rotation(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap_seconds: float = Field(86_400, ge=0, le=365 * 86_400, description="For which the old key still holds.")


class KeyFacts(BaseModel):
    """A key as people see it; never the key itself."""

    id: str
    name: str
    owner: str
    scopes: list[Scope]
    limits: KeyLimits | None
    state: Literal["valid", "expired", "revoked"]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To within ten seconds.")

    @classmethod
    def of(cls, key: Key) -> Self:
        expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
        known = {name: value for name, value in vars(key).items() if name in cls.model_fields}
        return cls(**known, state="revoked" if key.revoked_at else "expired" if expired else "valid")


class MadeKey(KeyFacts):
    key: str = Field(description="The key itself. It is shown this once.")


class Keys(BaseModel):
    items: list[KeyFacts]


class CallerFacts(BaseModel):
    name: str
    scopes: list[Scope]
    owner: str | None = Field(description="Whose records it writes, and sees unless it is admin.")

    @classmethod
    def of(cls, caller: Caller) -> Self:
        return cls(name=caller.name, scopes=[each for each in SCOPES if caller.may(each)], owner=caller.owner)


class SignIn(BaseModel):
    """How a browser signs in: the code flow with PKCE, as a public client."""

    issuer: str
    client_id: str
    scope: str = Field(description="What to ask for.")
    parameters: dict[str, str] = Field(description="To send along, so that the token is for this service.")
    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None


class Access(BaseModel):
    mode: Mode = Field(description="off: no credential but for admin work. keys: API keys. oidc: access tokens too.")
    caller: CallerFacts | None = Field(description="Who you are; null without a valid credential.")
    oidc: SignIn | None = Field(description="Null unless pages may sign in, and while the provider is away.")
    traces: float = Field(description="Share of its requests, 0 to 1, whose traces a page lets be recorded.")
