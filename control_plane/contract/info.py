"""The public contract of what is served, and within which limits."""

from typing import Any

from pydantic import BaseModel, Field

from control_plane.domain.rollout import Part


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
