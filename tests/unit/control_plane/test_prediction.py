"""What an answer that is given again does, and what it does not: it is recorded, and no proof of how a version does."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, cast

import pytest
import uuid_utils.compat as uuid

from control_plane.domain.rollout import Role
from control_plane.domain.verdicts import Label, ModelCard
from control_plane.errors import DeadlineExceeded, ServingError
from control_plane.metrics import Metrics
from control_plane.models.archives import Archive, Reference
from control_plane.models.served import Place, Served
from control_plane.photos.uploads import Picture
from control_plane.predictions.answers import Answers, Wish
from control_plane.predictions.prediction import Asked, Predictor, Recorded
from control_plane.tables.history import Prediction
from control_plane.torchserve import Inference, Worker

NAMES = ("knotweed", "lantana")


@dataclass
class Around:
    """The fleet, a version's queue, recorder and shadows as the predictor knows them."""

    versions: dict[Role, Served] = field(default_factory=dict)
    role: Role = "stable"
    asked: int = 0
    error: ServingError | None = None
    rows: list[Prediction] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)

    def choose(self, *_: Any) -> tuple[Served, Role]:
        return self.versions[self.role], self.role

    def stable_of(self, _: str) -> Served:
        return self.versions["stable"]

    async def run(self, *_: Any, **__: Any) -> Inference:
        self.asked += 1
        if self.error:
            raise self.error
        return Inference((Label(NAMES[0], 0.9), Label(NAMES[1], 0.1)), {})

    async def record(self, row: Prediction) -> bool:
        self.rows.append(row)
        return True

    def copy(self, _: Picture, row: Prediction) -> None:
        self.copied.append(row.role)

    def version(self, file: Path) -> Served:
        file.write_bytes(file.name.encode())
        archive = Archive(file, "plants", file.stem, NAMES, ModelCard(), (Reference(b"", NAMES[0], 0.9),))
        made = Served(archive, cast("Any", self), cast("Any", None), [Place([Worker("1", 1, ready=True)])])
        made.proof.note(0, None)
        return made


@dataclass
class Asking:
    around: Around
    predictor: Predictor

    async def ask(self, wish: Wish = Wish.READ, content: bytes = b"photo", **more: Any) -> Recorded:
        picture = Picture(content, hashlib.sha256(content).digest(), "JPEG", 10, 10)
        asked = Asked(
            request_id=uuid.uuid7(), received_at=datetime.now(UTC), deadline=monotonic() + 10, wish=wish, **more
        )
        return await self.predictor.predict(picture, asked, started=monotonic())


@pytest.fixture
async def asking(tmp_path: Path) -> Asking:
    around, metrics = Around(), Metrics()
    around.versions = {"stable": around.version(tmp_path / "1.mar"), "canary": around.version(tmp_path / "2.mar")}
    parts = cast("Any", around)
    answers = Answers(10, metrics)
    made = Predictor(
        fleet=parts, recorder=parts, shadows=parts, pictures=cast("Any", None), answers=answers, metrics=metrics
    )
    async with asyncio.timeout(10):
        for version in around.versions.values():
            while answers.slot(version, bytes(32)) is None:
                await asyncio.sleep(0.001)
    return Asking(around, made)


async def test_a_second_answer_asks_nobody_and_is_recorded_as_its_own(asking: Asking) -> None:
    first, second = await asking.ask(subject="ditch"), await asking.ask(latitude=1.0, longitude=2.0)
    assert (first.source, second.source, asking.around.asked) == ("miss", "hit", 1)
    one, two = asking.around.rows
    assert one.request_id != two.request_id
    assert (one.label, one.confidence, one.verdict) == (two.label, two.confidence, two.verdict)
    assert (one.subject, two.subject, two.latitude) == ("ditch", None, 1.0)


async def test_a_client_may_want_a_new_answer_and_may_want_it_not_kept(asking: Asking) -> None:
    sources = [(await asking.ask(wish)).source for wish in (Wish.NOTHING, Wish.READ, Wish.RENEW, Wish.READ)]
    assert sources == ["bypass", "miss", "bypass", "hit"]
    await asking.ask(Wish.RENEW, b"other")
    assert (await asking.ask(Wish.READ, b"other")).source == "hit"


async def test_an_error_is_not_kept(asking: Asking) -> None:
    asking.around.error = DeadlineExceeded()
    for _ in range(2):
        with pytest.raises(DeadlineExceeded):
            await asking.ask()
    asking.around.error = None
    assert (await asking.ask()).source == "miss"


async def test_it_says_nothing_of_how_the_version_does(asking: Asking) -> None:
    version = asking.around.versions["stable"]
    await asking.ask()
    seen, success = version.window.seen(), version.last_success
    for _ in range(30):
        await asking.ask()
    assert version.window.seen() == seen
    assert version.last_success == success


async def test_a_canarys_is_compared_once_and_a_shadow_hears_all_that_stable_answers(asking: Asking) -> None:
    for _ in range(3):
        await asking.ask()
    asking.around.role = "canary"
    assert [(await asking.ask()).source for _ in range(3)] == ["miss", "hit", "hit"]
    assert asking.around.copied == ["stable", "stable", "stable", "canary"]


async def test_where_a_canary_has_no_answer_stables_may_be_given_again(asking: Asking) -> None:
    await asking.ask()
    asking.around.role, asking.around.error = "canary", DeadlineExceeded()
    recorded = await asking.ask()
    assert (recorded.source, recorded.row.version, recorded.row.role) == ("hit", "1", "stable")
    assert asking.around.versions["canary"].window.seen().failed == 1
