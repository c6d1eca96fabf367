"""Loki's configuration: one process, files on a disk or objects in a bucket, lines kept for thirty days."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Keeping:
    """How long lines are kept, and where."""

    days: int = 30
    folder: str = "/loki"
    bucket: str | None = None
    """Of S3, instead of files; region and credentials come from AWS's own variables."""


SCHEMA_SINCE = "2025-01-01"
"""Before any line; a new schema needs a new entry with a date to come."""


def configuration(keeping: Keeping) -> dict[str, Any]:
    hours = 24 * keeping.days
    kind = "s3" if keeping.bucket else "filesystem"
    return {
        "auth_enabled": False,
        "server": {"http_listen_port": 3100, "log_format": "json", "log_level": "info"},
        "common": {
            "path_prefix": keeping.folder,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": _storage(keeping),
        },
        "schema_config": {
            "configs": [
                {
                    "from": SCHEMA_SINCE,
                    "store": "tsdb",
                    "object_store": kind,
                    "schema": "v13",
                    # Retention works by whole index tables, and so needs one a day.
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "compactor": {
            "working_directory": f"{keeping.folder}/compactor",
            "retention_enabled": True,
            "delete_request_store": kind,
            "retention_delete_delay": "2h",
        },
        "limits_config": {
            "retention_period": f"{hours}h",
            # One hour more, so that a query over all that is kept is not refused.
            "max_query_length": f"{hours + 1}h",
            "volume_enabled": True,
            "allow_structured_metadata": True,
            "reject_old_samples": True,
            "reject_old_samples_max_age": "168h",
        },
        "analytics": {"reporting_enabled": False},
    }


def _storage(keeping: Keeping) -> dict[str, Any]:
    if keeping.bucket:
        # Loki fills the region in from its environment: -config.expand-env=true.
        return {"s3": {"bucketnames": keeping.bucket, "region": "${AWS_REGION}"}}
    places = {f"{what}_directory": f"{keeping.folder}/{what}" for what in ("chunks", "rules")}
    return {"filesystem": places}
