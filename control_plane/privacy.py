"""The public contract of the audit and of erasure."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field

from control_plane import anchor, audit


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
