"""Answers that are given again: to the same picture by the same archive, never by another, and within bounds."""

import asyncio
import hashlib
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import Request

from control_plane.domain.verdicts import Label, ModelCard
from control_plane.metrics import Metrics
from control_plane.models.archives import Archive, Reference
from control_plane.models.served import Place, Served
from control_plane.predictions.answers import LABELS_EACH, Answers, Slot, Wish
from control_plane.torchserve import Worker
from control_plane.web import asking

NAMES = tuple(f"species {number}" for number in range(200))


def served(file: Path, content: bytes = b"weights", names: tuple[str, ...] = NAMES) -> Served:
    """A version that answers its reference picture as pinned."""
    file.write_bytes(content)
    archive = Archive(file, "plants", file.stem, names, ModelCard(), (Reference(b"", names[0], 1.0),))
    unused = cast("Any", None)
    version = Served(archive, unused, unused, [Place([Worker("1", 1, ready=True)])])
    version.proof.note(0, None)
    return version


async def slot_of(answers: Answers, version: Served, picture: bytes = b"picture") -> Slot:
    """Where its answer belongs, as soon as the archive has been read."""
    async with asyncio.timeout(10):
        while (slot := answers.slot(version, hashlib.sha256(picture).digest())) is None:
            await asyncio.sleep(0.001)
    return slot


def labels(count: int = 5, first: str = NAMES[0]) -> tuple[Label, ...]:
    return (Label(first, 0.5), *(Label(name, 0.001) for name in NAMES[1:count]))


async def keep(answers: Answers, version: Served, picture: bytes, said: tuple[Label, ...] | None = None) -> Slot:
    slot = await slot_of(answers, version, picture)
    answers.keep(slot, version, said or labels())
    return slot


async def test_the_same_picture_finds_its_answer_and_another_one_does_not(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    slot = await keep(answers, version, b"a")
    assert answers.find(slot, 5) == labels()
    assert answers.find(await slot_of(answers, version, b"b"), 5) is None


async def test_another_archive_never_finds_it_and_the_same_one_under_another_name_does(tmp_path: Path) -> None:
    answers = Answers(10, Metrics())
    await keep(answers, served(tmp_path / "1.mar"), b"a")
    assert answers.find(await slot_of(answers, served(tmp_path / "2.mar", b"other weights"), b"a"), 5) is None
    assert answers.find(await slot_of(answers, served(tmp_path / "3.mar"), b"a"), 5) == labels()


async def test_fewer_labels_are_the_best_and_more_than_are_kept_are_not_there(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    slot = await keep(answers, version, b"a")
    assert answers.find(slot, 2) == labels()[:2]
    assert answers.find(slot, 6) is None
    answers.keep(slot, version, labels(8))
    assert answers.find(slot, 6) == (*labels()[:5], Label(NAMES[5], 0.001))


async def test_a_version_with_few_labels_has_no_more_to_say(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar", names=NAMES[:3])
    slot = await keep(answers, version, b"a", labels(3))
    assert answers.find(slot, 100) == labels(3)


async def test_nothing_is_kept_of_a_version_that_is_not_proven(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    version.proof.note(0, "It was answered wrongly.", is_wrong=True)
    assert answers.find(await keep(answers, version, b"a"), 5) is None


async def test_what_was_registered_anew_is_read_anew(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    slot = await keep(answers, version, b"a")
    version.archive.file.write_bytes(b"other weights under the same name")
    version.registered_at += 1
    assert answers.slot(version, slot.picture) is None
    assert answers.find(await slot_of(answers, version, b"a"), 5) is None


async def test_an_answer_to_a_question_from_before_a_change_is_not_kept(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    slot = await slot_of(answers, version, b"a")
    version.registered_at += 1
    answers.keep(slot, version, labels())
    assert len(answers) == 0


async def test_of_an_archive_that_has_gone_nothing_is_kept(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    version.archive.file.unlink()
    for _ in range(50):
        assert answers.slot(version, bytes(32)) is None
        await asyncio.sleep(0.002)


async def test_the_least_recently_used_goes_first_and_is_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    answers, version = Answers(2, metrics), served(tmp_path / "1.mar")
    first, second = await keep(answers, version, b"a"), await keep(answers, version, b"b")
    assert answers.find(first, 5)
    third = await keep(answers, version, b"c")
    assert [bool(answers.find(slot, 5)) for slot in (first, second, third)] == [True, False, True]
    assert metrics.registry.get_sample_value("weedwatch_answer_cache_evictions_total") == 1
    assert metrics.registry.get_sample_value("weedwatch_answer_cache_entries") == 2


async def test_long_answers_take_the_room_of_several(tmp_path: Path) -> None:
    answers, version = Answers(10, Metrics()), served(tmp_path / "1.mar")
    for number in range(10):
        await keep(answers, version, bytes([number]), labels(100))
    assert len(answers) == 10 * LABELS_EACH // 100
    for number in range(10):
        await keep(answers, version, bytes([number]))
    assert len(answers) == 10


@pytest.mark.parametrize(("count", "bytes_each"), [(5, 1000), (LABELS_EACH, 1500), (100, 1500)])
async def test_it_takes_no_more_memory_than_the_settings_say(tmp_path: Path, count: int, bytes_each: int) -> None:
    most = 2000
    answers, version = Answers(most, Metrics()), served(tmp_path / "1.mar")
    archive = (await slot_of(answers, version)).archive
    tracemalloc.start()
    try:
        for number in range(2 * most):
            said = tuple(Label(each.label[:1] + each.label[1:], each.confidence * 1.0001) for each in labels(count))
            answers.keep(Slot(archive, hashlib.sha256(b"%d" % number).digest()), version, said)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(taken / most)
    assert taken < most * bytes_each


@pytest.mark.parametrize(
    ("headers", "wish"),
    [
        ([], Wish.READ),
        (["no-store"], Wish.NOTHING),
        (["no-cache"], Wish.RENEW),
        (["max-age=0, No-Cache"], Wish.RENEW),
        (["no-cache,no-store"], Wish.NOTHING),
        (["no-cache", "NO-STORE"], Wish.NOTHING),
        (["max-age=0"], Wish.READ),
        (["only-if-cached, x-no-store, no-stored, no_store"], Wish.READ),
        ([""], Wish.READ),
        ([",=;\"'\\" * 5000], Wish.READ),
        (["no-cach\xe9"], Wish.READ),
    ],
)
def test_cache_control_says_what_the_client_allows(headers: list[str], wish: Wish) -> None:
    given = [(b"cache-control", value.encode("latin-1")) for value in headers]
    assert asking.wish(Request({"type": "http", "headers": given})) is wish
