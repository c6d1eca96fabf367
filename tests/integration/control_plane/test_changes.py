"""How changes of who answers are counted: each once, by how it ended."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import uuid_utils.compat as uuid

from control_plane.domain.rollout import Rollout
from control_plane.metrics import Metrics
from control_plane.models import registry
from control_plane.models.changes import Changes
from control_plane.tables import models
from control_plane.tables.database import Database
from control_plane.tables.models import ModelVersion, Operation

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class _Fleet:
    is_alone: Any = None


def counted(metrics: Metrics) -> dict[str, float]:
    found = (metrics.changes.labels("plants", "rollout", outcome) for outcome in ("done", "failed", "cancelled"))
    return dict(zip(("done", "failed", "cancelled"), (each._value.get() for each in found), strict=True))


@pytest.mark.parametrize(("revision", "outcome"), [(3, "done"), (2, "failed")])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_change_is_counted_once(
    database: Database, tmp_path: Path, revision: int, outcome: str, is_cancelled: bool
) -> None:
    metrics = Metrics()
    unused = cast("Any", None)
    changes = Changes(
        database=database, fleet=cast("Any", _Fleet()), share=unused, wishes=unused, evaluator=unused, store=tmp_path,
        metrics=metrics,
    )  # fmt: skip
    operation = Operation(
        uuid.uuid7(), "plants", revision, "2", None, 0.0, "admin", "rollout", None, "running", "switching", None, NOW,
        NOW,
    )  # fmt: skip
    async with database.connection() as connection, connection.transaction():
        for version in ("1", "2"):
            row = ModelVersion(
                "plants", version, f"plants-{version}.mar", bytes(32), "store", ["a"], {}, "admin", NOW, "ready", None
            )
            await models.put_version(connection, row)
        await models.put_rollout(connection, Rollout("plants", 3, "1"))
        await models.begin(connection, operation)
    if is_cancelled:
        await registry.cancel(database, metrics, "plants", operation.id, actor="admin")
        outcome = "cancelled"
    await changes._switch(operation)
    await changes._switch(operation)
    assert counted(metrics) == {"done": 0, "failed": 0, "cancelled": 0, outcome: 1}
