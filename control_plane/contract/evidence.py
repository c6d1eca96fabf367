"""The public contract of evaluations: how a version does beside the stable one."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Finding(BaseModel):
    """What speaks against a promotion."""

    rule: str = Field(description="Of the policy; `evidence`: none that counts; `policy`: it cannot be read.")
    found: float | str | None
    allowed: float | str | None
    message: str


class Pair(BaseModel):
    """Of the version, and of the stable one that it was compared with."""

    version: float
    against: float


class EvidenceSummary(BaseModel):
    """What the newest evaluation of a version says."""

    id: UUID
    against: str
    actor: str
    created_at: datetime
    is_current: bool = Field(description="Whether both archives are still those that were compared.")
    pictures: int = Field(description="Of the golden set.")
    sightings: int = Field(description="Kept with consent.")
    accuracy: Pair | None = Field(description="On the golden set; null without one.")
    agreement: float = Field(description="Share of all pictures that both give the same name.")
    p95_seconds: Pair = Field(description="Of the handler.")
    flipped: int = Field(description="Records that would change name.")
    findings: list[Finding] = Field(description="What speaks against a promotion; empty: nothing.")


class FlippedRecord(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    source: Literal["golden", "sighting"]
    id: str = Field(description="File in the golden set, or request id.")
    before: str = Field(alias="from")
    to: str
    truth: str | None


class Flip(BaseModel):
    """The pictures of one name that would get another one."""

    label: str = Field(description="What the stable version says.")
    count: int
    of: int
    to: dict[str, int]
    records: list[FlippedRecord] = Field(description="At most 50 of them.")


class Evidence(EvidenceSummary):
    model: str
    version: str
    flips: list[Flip]
    policy: dict[str, Any] = Field(description="What a promotion needs.")
