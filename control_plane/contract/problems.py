"""The public contract of errors."""

from typing import Any

from pydantic import BaseModel, Field


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
