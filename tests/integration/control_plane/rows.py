"""A record with everything in it, for tests that are about one part of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import uuid_utils.compat as uuid

from control_plane.tables.history import Prediction


def prediction(**changes: Any) -> Prediction:
    row = Prediction(
        request_id=uuid.uuid7(),
        correlation_id=None,
        created_at=datetime.now(UTC),
        model="plants",
        version="1",
        verdict="species",
        label="Reynoutria japonica",
        common_name="Japanese knotweed",
        confidence=0.93,
        predictions=[{"label": "Reynoutria japonica", "confidence": 0.93}],
        processing_seconds=0.02,
        image_sha256=bytes(32),
        image_bytes=1000,
        image_format="JPEG",
        image_width=640,
        image_height=480,
        consent=False,
        picture_sha256=None,
        latitude=None,
        longitude=None,
        subject=None,
    )
    return replace(row, **changes)
