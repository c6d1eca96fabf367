"""The public contract of models: their versions, who answers, and changes of that."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from control_plane.contract.evidence import EvidenceSummary
from control_plane.contract.health import ReferenceProof, WorkerFacts
from control_plane.contract.text import Name
from control_plane.domain.rollout import Part


class LastMinute(BaseModel):
    """What this replica saw of a version."""

    answered: int
    failed: int
    p95_seconds: float
    compared: int = Field(description="Answers that another version was asked for too.")
    disagreed: int = Field(description="Those of them that got another name.")


class VersionFacts(BaseModel):
    """One version that the service knows."""

    version: str
    state: Literal["uploaded", "checking", "ready", "refused", "sick", "retired"]
    reason: str | None = Field(description="Why it is in this state.")
    role: Part | None = Field(description="What it does at present; null when it is not in the rollout.")
    sha256: str = Field(description="Of the archive.")
    source: str
    labels: int = Field(description="How many it has.")
    metrics: dict[str, Any] = Field(description="From the model card.")
    created_by: str
    created_at: datetime
    workers: list[WorkerFacts]
    wanted_workers: int = Field(description="In all TorchServes together.")
    last_errors: list[str] = Field(description="What this replica saw go wrong with it lately; newest first.")
    reference: ReferenceProof | None = Field(description="Reference pictures that answer as pinned; null: not loaded.")
    queue_depth: int
    last_minute: LastMinute | None = Field(description="null: not loaded.")
    evidence: EvidenceSummary | None = Field(description="Of the newest evaluation.")


class RolloutFacts(BaseModel):
    """Who answers for a model. Changes name this revision in `If-Match`."""

    revision: int
    stable: str
    canary: str | None
    canary_percent: float
    shadow: str | None = Field(description="Gets copies of requests; nobody gets its answers.")
    shadow_percent: float
    previous: str | None = Field(description="What a rollback goes back to.")


class ModelSummary(BaseModel):
    name: str
    rollout: RolloutFacts
    ready: bool = Field(description="Whether the stable version's reference pictures answer as pinned.")


class Models(BaseModel):
    items: list[ModelSummary]


class OperationFacts(BaseModel):
    """A change of a rollout on its way."""

    id: UUID
    model: str
    action: str
    stable: str
    canary: str | None
    canary_percent: float
    shadow: str | None
    shadow_percent: float
    version: str | None = Field(description="The one that is evaluated; null when it is a change of who answers.")
    actor: str
    why: str | None = Field(description="Of what the guard did by itself.")
    state: Literal["running", "done", "failed"]
    stage: str = Field(description="What it is at: loading, proving, switching, ended.")
    message: str | None = Field(description="What it waits for, or why it failed.")
    created_at: datetime
    updated_at: datetime


class ModelFacts(ModelSummary):
    versions: list[VersionFacts]
    operation: OperationFacts | None = Field(description="The newest.")


class NewVersion(BaseModel):
    """A version whose archive lies in the model store, or at a URL that the operator allows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Name
    url: str | None = Field(None, max_length=2000, description="Of the archive; below a prefix that is allowed.")


class WantedWorkers(BaseModel):
    """How many workers a version shall have in each TorchServe."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int | None = Field(ge=1, le=64, description="null: as many as the settings say.")


class WantedRollout(BaseModel):
    """Who shall answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stable: Name
    canary: Name | None = None
    canary_percent: float = Field(0.0, ge=0, le=100, allow_inf_nan=False)
    shadow: Name | None = None
    shadow_percent: float = Field(0.0, ge=0, le=100, allow_inf_nan=False)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if (self.canary is None) != (self.canary_percent == 0):
            raise ValueError("canary and canary_percent go together")
        if (self.shadow is None) != (self.shadow_percent == 0):
            raise ValueError("shadow and shadow_percent go together")
        named = [each for each in (self.stable, self.canary, self.shadow) if each is not None]
        if len(set(named)) < len(named):
            raise ValueError("stable, canary and shadow must differ")
        return self


class Promotion(BaseModel):
    """Which version shall become the stable one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Name | None = Field(None, description="The canary when it is not given.")
    force: bool = Field(False, description="Also against the evidence. The audit says so.")
    reason: str | None = Field(None, max_length=1000, description="Why; needed with force.")

    @model_validator(mode="after")
    def _force_has_a_reason(self) -> Self:
        if self.force and not (self.reason or "").strip():
            raise ValueError("force needs a reason")
        return self
