"""One prediction: choose the version, dispatch, judge, record. Knows no HTTP."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from control_plane import history
from control_plane.archives import Archive, Reference
from control_plane.dispatch import Dispatcher, Priority
from control_plane.domain import Label, judge
from control_plane.errors import ClientLeft, ModelNotFound, ServingError
from control_plane.metrics import Metrics
from control_plane.pictures import Pictures
from control_plane.presence import Presence
from control_plane.recording import Recorder
from control_plane.torchserve import Inference, Item, TorchServe
from control_plane.uploads import Picture

log = logging.getLogger(__name__)

LEAST_TOP_K = 5  # the verdict needs the best few, however few the client wants


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
    presence: Presence = field(default_factory=Presence)


@dataclass(frozen=True)
class Recorded:
    """An answer and where it is kept: in the database, or on the disk until that is back."""

    row: history.Prediction
    in_database: bool


class Predictor:
    """`last_success` is the `monotonic()` time of the newest answer, whoever asked."""

    def __init__(
        self,
        *,
        archive: Archive,
        torchserves: Sequence[TorchServe],
        dispatcher: Dispatcher,
        recorder: Recorder,
        pictures: Pictures,
        metrics: Metrics,
    ) -> None:
        self.archive = archive
        self.last_success = float("-inf")
        self._torchserves = torchserves
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._pictures = pictures
        self._metrics = metrics
        self._send = self._send_items  # one object: calls are batched by where they go

    async def predict(self, picture: Picture, asked: Asked, *, started: float) -> Recorded:
        """The recorded answer; it is kept durably when this returns. `started`: the request's last byte.

        Raises:
            ServingError: One of the documented errors.
            ClientLeft: The client left before there was an answer.
        """
        archive = self._choose(asked)
        outcome = "internal_error"
        try:
            async with asked.presence.waiting():  # what has an answer is recorded, whoever is there
                inference = await self._infer(picture.data, picture.width * picture.height, asked)
            row = await self._row(archive, picture, asked, inference, started)
            in_database = await self._recorder.record(row)
            outcome = row.verdict
        except ServingError as error:
            outcome = error.code
            raise
        except ClientLeft:
            outcome = "client_left"
            raise
        finally:
            self._measure(archive, outcome, monotonic() - started)
        self._metrics.confidence.labels(archive.model, archive.version).observe(row.confidence)
        self.last_success = monotonic()
        return Recorded(row, in_database)

    async def probe(self, reference: Reference, *, request_id: UUID, deadline: float) -> Label:
        """The best label of a reference picture by the same way, without a record."""
        asked = Asked(request_id, datetime.now(UTC), deadline)
        inference = await self._infer(reference.picture, 0, asked, Priority.PROBE)
        self.last_success = monotonic()
        return inference.predictions[0]

    def _choose(self, asked: Asked) -> Archive:
        archive = self.archive
        if asked.model not in (None, archive.model):
            raise ModelNotFound(f"No model '{asked.model}' is served; GET /info lists what is.")
        if asked.version not in (None, archive.version):
            raise ModelNotFound(
                f"No version '{asked.version}' of '{archive.model}' is served; GET /info lists what is."
            )
        return archive

    async def _infer(
        self, data: bytes, pixels: int, asked: Asked, priority: Priority = Priority.INTERACTIVE
    ) -> Inference:
        ids = {
            "request_id": str(asked.request_id),
            "correlation_id": asked.correlation_id,
            "traceparent": asked.traceparent,
        }
        item = Item(
            data,
            {
                **{name: value for name, value in ids.items() if value},
                "top_k": max(asked.top_k, LEAST_TOP_K),
            },
            asked.deadline,
        )
        inference = await self._dispatcher.run(
            item, self._send, pixels=pixels, deadline=asked.deadline, priority=priority
        )
        if priority is not Priority.PROBE:
            for stage in ("preprocess", "inference", "postprocess"):
                if stage in inference.seconds:
                    self._metrics.stage_seconds.labels(stage).observe(inference.seconds[stage])
        return inference

    async def _send_items(self, torchserve: int, items: Sequence[Item]) -> Sequence[Inference | ServingError]:
        began = monotonic()
        outcomes = await self._torchserves[torchserve].infer(self.archive.model, self.archive.version, items)
        self._metrics.stage_seconds.labels("torchserve").observe(monotonic() - began)
        return outcomes

    async def _row(
        self, archive: Archive, picture: Picture, asked: Asked, inference: Inference, started: float
    ) -> history.Prediction:
        best = inference.predictions[0]
        kept: bytes | None = None
        if asked.consent:
            began = monotonic()
            kept = await self._pictures.keep(picture.data)
            self._metrics.stage_seconds.labels("keep").observe(monotonic() - began)
        return history.Prediction(
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
            picture_sha256=kept,
            latitude=asked.latitude,
            longitude=asked.longitude,
            subject=asked.subject,
        )

    def _measure(self, archive: Archive, outcome: str, seconds: float) -> None:
        served = (archive.model, archive.version, "stable")
        self._metrics.predictions.labels(*served, outcome).inc()
        self._metrics.prediction_seconds.labels(*served).observe(seconds)
        self._metrics.milliseconds_public.observe(1000 * seconds)
