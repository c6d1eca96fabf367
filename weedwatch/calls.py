"""Every request of the API as a value: made here once, sent by `Client` and `AsyncClient` alike."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from weedwatch.progress import Listener
from weedwatch.types import (
    Access,
    AuditPage,
    Certificate,
    Evidence,
    Health,
    Info,
    Key,
    Keys,
    MadeKey,
    Model,
    Models,
    ModelSummary,
    Operation,
    Page,
    Prediction,
    Ready,
    Verification,
    Version,
)

T = TypeVar("T")

Picture = str | Path | bytes
"""A file or its bytes."""

AUDIT_ROWS = 20_000  # verified in one request


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its answer is read.

    `files` are opened anew for each try. `also` are statuses that are answers too, such as the 503 of readiness.
    """

    method: str
    path: str
    parse: Callable[[Any], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    content: bytes | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    progress: Listener | None = None
    admin: bool = False
    also: frozenset[int] = frozenset()

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows if it arrived."""
        return self.method == "GET" or "Idempotency-Key" in self.headers


class Options(TypedDict, total=False):
    """What may be said of a photo; None is as good as nothing.

    `fresh`: look at it anew, also where the service gives answers of before again.
    """

    top_k: int | None
    model: str | None
    version: str | None
    consent: bool | None
    latitude: float | None
    longitude: float | None
    subject: str | None
    fresh: bool | None


class Filters(TypedDict, total=False):
    """Which records; None is as good as nothing. `q` is looked for in names, subject and ids."""

    label: str | None
    model: str | None
    version: str | None
    min_confidence: float | None
    since: datetime | str | None
    until: datetime | str | None
    q: str | None


def predict(picture: Picture, *, key: str | None = None, **options: Unpack[Options]) -> Call[Prediction]:
    """What is on a photo; it is recorded when this returns.

    `key` is the Idempotency-Key. One is made when there is none, so that another try never makes a second record.
    """
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    headers = {"Content-Type": "application/octet-stream", "Idempotency-Key": key or str(uuid.uuid4())}
    if options.pop("fresh", None):
        headers["Cache-Control"] = "no-cache"
    return Call(
        method="POST",
        path="/predict",
        content=data,
        headers=headers,
        params=_given(options),
        parse=Prediction.model_validate,
    )


def ready() -> Call[Ready]:
    """Whether the service is able to serve, and why not; this is an answer, never an error."""
    return Call(method="GET", path="/health/ready", parse=Ready.model_validate, also=frozenset({503}))


def health() -> Call[Health]:
    """Every part of the service, the workers and the machine."""
    return Call(method="GET", path="/health/detailed", parse=Health.model_validate)


def info() -> Call[Info]:
    """Models, labels and limits of what is served."""
    return Call(method="GET", path="/info", parse=Info.model_validate)


def models() -> Call[tuple[ModelSummary, ...]]:
    """All models and who answers for each."""
    return Call(method="GET", path="/models", parse=lambda body: Models.model_validate(body).items)


def model(name: str) -> Call[Model]:
    """One model: its versions, who answers, the newest change."""
    return Call(method="GET", path=_model(name), parse=Model.model_validate)


def add_version(
    model: str,
    version: str,
    source: str | Path | None = None,
    *,
    labels: str | Path | None = None,
    card: str | Path | None = None,
    signature: str | Path | None = None,
    architecture: str | None = None,
    progress: Listener | None = None,
) -> Call[Version]:
    """Make a version known. What is uploaded is checked first: see `watch_version`.

    Args:
        model: Its model.
        version: Its number or name.
        source: A model archive (.mar) or a checkpoint (.pth), as a file to upload or as a URL that the service
            fetches by itself; without it the archive lies in the service's model store.
        labels: class_labels.json of a checkpoint.
        card: model_card.json of a checkpoint.
        signature: minisign's, of the file.
        architecture: Of a checkpoint that does not say it itself.
        progress: Told of the upload.

    Raises:
        ValueError: The files do not fit each other.
    """
    path = f"{_model(model)}/versions"
    beside = {"labels": labels, "card": card, "signature": signature}
    named = {name: Path(file) for name, file in beside.items() if file is not None}
    if source is None or "://" in str(source):
        if named or architecture:
            raise ValueError("Labels, card, signature and architecture go with a file to upload.")
        body = {"version": version} if source is None else {"version": version, "url": str(source)}
        return Call(method="POST", path=path, json=body, admin=True, parse=Version.model_validate)
    is_archive = Path(source).suffix == ".mar"
    if is_archive and (labels or card or architecture):
        raise ValueError("A model archive holds its labels, card and architecture; they go with a checkpoint (.pth).")
    if not is_archive and labels is None:
        raise ValueError("A checkpoint needs its labels: class_labels.json.")
    return Call(
        method="POST",
        path=path,
        form={"version": version, **({"architecture": architecture} if architecture else {})},
        files={"archive" if is_archive else "model": Path(source), **named},
        progress=progress,
        admin=True,
        parse=Version.model_validate,
    )


def remove_version(model: str, version: str) -> Call[None]:
    """Forget a version that does not answer; its archive stays in the model store."""
    return Call(method="DELETE", path=_version(model, version), admin=True, parse=_nothing)


def set_workers(model: str, version: str, workers: int | None) -> Call[Version]:
    """How many workers a version has; None for the service's own choice."""
    path = f"{_version(model, version)}/workers"
    return Call(method="PUT", path=path, json={"workers": workers}, admin=True, parse=Version.model_validate)


def evaluate(model: str, version: str) -> Call[Operation]:
    """Compare a version with the stable one, on the golden set and on kept sightings."""
    return _change("POST", f"{_version(model, version)}/evaluate")


def evidence(model: str, version: str) -> Call[Evidence]:
    """The newest comparison of a version."""
    return Call(method="GET", path=f"{_version(model, version)}/evidence", parse=Evidence.model_validate)


def roll_out(
    model: str,
    stable: str,
    *,
    revision: int,
    canary: str | None = None,
    percent: float = 0.0,
    shadow: str | None = None,
    shadow_percent: float = 0.0,
) -> Call[Operation]:
    """Say who shall answer; `revision` is that of the rollout that was read.

    A canary answers its share of the callers; a shadow gets its share of the requests, and nobody gets its answers.
    """
    shares = {"canary_percent": percent, "shadow_percent": shadow_percent}
    wanted = {"stable": stable, "canary": canary, "shadow": shadow, **shares}
    return _change("PUT", f"{_model(model)}/rollout", wanted, revision)


def promote(
    model: str, version: str | None = None, *, revision: int, force: bool = False, reason: str | None = None
) -> Call[Operation]:
    """Let a version (the canary when none is named) answer for all, if its evidence allows it.

    `force` passes over what the evidence says, and wants a `reason`; both stand in the audit.
    """
    wanted = {"version": version, "force": force, "reason": reason}
    return _change(
        "POST",
        f"{_model(model)}/promote",
        {name: value for name, value in wanted.items() if value is not None},
        revision,
    )


def roll_back(model: str, *, revision: int) -> Call[Operation]:
    """Take the canary away, or go back to the stable version before."""
    return _change("POST", f"{_model(model)}/rollback", None, revision)


def operation(model: str, number: str) -> Call[Operation]:
    """How far a change is."""
    return Call(method="GET", path=_operation(model, number), parse=Operation.model_validate)


def cancel(operation: Operation) -> Call[Operation]:
    """End a change that is under way; what answers goes on answering."""
    path = _operation(operation.model, operation.id)
    return Call(method="DELETE", path=path, admin=True, parse=Operation.model_validate)


def events(operation: Operation) -> str:
    """Address of the stream of a change."""
    return f"{_operation(operation.model, operation.id)}/events"


def history(*, limit: int = 50, cursor: str | None = None, **filters: Unpack[Filters]) -> Call[Page]:
    """One page of records, newest first; its `next_cursor` leads to the next one."""
    asked = {"limit": limit, "cursor": cursor, **filters}
    return Call(method="GET", path="/history", params=_given(asked), parse=Page.model_validate)


def export(filters: Filters) -> dict[str, Any]:
    """What is asked of `/history` for all records at once, as a table."""
    return {"format": "csv", **_given(filters)}


def sighting(request_id: str) -> Call[Prediction]:
    """One record."""
    return Call(method="GET", path=f"/history/{quote(request_id, safe='')}", parse=Prediction.model_validate)


def erase(request_id: str) -> Call[Certificate]:
    """Remove one record, its picture and all that was made of it, for good."""
    path = f"/history/{quote(request_id, safe='')}"
    return Call(method="DELETE", path=path, admin=True, parse=Certificate.model_validate)


def erase_subject(subject: str | None = None) -> Call[Certificate]:
    """Remove all records of a person for good; without a subject those of the key's owner."""
    body = {} if subject is None else {"subject": subject}
    return Call(method="POST", path="/erasures", json=body, admin=True, parse=Certificate.model_validate)


def certificate(number: str) -> Call[Certificate]:
    """That of an earlier erasure."""
    path = f"/erasures/{quote(number, safe='')}"
    return Call(method="GET", path=path, admin=True, parse=Certificate.model_validate)


def audit(*, limit: int = 50, cursor: int | None = None) -> Call[AuditPage]:
    """One page of admin acts, newest first; its `next_cursor` leads to the next one."""
    asked = _given({"limit": limit, "cursor": cursor})
    return Call(method="GET", path="/audit", params=asked, admin=True, parse=AuditPage.model_validate)


def verification(*, limit: int | None = None, cursor: int | None = None) -> Call[Verification]:
    """Whether the rows of the audit follow from each other: all, or `limit` from `cursor` on."""
    asked = _given({"limit": limit, "cursor": cursor})
    path = "/audit/verification"
    return Call(method="GET", path=path, params=asked, admin=True, parse=Verification.model_validate)


def api(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Call[Any]:
    """Any request, its answer as it is; all but reads carry the admin token, where there is one."""
    method = method.upper()
    return Call(
        method=method, path=path, json=body, headers=headers or {}, admin=method != "GET", parse=lambda answer: answer
    )


def access() -> Call[Access]:
    """What the service asks of callers, and who one is."""
    return Call(method="GET", path="/access", parse=Access.model_validate)


def keys() -> Call[tuple[Key, ...]]:
    """All API keys, the newest first; those that hold no more too."""
    return Call(method="GET", path="/keys", admin=True, parse=lambda body: Keys.model_validate(body).items)


def make_key(
    name: str,
    scopes: Sequence[str] = ("predict", "read"),
    *,
    owner: str | None = None,
    expires_in_days: float | None = None,
    limits: Mapping[str, float] | None = None,
) -> Call[MadeKey]:
    """Make a key; the answer's `key` is shown this once. Keys of one owner see the same records."""
    asked = {"owner": owner, "expires_in_days": expires_in_days, "limits": limits}
    body = {"name": name, "scopes": list(scopes), **_given(asked)}
    return Call(method="POST", path="/keys", json=body, admin=True, parse=MadeKey.model_validate)


def rotate_key(key_id: str, *, overlap_seconds: float = 86_400) -> Call[MadeKey]:
    """Exchange a key for a new one that may do the same; the old one holds for the overlap."""
    path = f"/keys/{quote(key_id, safe='')}/rotation"
    body = {"overlap_seconds": overlap_seconds}
    return Call(method="POST", path=path, json=body, admin=True, parse=MadeKey.model_validate)


def revoke_key(key_id: str) -> Call[None]:
    """Refused from now on; by other replicas within seconds."""
    return Call(method="DELETE", path=f"/keys/{quote(key_id, safe='')}", admin=True, parse=_nothing)


def version_of(model: Model, version: str) -> Version:
    """Of a model; one that is not there is gone."""
    found = (each for each in model.versions if each.version == version)
    return next(found, Version(version=version, state="gone", reason="It has been removed."))


def _change(method: str, path: str, body: Any = None, revision: int | None = None) -> Call[Operation]:
    headers = {} if revision is None else {"If-Match": f'"{revision}"'}
    return Call(method=method, path=path, json=body, headers=headers, admin=True, parse=Operation.model_validate)


def _model(name: str) -> str:
    return f"/models/{quote(name, safe='')}"


def _version(model: str, version: str) -> str:
    return f"{_model(model)}/versions/{quote(version, safe='')}"


def _operation(model: str, number: str) -> str:
    return f"{_model(model)}/operations/{quote(number, safe='')}"


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}


def _nothing(_: Any) -> None:
    return None
