"""One prediction: choose the version, dispatch, judge, record. Knows no HTTP."""

import logging
from dataclasses import asdict, dataclass, field
from datetime import datetime
from time import monotonic
from uuid import UUID

from control_plane.dispatch import Priority
from control_plane.domain.rollout import Role
from control_plane.domain.verdicts import Label, judge
from control_plane.errors import (
    ClientLeft,
    DeadlineExceeded,
    InvalidRequest,
    ModelNotLoaded,
    ProcessingError,
    ServingError,
)
from control_plane.metrics import Metrics
from control_plane.models.archives import Archive, Reference
from control_plane.models.lifecycle import Fleet
from control_plane.models.served import Served
from control_plane.photos.pictures import Kept, Pictures
from control_plane.photos.uploads import Picture
from control_plane.predictions.answers import Answers, Source, Wish
from control_plane.predictions.presence import Presence
from control_plane.predictions.shadow import Shadows
from control_plane.records.recording import Recorder
from control_plane.tables import history
from control_plane.telemetry import tracing
from control_plane.telemetry.counts import Counts
from control_plane.telemetry.logs import trace_id
from control_plane.torchserve import Inference, Item

log = logging.getLogger(__name__)

BLAMED = (ModelNotLoaded, ProcessingError, DeadlineExceeded)  # what a version may be to blame for
CANARY_PATIENCE = 0.5
LEAST_TOP_K = 5  # the verdict needs the best few, however few the client wants
MOST_CONFIDENCE = 1.01  # of all labels together; rounding adds up
MAX_TOP_K = 100  # of archives that cannot read tensors


@dataclass(frozen=True)
class Asked:
    """What a client asks for beside the picture."""

    request_id: UUID
    received_at: datetime
    deadline: float  # of monotonic()
    correlation_id: str | None = None
    traceparent: str | None = None
    model: str | None = None
    version: str | None = None
    top_k: int = 3
    consent: bool = False
    latitude: float | None = None
    longitude: float | None = None
    subject: str | None = None
    owner: str | None = None
    """Whose record it is."""
    all_labels: bool = False
    """Whether `Recorded.ranked` shall hold every label."""
    caller: str = ""
    """Whose share of the queue it takes."""
    sticky: str | None = None
    """Who has the same key has the same version; the request id when there is none."""
    wish: Wish = Wish.NOTHING
    """Whether an answer of before will do."""
    presence: Presence = field(default_factory=Presence)


@dataclass(frozen=True)
class Recorded:
    """An answer and where it is kept: in the database, or on the disk until that is back."""

    row: history.Prediction
    in_database: bool
    labels: tuple[str, ...] = ()
    """Of the version that answered, in the order of its outputs."""
    ranked: tuple[Label, ...] = ()
    """All that the version said, best first; the row holds as much as was asked for."""
    source: Source | None = None
    """Where it came from; None where no answers are kept."""


