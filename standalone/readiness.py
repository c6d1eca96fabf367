"""Asking the control plane whether it is able to serve, and what: by its public HTTP contract only."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from standalone.block import describe
from standalone.errors import CannotRun
from standalone.http import Answer, request
from standalone.keys import credential
from standalone.settings import Settings

READY_SECONDS = 300.0
PREDICTION_SECONDS = 30.0


@dataclass(frozen=True)
class Serving:
    """What is served, as `/info` and `/health/ready` say."""

    model: str
    version: str
    workers: int
    wanted_workers: int
    common_names: dict[str, str]
    passed: int
    total: int

    @property
    def title(self) -> str:
        return f"{self.model} {self.version}"

    @property
    def workers_text(self) -> str:
        if self.workers < self.wanted_workers:
            return f"{self.workers} of {self.wanted_workers} workers, the others follow"
        return f"{self.workers} worker{'' if self.workers == 1 else 's'}"


async def wait_until_serving(settings: Settings, watch: Callable[[str], None]) -> Serving:
    """Wait until `/health/ready` answers 200.

    Args:
        settings: Where the control plane listens.
        watch: Told, several times a second, why it is not ready; may raise to end the wait.

    Raises:
        CannotRun: It is not ready in time; the text says why.
    """
    deadline = time.monotonic() + READY_SECONDS
    reason = "it does not answer yet"
    while time.monotonic() < deadline:
        answer = await request("/health/ready", at=settings.own_url)
        if answer is not None and answer.status == 200:
            return await describe_serving(settings, answer)
        reasons = answer.json().get("reasons") if answer is not None else None
        reason = str(reasons[0]) if reasons else reason
        watch(reason)
        await asyncio.sleep(0.1)
    raise CannotRun(f"The control plane was not ready in time: {reason}\n  Logs: {settings.logs}")


async def wait_until_live(settings: Settings, watch: Callable[[str], None]) -> str | None:
    """Wait until the control plane answers; gives why it has no model, None when it found one after all.

    Raises:
        CannotRun: It does not answer in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        answer = await request("/health/ready", at=settings.own_url)
        # The control plane makes its admin token before it answers.
        info = await request("/info", at=settings.own_url, token=credential(settings)) if answer else None
        if answer is not None and info is not None and info.status == 200:
            reasons = answer.json().get("reasons") or [""]
            return None if info.json().get("models") else " ".join(map(str, reasons))
        watch("it does not answer yet")
        await asyncio.sleep(0.1)
    raise CannotRun(f"The control plane did not answer in time.\n  Logs: {settings.logs}")


async def describe_serving(settings: Settings, ready: Answer) -> Serving:
    info = await request("/info", at=settings.own_url, token=credential(settings))
    models = info.json().get("models") if info is not None else None
    model: dict[str, Any] = models[0] if models else {}
    reference = ready.json().get("reference", {})
    return Serving(
        model=str(model.get("name", "model")),
        version=str(model.get("version", "?")),
        workers=int(model.get("ready_workers", 0)),
        wanted_workers=int(model.get("wanted_workers", 0)),
        common_names=dict(model.get("common_names") or {}),
        passed=int(reference.get("passed", 0)),
        total=int(reference.get("total", 0)),
    )


async def first_prediction(settings: Settings, serving: Serving) -> dict[str, Any]:
    """Ask about the model's first sample picture; gives the block's facts, none if the model has no samples.

    Raises:
        CannotRun: There was no good answer.
    """
    picture = sample_picture(settings.model_store, serving)
    if picture is None:
        return {}
    answer = await request(
        "/predict",
        at=settings.own_url,
        body=picture.read_bytes(),
        content_type="image/jpeg",
        token=credential(settings),
        timeout_seconds=PREDICTION_SECONDS,
    )
    if answer is None or answer.status != 200:
        detail = answer.json().get("detail", answer.status) if answer else "no answer in time"
        raise CannotRun(f"The first prediction failed: {detail}\n  Logs: {settings.logs}")
    prediction = answer.json()
    return {
        "picture": str(picture),
        "answer": describe(prediction, serving.common_names),
        "milliseconds": round(float(prediction.get("processing_time_ms", 0))),
        "request_id": str(prediction.get("request_id", "")),
    }


def sample_picture(model_store: Path, serving: Serving) -> Path | None:
    folder = model_store / "sources" / serving.model / serving.version / "samples"
    return next(iter(sorted(folder.glob("*.jpg"))), None)
