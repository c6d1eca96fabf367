"""The control plane as a child: what it is told, by environment only."""

import os
import sys
from pathlib import Path

from standalone.child import Program
from standalone.settings import ROOT, Settings, without_secrets
from standalone.torchserve import Addresses


def program(settings: Settings, database_url: str, torchserve: Addresses) -> Program:
    """Build the program; secrets go by environment, never on a command line that every user can read."""
    logs = settings.environment.get("WEEDWATCH_LOG_DIR") or str(settings.logs)
    # An address from a file stays there: what is not in the environment cannot be read from it.
    is_in_file = settings.environment.get("DATABASE_URL_FILE") and database_url == settings.database_url
    database = {} if is_in_file else {"DATABASE_URL": database_url, "DATABASE_URL_FILE": ""}
    return Program(
        name="control plane",
        command=(sys.executable, "-m", "control_plane"),
        environment={
            **settings.environment,
            **database,
            "WEEDWATCH_STATE_DIR": str(settings.state_dir),
            "WEEDWATCH_HOST": settings.host,
            "WEEDWATCH_PORT": str(settings.port),
            "WEEDWATCH_MODEL_STORE": str(settings.model_store),
            "WEEDWATCH_MODEL": model(settings),
            "WEEDWATCH_LOG_DIR": logs,
            "WEEDWATCH_HANDLER_LOG": str(settings.logs / "handler.log"),
            "WEEDWATCH_TORCHSERVE_INFERENCE": torchserve.inference,
            "WEEDWATCH_TORCHSERVE_MANAGEMENT": torchserve.management,
            "WEEDWATCH_TORCHSERVE_METRICS": torchserve.metrics,
            "PYTHONPATH": with_root(settings.environment.get("PYTHONPATH", "")),
            "PYTHONUNBUFFERED": "1",
            # Threads that check photos would each keep a heap of their own, megabytes that are never given back.
            "MALLOC_ARENA_MAX": settings.environment.get("MALLOC_ARENA_MAX", "2"),
        },
        folder=ROOT,
        log=settings.logs / "control_plane.log",
        more_logs=(Path(logs) / "control_plane.jsonl",),
    )


def with_root(python_path: str) -> str:
    return os.pathsep.join(part for part in (str(ROOT), python_path) if part)


def model(settings: Settings) -> str:
    """The model to serve; MODEL is what `make archive` calls it."""
    return settings.environment.get("WEEDWATCH_MODEL") or settings.environment.get("MODEL") or "plants"


def archive_program(settings: Settings) -> Program:
    """Build the model's archive unless it is current; the last line says which."""
    output = ("--output", str(settings.model_store))
    return Program(
        name="model archive",
        command=(sys.executable, "-m", "handlers.archive", "--model", model(settings), *output),
        environment={**without_secrets(settings.environment), "PYTHONUNBUFFERED": "1"},
        folder=ROOT,
        log=settings.logs / "archive.log",
        is_service=False,
    )
