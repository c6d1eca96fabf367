"""The public contract of the audit and of erasure."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from control_plane.contract.text import Name
from control_plane.tables import anchor, audit

REMAINS = (
    "Not under our hand: PostgreSQL keeps deleted rows in its files until it has cleared and overwritten them, and in "
    "its write-ahead log; backups keep what they held. The audit keeps this certificate, which names nobody."
)


class AuditRow(BaseModel):
    """Who did what to which object, from where."""

    number: int
    created_at: datetime
    actor: str
    action: str
    facts: dict[str, Any]
    request_id: str | None = Field(description="Of the request that asked; null for what the service did by itself.")
    address: str | None = Field(description="From where it was asked.")
    digest: str

    @classmethod
    def of(cls, act: audit.Act) -> Self:
        facts = dict(act.facts)
        origin = facts.pop("from", {})
        return cls(
            number=act.id,
            created_at=act.created_at,
            actor=act.actor,
            action=act.action,
            facts=facts,
            request_id=origin.get("request_id"),
            address=origin.get("address"),
            digest=act.digest.hex(),
        )


class AuditPage(BaseModel):
    items: list[AuditRow]
    next_cursor: int | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class BrokenRow(BaseModel):
    """The first row that does not hold."""

    number: int
    fault: Literal["changed", "missing", "reordered", "cut off"]
    message: str


class Verification(BaseModel):
    """Whether the rows that were looked at follow from each other, up to `head`."""

    holds: bool
    rows: int = Field(description="How many hold.")
    total: int = Field(description="Number of the newest row.")
    broken: BrokenRow | None
    head: str = Field(description="Digest of the last row that holds.")
    next_cursor: int | None = Field(description="Give it as `cursor` for the rows behind these; null at the end.")

    @classmethod
    def of(cls, found: anchor.Verified) -> Self:
        broken = found.broken
        return cls(
            holds=broken is None,
            rows=found.rows,
            total=found.total,
            broken=broken and BrokenRow(number=broken.number, fault=broken.fault, message=broken.sentence),
            head=found.head.digest.hex(),
            next_cursor=found.following,
        )


class Erase(BaseModel):
    """Whose records shall go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subject: Name | None = Field(
        None,
        description="The subject of the records, or the owner of the keys that sent them; the caller's own owner "
        "when it is not given.",
    )


class Removed(BaseModel):
    """How much of each kind."""

    records: int
    pictures: int = Field(description="Kept pictures, thumbnails included.")
    pictures_still_shown: int = Field(description="Kept pictures that another record shows too; they stay.")
    shadows: int = Field(description="What other versions said of the pictures.")
    idempotency_keys: int
    evaluations: int = Field(description="Evaluations that told of one of the records.")
    quarantined_lines: int = Field(description="Unreadable or refused lines of this replica's spool.")


class Certificate(BaseModel):
    """What an erasure removed; it can be asked for again."""

    id: UUID
    erased_at: datetime
    by: str
    request_id: UUID | None = Field(description="Of the one record that was erased; null when a subject was.")
    subject: str | None = Field(description="Digest of the subject, with a key of the service; never the subject.")
    removed: Removed
    audit_row: int
    audit_digest: str
    remains: str = Field(description="What this cannot reach, in a sentence.")

    @classmethod
    def of(cls, act: audit.Act) -> Self:
        facts = act.facts
        return cls(
            id=facts["id"],
            erased_at=act.created_at,
            by=act.actor,
            request_id=facts["request_id"],
            subject=facts["subject"],
            removed=Removed.model_validate(facts["removed"]),
            audit_row=act.id,
            audit_digest=act.digest.hex(),
            remains=REMAINS,
        )
