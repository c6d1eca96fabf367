"""The public contract of predictions: what may accompany a picture, and what an answer holds."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from control_plane.contract.text import Name
from control_plane.domain.rollout import Role
from control_plane.domain.verdicts import Verdict
from control_plane.tables import history


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


class Candidate(BaseModel):
    label: str
    confidence: float = Field(ge=0, le=1)


class ImageFacts(BaseModel):
    """The picture as it was sent."""

    sha256: str
    bytes: int
    format: str
    width: int = Field(description="Pixels, as stored in the file.")
    height: int


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
    image: ImageFacts
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
