"""Answers of the service as values. What a newer service says beside is left out."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Candidate(_Answer):
    label: str
    confidence: float


class Prediction(_Answer):
    """One recorded answer."""

    request_id: str
    created_at: datetime
    model: str
    version: str
    role: str
    verdict: Literal["species", "one_of", "cant_tell", "not_a_target"]
    label: str
    common_name: str | None
    confidence: float
    predictions: tuple[Candidate, ...]
    processing_time_ms: float


class Rollout(_Answer):
    """Who answers for a model."""

    revision: int
    stable: str
    canary: str | None
    canary_percent: float
    previous: str | None


class Worker(_Answer):
    id: str
    ready: bool


class Version(_Answer):
    version: str
    state: str
    reason: str | None
    role: str | None
    workers: tuple[Worker, ...]


class Operation(_Answer):
    """A change of a rollout on its way."""

    id: str
    model: str
    action: str
    actor: str
    stable: str
    canary: str | None
    canary_percent: float
    state: Literal["running", "done", "failed"]
    stage: str
    message: str | None
    why: str | None


class Model(_Answer):
    """One model; `versions` and `operation` only where one model was asked for."""

    name: str
    rollout: Rollout
    ready: bool
    versions: tuple[Version, ...] = ()
    operation: Operation | None = None
