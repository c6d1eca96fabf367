"""The public contract of health, in its four depths."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from control_plane.domain.rollout import Part
from control_plane.models.served import memory_of
from control_plane.torchserve import Worker


class Health(BaseModel):
    status: Literal["ok", "unavailable"]
    version: str
    model_loaded: bool


class Live(BaseModel):
    live: Literal[True] = True


class ReferenceProof(BaseModel):
    passed: int
    total: int


class Ready(BaseModel):
    ready: bool
    reasons: list[str] = Field(description="Why not, in sentences.")
    reference: ReferenceProof = Field(description="Reference pictures that answer as pinned.")


class WorkerFacts(BaseModel):
    model: str
    version: str
    id: str
    pid: int
    ready: bool
    memory_bytes: int | None = Field(description="null where it cannot be seen, as in another container.")

    @classmethod
    def of(cls, key: tuple[str, str], worker: Worker) -> Self:
        """`key`: model and version."""
        return cls(
            model=key[0],
            version=key[1],
            id=worker.id,
            pid=worker.pid,
            ready=worker.ready,
            memory_bytes=memory_of(worker),
        )


class VersionHealth(BaseModel):
    """One version that answers, or is on its way in or out."""

    model: str
    version: str
    role: Part | None = Field(description="null: it is on its way.")
    ready_workers: int
    wanted_workers: int
    reason: str | None = Field(description="Why it does not answer, or not as it should; null when all is well.")


class Dependency(BaseModel):
    up: bool
    detail: str | None = None


class Machine(BaseModel):
    """Of the machine or container that the service runs on."""

    cpu_percent: float
    load_1m: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    process_memory_bytes: int


class DetailedHealth(Health):
    ready: bool
    reasons: list[str]
    since: datetime = Field(description="When it last became ready, or ceased to be.")
    reference: ReferenceProof
    database: Dependency
    torchserve: Dependency
    versions: list[VersionHealth]
    workers: list[WorkerFacts]
    queue_depth: int
    spool_bytes: int = Field(description="Records that wait on this replica's disk for PostgreSQL.")
    spool_limit_bytes: int
    machine: Machine
