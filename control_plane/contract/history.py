"""The public contract of the history: pages of records, and what may be said of one later."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from control_plane.contract.predictions import Answer, Candidate
from control_plane.contract.text import Name


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


class Page(BaseModel):
    items: list[Answer]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last one.")


class Deleted(BaseModel):
    deleted: int


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
