"""The public contract of what the Status room draws."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from control_plane.domain.verdicts import Verdict
from control_plane.telemetry.alerts import Firing, Severity


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
