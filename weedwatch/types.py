"""Answers of the service as values. What a newer service says beside is kept, so that nothing of it is lost."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Of the API; `as_json` gives what it said, no more and no less."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_unset=True, by_alias=True)


class Candidate(Answer):
    label: str
    confidence: float


class Shadow(Answer):
    """What another version said to the same photo."""

    version: str
    label: str
    confidence: float
    agrees: bool


class Prediction(Answer):
    """One recorded answer; `shadows` only where one record was asked for."""

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
    consent: bool = False
    picture_kept: bool = False
    latitude: float | None = None
    longitude: float | None = None
    location_blurred: bool = False
    place_from_picture: bool = False
    taken_at: str | None = None
    subject: str | None = None
    shadows: tuple[Shadow, ...] = ()


class Page(Answer):
    """Some records, newest first; `next_cursor` leads to older ones."""

    items: tuple[Prediction, ...]
    next_cursor: str | None


class ReferenceProof(Answer):
    """Reference pictures that answer as pinned."""

    passed: int
    total: int


class Ready(Answer):
    """Whether the service is able to serve, and why not, in sentences."""

    ready: bool
    reasons: tuple[str, ...]
    reference: ReferenceProof | None = None


class Part(Answer):
    up: bool
    detail: str | None = None


class Worker(Answer):
    id: str
    ready: bool
    memory_bytes: int | None = None


class Health(Answer):
    """Every part of the service, and the machine."""

    status: str
    version: str
    model_loaded: bool
    ready: bool
    reasons: tuple[str, ...]
    since: datetime
    database: Part
    torchserve: Part
    workers: tuple[Worker, ...]
    queue_depth: int
    machine: dict[str, float]


class ServedModel(Answer):
    name: str
    version: str
    role: str
    labels: tuple[str, ...]
    common_names: dict[str, str]
    ready_workers: int
    wanted_workers: int
    limits: str | None = None


class Info(Answer):
    """What is served, by what, within which limits."""

    name: str
    version: str
    models: tuple[ServedModel, ...]
    limits: dict[str, Any]
    runtime: dict[str, str]


class Rollout(Answer):
    """Who answers for a model; `revision` is what a change of it names."""

    revision: int
    stable: str
    canary: str | None
    canary_percent: float
    shadow: str | None = None
    shadow_percent: float = 0.0
    previous: str | None


class Finding(Answer):
    """One rule of the policy that a version does not keep."""

    rule: str
    found: float | str | None
    allowed: float | str | None
    message: str


class Pair(Answer):
    """Of the version, and of the one that it was compared with."""

    version: float
    against: float


class EvidenceSummary(Answer):
    """What the newest evaluation says; `flipped` counts the records that would change name, no `findings`: go ahead.

    `is_current` is false when one of the two archives has changed since.
    """

    id: str
    against: str
    actor: str
    created_at: datetime
    is_current: bool
    pictures: int
    sightings: int
    accuracy: Pair | None
    agreement: float
    p95_seconds: Pair
    flipped: int
    findings: tuple[Finding, ...]


class FlippedRecord(Answer):
    """`source` is golden or sighting, `id` the file or the request id, `truth` the label where it is known."""

    source: str
    id: str
    before: str = Field(alias="from")
    to: str
    truth: str | None


class Flip(Answer):
    """How often a label of the version compared with became another one, and where."""

    label: str
    count: int
    of: int
    to: dict[str, int]
    records: tuple[FlippedRecord, ...]


class Evidence(EvidenceSummary):
    """One version compared with another."""

    model: str
    version: str
    flips: tuple[Flip, ...]
    policy: dict[str, Any]


class LastMinute(Answer):
    """What was seen of a version; `compared` answers were given by another one too, `disagreed` otherwise."""

    answered: int
    failed: int
    p95_seconds: float
    compared: int = 0
    disagreed: int = 0


class Version(Answer):
    """One version; `state` is uploaded, checking, ready, refused, sick or retired, `reason` says why."""

    version: str
    state: str
    reason: str | None = None
    role: str | None = None
    workers: tuple[Worker, ...] = ()
    wanted_workers: int | None = None
    last_errors: tuple[str, ...] = ()
    last_minute: LastMinute | None = None
    evidence: EvidenceSummary | None = None

    @property
    def is_checked(self) -> bool:
        return self.state not in ("uploaded", "checking")

    @property
    def is_staffed(self) -> bool:
        """Whether it has its workers, and all of them are ready; one that does nothing needs none."""
        return self.role is None or len(self.workers) == self.wanted_workers == self.ready_workers

    @property
    def ready_workers(self) -> int:
        return sum(worker.ready for worker in self.workers)


class Operation(Answer):
    """A change on its way; `version` only where one version is evaluated."""

    id: str
    model: str
    action: str
    actor: str
    stable: str
    canary: str | None
    canary_percent: float
    shadow: str | None = None
    shadow_percent: float = 0.0
    version: str | None = None
    state: Literal["running", "done", "failed"]
    stage: str
    message: str | None
    why: str | None


class ModelSummary(Answer):
    name: str
    rollout: Rollout
    ready: bool


class Model(ModelSummary):
    """One model with its versions and its newest change."""

    versions: tuple[Version, ...]
    operation: Operation | None


class Models(Answer):
    items: tuple[ModelSummary, ...]


class Key(Answer):
    """An API key as people see it."""

    id: str
    name: str
    owner: str
    scopes: tuple[str, ...]
    state: Literal["valid", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class MadeKey(Key):
    """A new one; `key` is what its holder sends, and is shown this once."""

    key: str = Field(repr=False)


class Keys(Answer):
    items: tuple[Key, ...]


class Caller(Answer):
    """Who one is to the service."""

    name: str
    scopes: tuple[str, ...]
    owner: str | None


class Access(Answer):
    """What the service asks of callers; `caller` is None without a valid credential."""

    mode: Literal["off", "keys", "oidc"]
    caller: Caller | None


class AuditRow(Answer):
    """One admin act; `request_id` and `address` say who asked for it, where somebody did."""

    number: int
    created_at: datetime
    actor: str
    action: str
    facts: dict[str, Any]
    request_id: str | None = None
    address: str | None = None
    digest: str


class AuditPage(Answer):
    """Some acts, newest first; `next_cursor` leads to older ones."""

    items: tuple[AuditRow, ...]
    next_cursor: int | None


class BrokenRow(Answer):
    """The first row of the audit that does not hold: changed, missing, reordered or cut off."""

    number: int
    fault: str
    message: str


class Verification(Answer):
    """Whether the rows that were looked at follow from each other; `next_cursor` leads to those behind them."""

    holds: bool
    rows: int
    total: int
    broken: BrokenRow | None
    head: str
    next_cursor: int | None = None


class Certificate(Answer):
    """What an erasure removed, by kind; `subject` is a digest, never the subject. `remains` says what it cannot reach.

    Row and digest are those of the audit.
    """

    id: str
    erased_at: datetime
    by: str
    request_id: str | None
    subject: str | None
    removed: dict[str, int]
    audit_row: int
    audit_digest: str
    remains: str