class Predictor:
    """From a checked picture to a recorded answer."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        recorder: Recorder,
        shadows: Shadows,
        pictures: Pictures,
        answers: Answers,
        metrics: Metrics,
    ) -> None:
        self._fleet = fleet
        self._recorder = recorder
        self._shadows = shadows
        self._pictures = pictures
        self._answers = answers
        self._metrics = metrics
        self.counts = Counts(metrics)

    async def predict(self, picture: Picture, asked: Asked, *, started: float) -> Recorded:
        """The recorded answer; it is kept durably when this returns. `started`: the request's last byte.

        Raises:
            ServingError: One of the documented errors.
            ClientLeft: The client left before there was an answer.
        """
        served, role = self._fleet.choose(asked.model, asked.version, asked.sticky or str(asked.request_id))
        outcome, source = "internal_error", None
        try:
            async with asked.presence.waiting():  # what has an answer is recorded, whoever is there
                try:
                    # A canary that has died must leave time for stable.
                    patience = CANARY_PATIENCE if role == "canary" and asked.version is None else 1.0
                    inference, source = await self._find_or_infer(served, picture, asked, patience)
                except (ModelNotLoaded, DeadlineExceeded):
                    # The version may have been taken away meanwhile, or be a sick canary: once more, by stable.
                    stable = self._fleet.stable_of(served.archive.model)
                    if asked.version is not None or stable is served:
                        raise
                    served.window.note(None)
                    served, role = stable, "stable"
                    inference, source = await self._find_or_infer(served, picture, asked)
            row = await self._row(served, role, picture, asked, inference, started)
            in_database = await self._recorder.record(row)
            outcome = row.verdict
        except ServingError as error:
            outcome = error.code
            if isinstance(error, BLAMED):
                served.window.note(None)
            raise
        except ClientLeft:
            outcome = "client_left"
            raise
        finally:
            ids = {"trace_id": trace_id.get() or asked.request_id.hex, "request_id": str(asked.request_id)}
            self.counts.ended(served.key, role, outcome, monotonic() - started, ids)
            if span := tracing.current.get():
                span.set(_facts(served, role, outcome, source))
        if source != "hit":  # which says nothing of how the version does
            served.window.note(row.processing_seconds)
            served.last_success = monotonic()
        self.counts.answered(served.key, row.label, row.confidence)
        # A tensor was made for one version: another may want it otherwise. A canary's answer that is given again was
        # compared when it was given first; a shadow may not have been there then.
        if in_database and picture.shape is None and (source, role) != ("hit", "canary"):
            self._shadows.copy(picture, row)
        return Recorded(row, in_database, served.archive.labels, inference.predictions, source)

    async def probe(self, served: Served, reference: Reference, *, request_id: UUID, deadline: float) -> Label:
        """The best label of a reference picture by the same way, without a record."""
        asked = {"request_id": str(request_id), "traceparent": tracing.own(request_id), "top_k": LEAST_TOP_K}
        item = Item(reference.picture, asked, deadline)
        inference = await served.lane.run(item, served.send, pixels=0, deadline=deadline, priority=Priority.PROBE)
        check_answer(served.archive, inference)
        served.last_success = monotonic()
        self._answers.look_at(served)  # before it answers anybody
        return inference.predictions[0]

    async def _find_or_infer(
        self, served: Served, picture: Picture, asked: Asked, patience: float = 1.0
    ) -> tuple[Inference, Source | None]:
        if not self._answers.on:
            return await self._infer(served, picture, asked, patience), None
        if asked.wish is Wish.NOTHING:
            return await self._infer(served, picture, asked, patience), self._answers.count("bypass")
        slot = self._answers.slot(served, picture.sha256)
        source: Source = "miss" if asked.wish is Wish.READ else "bypass"
        if slot and source == "miss" and (labels := self._answers.find(slot, max(asked.top_k, LEAST_TOP_K))):
            return Inference(labels, {}), self._answers.count("hit")
        inference = await self._infer(served, picture, asked, patience)
        if slot:
            self._answers.keep(slot, served, inference.predictions)
        return inference, self._answers.count(source)

    async def _infer(self, served: Served, picture: Picture, asked: Asked, patience: float = 1.0) -> Inference:
        """`patience`: the share of the time that is left."""
        now = monotonic()
        deadline = now + patience * (asked.deadline - now)
        ids = {
            "request_id": str(asked.request_id),
            "correlation_id": asked.correlation_id,
            "traceparent": asked.traceparent,
        }
        top_k = len(served.archive.labels) if asked.all_labels else max(asked.top_k, LEAST_TOP_K)
        check_fits(served.archive, picture.shape, top_k)
        item = Item(
            picture.data,
            {**{name: value for name, value in ids.items() if value}, "top_k": top_k},
            deadline,
            picture.shape,
            tracing.current.get(),
        )
        pixels = picture.width * picture.height
        inference = await served.lane.run(item, served.send, pixels=pixels, deadline=deadline, caller=asked.caller)
        check_answer(served.archive, inference)
        for stage, seconds in inference.seconds.items():
            self._metrics.stages[stage].observe(seconds)
        return inference

    async def _row(
        self, served: Served, role: Role, picture: Picture, asked: Asked, inference: Inference, started: float
    ) -> history.Prediction:
        archive, best = served.archive, inference.predictions[0]
        kept: Kept | None = None
        if asked.consent:
            began = monotonic()
            kept = await self._pictures.keep(picture.data)
            self._metrics.stages["keep"].observe(monotonic() - began)
            if span := tracing.current.get():
                span.add("keep picture", began, monotonic())
        row = history.Prediction(
            request_id=asked.request_id,
            correlation_id=asked.correlation_id,
            created_at=asked.received_at,
            model=archive.model,
            version=archive.version,
            verdict=judge(inference.predictions, archive.card),
            label=best.label,
            common_name=archive.card.common_names.get(best.label),
            confidence=best.confidence,
            predictions=[asdict(each) for each in inference.predictions[: asked.top_k]],
            processing_seconds=monotonic() - started,
            image_sha256=picture.sha256,
            image_bytes=len(picture.data),
            image_format=picture.format,
            image_width=picture.width,
            image_height=picture.height,
            consent=asked.consent,
            picture_sha256=None,
            latitude=asked.latitude,
            longitude=asked.longitude,
            subject=asked.subject,
            owner=asked.owner,
            role=role,
        )
        return history.with_picture(row, kept.sha256, kept.taken) if kept else row


def _facts(served: Served, role: Role, outcome: str, source: Source | None) -> tracing.Attributes:
    model, version = served.key
    return {
        "weedwatch.model": model,
        "weedwatch.version": version,
        "weedwatch.role": role,
        "weedwatch.outcome": outcome,
        **({"weedwatch.cache": source} if source else {}),
    }


def check_answer(archive: Archive, inference: Inference) -> None:
    """Raises ProcessingError when this cannot be what the version says: it would be recorded as true."""
    names = [each.label for each in inference.predictions]
    confidences = [each.confidence for each in inference.predictions]
    if not archive.known_labels.issuperset(names) or len(set(names)) < len(names):
        raise ProcessingError(cause="labels that the version does not have, or one of them twice")
    if confidences != sorted(confidences, reverse=True) or sum(confidences) > MOST_CONFIDENCE:
        raise ProcessingError(cause="confidences that are not in order, or more than one in all")


def check_fits(archive: Archive, shape: tuple[int, ...] | None, top_k: int) -> None:
    """Raises InvalidRequest when the version cannot take this tensor, or list so many labels."""
    name = f"'{archive.model}' version '{archive.version}'"
    if not archive.reads_tensors and (shape is not None or top_k > MAX_TOP_K):
        raise InvalidRequest(
            f"The archive of {name} is too old for this. Build it again, or send the picture to /predict."
        )
    wanted = (3, archive.input.height, archive.input.width)
    if shape is not None and shape != wanted:
        raise InvalidRequest(f"{name} takes tensors of the shape {[-1, *wanted]}, not {[-1, *shape]}.")
