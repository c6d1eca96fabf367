"""Plays the golden set and kept sightings to a version and to the stable one beside it, behind everybody else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Literal

from PIL import Image

from control_plane.dispatch import Priority
from control_plane.errors import DeadlineExceeded, HistoryUnavailable, ModelNotLoaded, Overloaded, ServingError
from control_plane.models import golden
from control_plane.models.archives import digest
from control_plane.models.evidence import Compared, weigh
from control_plane.models.served import Served
from control_plane.photos.pictures import Pictures
from control_plane.tables import evaluations
from control_plane.tables.database import Database, within
from control_plane.tables.evaluations import Evaluation
from control_plane.tables.models import Operation
from control_plane.torchserve import Inference, Item

MOST_SIGHTINGS = 500
AT_ONCE = 2
PICTURE_SECONDS = 30.0
TRIES = 5  # of a picture that finds the queue full
NO_ANSWER = "(no answer)"


class EvaluationFailed(Exception):
    """The sentence says why."""


@dataclass(frozen=True)
class _Case:
    source: Literal["golden", "sighting"]
    id: str
    truth: str | None
    read: Callable[[], Awaitable[bytes]]


class Evaluator:
    def __init__(self, database: Database, pictures: Pictures, store: Path, cache: Path) -> None:
        self._database = database
        self._pictures = pictures
        self._store = store
        self._cache = cache

    async def evaluate(
        self, operation: Operation, version: Served, against: Served, progress: Callable[[int, int], None]
    ) -> Evaluation:
        """The evidence, not stored yet; `progress` is told how many of how many pictures are through.

        Raises:
            EvaluationFailed: There is nothing to play, or a version has stopped answering.
            DatabaseUnavailable: As it says.
        """
        cases = await self._cases(operation.model, version.archive.version, against.archive.version)
        if not cases:
            raise EvaluationFailed(
                "There is nothing to compare: no golden set beside the source of either version, and no kept "
                "sightings. Put pictures into golden/<label>/ beside the source, or a golden.json."
            )
        done: list[Compared] = []
        left = list(reversed(cases))

        async def work() -> None:
            while left:
                compared = await _compare(left.pop(), version, against)
                if compared is not None:
                    done.append(compared)
                progress(len(cases) - len(left), len(cases))

        progress(0, len(cases))
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(work())
        except* EvaluationFailed as failed:
            raise EvaluationFailed(str(failed.exceptions[0])) from None
        if not done:
            raise EvaluationFailed("None of the pictures could be read.")
        sha256, against_sha256 = [await asyncio.to_thread(digest, each.archive.file) for each in (version, against)]
        return Evaluation(
            operation.id, operation.model, version.archive.version, sha256, against.archive.version, against_sha256,
            operation.actor, datetime.now(UTC), weigh(sorted(done, key=lambda each: (each.source, each.id))),
        )  # fmt: skip

    async def _cases(self, model: str, version: str, against: str) -> list[_Case]:
        try:
            pictures = await asyncio.to_thread(golden.find, self._store, self._cache, model, version, against)
        except golden.NoGoldenSet as error:
            raise EvaluationFailed(str(error)) from error
        sightings = await within(self._database.timeout_seconds, self._sightings(model))
        golden_cases = [
            _Case("golden", each.id, each.label, partial(asyncio.to_thread, each.file.read_bytes)) for each in pictures
        ]
        return golden_cases + sightings

    async def _sightings(self, model: str) -> list[_Case]:
        async with self._database.connection() as connection:
            kept = await evaluations.kept_sightings(connection, model, MOST_SIGHTINGS)
        return [_Case("sighting", str(number), None, partial(self._pictures.read, sha256)) for number, sha256 in kept]


async def _compare(case: _Case, version: Served, against: Served) -> Compared | None:
    """None when the picture is gone, or cannot be used by the stable version either."""
    try:
        data = await case.read()
        pixels = _pixels(data)
    except (OSError, HistoryUnavailable):
        return None
    other = await _ask(against, case, data, pixels)
    if other is None:
        return None
    own = await _ask(version, case, data, pixels)
    return Compared(
        case.source, case.id, case.truth,
        own.predictions[0].label if own else NO_ANSWER, other.predictions[0].label,
        sum(own.seconds.values()) if own else PICTURE_SECONDS, sum(other.seconds.values()),
    )  # fmt: skip


async def _ask(served: Served, case: _Case, data: bytes, pixels: int) -> Inference | None:
    """None when this version cannot answer this picture.

    Raises:
        EvaluationFailed: It answers nobody any more, or is too busy.
    """
    for _ in range(TRIES):
        deadline = monotonic() + PICTURE_SECONDS
        item = Item(data, {"request_id": case.id, "top_k": 1}, deadline)
        try:
            return await served.lane.run(item, served.send, pixels=pixels, deadline=deadline, priority=Priority.JOB)
        except Overloaded as error:
            await asyncio.sleep(min(error.retry_after_seconds or 1.0, PICTURE_SECONDS))
        except ModelNotLoaded:
            raise EvaluationFailed(f"Version {served.archive.version} has stopped answering.") from None
        except DeadlineExceeded:
            continue
        except ServingError:
            return None
    raise EvaluationFailed(
        f"Version {served.archive.version} is too busy, or too slow, to be evaluated. "
        "Try again when there is less to do."
    )


def _pixels(data: bytes) -> int:
    with Image.open(BytesIO(data)) as picture:
        return picture.width * picture.height
