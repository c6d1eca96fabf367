"""The public contract: what requests may say and what answers hold."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from control_plane.domain.rollout import Part, Role
from control_plane.domain.verdicts import Verdict
from control_plane.models.served import memory_of
from control_plane.tables import history
from control_plane.telemetry.alerts import Firing, Severity
from control_plane.torchserve import Worker

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""Text without control characters."""


class Options(BaseModel):
    """What may accompany a picture, as query parameters or form fields."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    top_k: int = Field(3, ge=1, le=100, description="How many labels the answer lists.")
    model: Name | None = Field(None, description="The model to ask; the served one by default.")
    version: Name | None = Field(None, description="The version to ask.")
    consent: bool = Field(False, description="Whether the picture may be kept.")
    latitude: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, description="Degrees north.")
    longitude: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False, description="Degrees east.")
    subject: Name | None = Field(None, description="The client's own word for what is on the picture, or where.")

    @model_validator(mode="after")
    def _place_is_a_pair(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self


class Amendment(BaseModel):
    """What may be said of a record later; a field that is not given stays as it is, null takes it away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    consent: bool | None = Field(None, description="Whether the picture may be kept; false removes a kept one.")
    latitude: float | None = Field(None, ge=-90, le=90, allow_inf_nan=False, description="Degrees north.")
    longitude: float | None = Field(None, ge=-180, le=180, allow_inf_nan=False, description="Degrees east.")
    subject: Name | None = Field(None, description="The client's own word for what is on the picture, or where.")

    @model_validator(mode="after")
    def _place_is_a_pair(self) -> Self:
        given = {"latitude", "longitude"} & self.model_fields_set
        if len(given) == 1 or (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude go together")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """By the names of the record; consent is never taken away by null, which is neither yes nor no."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in given.items() if name != "consent" or value is not None}


class Candidate(BaseModel):
    label: str
    confidence: float = Field(ge=0, le=1)


class Answer(BaseModel):
    """One recorded prediction, as `POST /predict` and the history give it."""

    request_id: UUID
    correlation_id: str | None
    created_at: datetime
    model: str
    version: str
    role: Role = Field(description="Of the version: stable, or a canary that answers a share of the requests.")
    verdict: Verdict = Field(description="species: named. one_of: one of the listed. cant_tell. not_a_target.")
    label: str = Field(description="The best label.")
    common_name: str | None
    confidence: float = Field(ge=0, le=1)
    predictions: list[Candidate] = Field(description="Best first.")
    processing_time_ms: float = Field(description="From the request's last byte to the answer.")
    image: "ImageFacts"
    consent: bool
    picture_kept: bool
    latitude: float | None
    longitude: float | None
    location_blurred: bool = Field(False, description="Whether the place was moved to a coarse grid for this caller.")
    place_from_picture: bool = Field(False, description="Whether the place was read from the picture itself.")
    taken_at: str | None = Field(
        None, description="When the photo was taken, by the camera's clock, without a zone: 2026-05-01T10:11:12."
    )
    subject: str | None

    @classmethod
    def of(cls, row: history.Prediction, blur_degrees: float | None = None) -> Self:
        """`blur_degrees`: the grid for callers who may not see exact places; None for those who may."""
        if blur_degrees is not None:
            row = history.blurred(row, blur_degrees)
        return cls(
            **{name: value for name, value in vars(row).items() if name in cls.model_fields and name != "taken_at"},
            location_blurred=blur_degrees is not None and row.latitude is not None,
            taken_at=row.taken_at.isoformat() if row.taken_at else None,
            processing_time_ms=round(1000 * row.processing_seconds, 3),
            image=ImageFacts(
                sha256=row.image_sha256.hex(),
                bytes=row.image_bytes,
                format=row.image_format,
                width=row.image_width,
                height=row.image_height,
            ),
            picture_kept=row.picture_sha256 is not None,
        )


class ImageFacts(BaseModel):
    """The picture as it was sent."""

    sha256: str
    bytes: int
    format: str
    width: int = Field(description="Pixels, as stored in the file.")
    height: int


class Page(BaseModel):
    items: list[Answer]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class Deleted(BaseModel):
    deleted: int


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


class StatusPoint(BaseModel):
    """One minute."""

    at: datetime
    answered: int
    refused: int = Field(description="Told to come back later.")
    failed: int = Field(description="Answered with a status of 500 or more.")
    verdicts: dict[Verdict, int]
    p50_seconds: float | None = Field(description="From a request's last byte to its answer; null without predictions.")
    p95_seconds: float | None
    queue_depth: int = Field(description="The most that were seen waiting.")
    ready: bool = Field(description="At every look.")


class StatusSeries(BaseModel):
    source: Literal["control_plane"] = Field("control_plane", description="This replica's own figures.")
    step_seconds: int
    points: list[StatusPoint] = Field(description="Oldest first; at most an hour, from this replica's start on.")


class FiringAlert(BaseModel):
    name: str = Field(description="Its runbook is the page `#/runbooks/NAME`.")
    severity: Severity
    since: datetime
    summary: str
    value: str
    dashboard_url: str | None

    @classmethod
    def of(cls, firing: Firing) -> "FiringAlert":
        return cls(**vars(firing))


class StatusAlerts(BaseModel):
    """What Prometheus says is firing."""

    connected: bool = Field(description="Whether the settings name a Prometheus.")
    problem: str | None = Field(description="Why nothing is known of alerts; null when Prometheus answers.")
    watched: bool = Field(description="Whether the alert that always fires does or will; else rules are not evaluated.")
    firing: list[FiringAlert] = Field(description="The most severe first.")


class ServedModel(BaseModel):
    name: str
    version: str
    role: Part
    labels: list[str]
    common_names: dict[str, str]
    negative_labels: list[str] = Field(description="Labels that are none of the watched plants.")
    ready_workers: int
    wanted_workers: int
    metrics: dict[str, Any] = Field(description="From the model card.")
    limits: str | None = Field(description="From the model card: what it must not be used for.")


class Limits(BaseModel):
    max_image_bytes: int
    max_pixels: int
    queue_size: int
    deadline_seconds: float
    formats: list[str]


class Info(BaseModel):
    name: str = "weedwatch"
    version: str
    models: list[ServedModel]
    limits: Limits
    runtime: dict[str, str]


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
    workers: list["WorkerFacts"]
    wanted_workers: int = Field(description="In all TorchServes together.")
    last_errors: list[str] = Field(description="What this replica saw go wrong with it lately; newest first.")
    reference: ReferenceProof | None = Field(description="Reference pictures that answer as pinned; null: not loaded.")
    queue_depth: int
    last_minute: LastMinute | None = Field(description="null: not loaded.")
    evidence: "EvidenceSummary | None" = Field(description="Of the newest evaluation.")


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


class ShadowFacts(BaseModel):
    """What another version said to the same picture."""

    version: str
    label: str
    confidence: float
    predictions: list[Candidate]
    processing_time_ms: float
    agrees: bool


class RecordedAnswer(Answer):
    shadows: list[ShadowFacts] = Field(description="Of versions that got a copy; nobody waited for them.")


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


class ProtocolServer(BaseModel):
    """Of the Open Inference Protocol, like all that follows up to `Failed`."""

    name: str = "weedwatch"
    version: str
    extensions: list[str] = ["binary_tensor_data", "classification"]


class TensorFacts(BaseModel):
    name: str
    datatype: str
    shape: list[int] = Field(description="-1: any number of pictures.")


class ProtocolModel(BaseModel):
    name: str
    versions: list[str] = Field(description="Those that may be asked for.")
    platform: str = "onnxruntime_onnx"
    inputs: list[TensorFacts] = Field(description="A request holds one of them.")
    outputs: list[TensorFacts]
    parameters: dict[str, Any] = Field(description="The labels in order, and how pictures become the input.")


class InferenceRequest(BaseModel):
    """Only described here: the body is read by `tensors.read`."""

    id: str | None = None
    parameters: dict[str, Any] = Field({}, description="binary_data_output, timeout (microseconds).")
    inputs: list[dict[str, Any]] = Field(
        description="One of image (BYTES [n] or [n, 1], in JSON as base64) and pixels (FP32 [n, 3, height, width])."
    )
    outputs: list[dict[str, Any]] = Field([], description="Some of probabilities, label, request_id; all by default.")


class Failed(BaseModel):
    error: str = Field(description="What happened and what to do.")


class Problem(BaseModel):
    """RFC 9457: what every error answers."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What happened and what to do.")
    code: str
    request_id: str
    retry: bool = Field(description="Whether the same request may succeed later.")
    errors: list[dict[str, Any]] | None = Field(None, description="Which parameter, for invalid_request.")
