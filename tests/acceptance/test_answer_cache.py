"""The same picture again: answered without a worker, recorded all the same, and never by a model that has gone."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.acceptance.conftest import ROOT, Service
from tests.changing import Changing, changing
from tests.faults.processes import frozen
from tests.load import repeating
from tests.versions import exchanged
from tests.waiting import eventually

SECONDS = 120.0
JPEG = {"Content-Type": "image/jpeg"}
NAMES = {"1": "Reynoutria japonica", "2": "Lantana camara"}
"""What the versions call the same photo."""


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    settings = {"WEEDWATCH_ANSWER_CACHE": "100", "WEEDWATCH_CORS_ORIGINS": "https://field.example"}
    with changing(ROOT, **settings) as place:
        place.add("2", exchanged(*NAMES.values()))
        yield place


def marked(photo: bytes, note: str) -> bytes:
    """The same picture as another file."""
    return photo[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note.encode() + photo[2:]


def ask(models: Changing, photo: bytes, query: str = "", **headers: str) -> httpx2.Response:
    answer = models.http.post(f"/predict{query}", content=photo, headers={**JPEG, **headers})
    assert answer.status_code == 200, answer.text
    return answer


def source(models: Changing, photo: bytes, query: str = "", **headers: str) -> str | None:
    return ask(models, photo, query, **headers).headers.get("x-cache")


def counted(models: Changing) -> dict[str, float]:
    outcomes = ("hit", "miss", "bypass")
    return {each: models.metric("weedwatch_answer_cache_total", outcome=each) for each in outcomes}


def test_the_same_picture_is_answered_again_and_has_a_record_of_its_own(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "again")
    before = counted(models)
    first = ask(models, photo, "?subject=ditch")
    second = ask(models, photo, "?latitude=52.5&longitude=13.4&consent=true")
    assert [each.headers["x-cache"] for each in (first, second)] == ["miss", "hit"]
    one, two = first.json(), second.json()
    assert one["request_id"] != two["request_id"] == second.headers["x-request-id"]
    assert [one[each] for each in ("predictions", "verdict", "image")] == [
        two[each] for each in ("predictions", "verdict", "image")
    ]
    for answer in (one, two):
        assert models.http.get(f"/history/{answer['request_id']}").json() == {**answer, "shadows": []}
    assert (one["subject"], one["picture_kept"]) == ("ditch", False)
    assert (two["subject"], two["latitude"], two["picture_kept"]) == (None, 52.5, True)
    after = counted(models)
    assert {each: after[each] - before[each] for each in after} == {"hit": 1, "miss": 1, "bypass": 0}


def test_as_a_form_it_is_the_same_picture(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "form")
    ask(models, photo)
    answer = models.http.post("/predict", files={"image": ("other-name.jpg", photo)}, data={"top_k": "1"})
    assert (answer.headers["x-cache"], len(answer.json()["predictions"])) == ("hit", 1)


def test_a_client_may_want_a_new_answer(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "wishes")
    assert source(models, photo, **{"Cache-Control": "no-store"}) == "bypass"
    assert source(models, photo) == "miss"
    assert source(models, photo, **{"Cache-Control": "max-age=0, no-cache"}) == "bypass"
    assert source(models, photo) == "hit"


def test_more_labels_than_are_kept_are_asked_for_anew(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "labels")
    assert [source(models, photo, f"?top_k={count}") for count in (5, 9, 100, 3)] == ["miss", "miss", "hit", "hit"]
    assert len(ask(models, photo, "?top_k=9").json()["predictions"]) == 9


def test_a_refusal_is_not_kept(models: Changing, photo: bytes) -> None:
    broken = marked(photo, "broken")[: len(photo) // 2]
    for _ in range(2):
        answer = models.http.post("/predict", content=broken, headers=JPEG)
        assert answer.status_code == 422
        assert "x-cache" not in answer.headers


def test_a_repetition_under_a_key_is_the_first_answer_and_no_second_record(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "key")
    ask(models, photo)
    first, second = (ask(models, photo, **{"Idempotency-Key": "cache-1"}) for _ in range(2))
    assert first.headers["x-cache"] == "hit"
    assert second.headers["idempotency-replayed"] == "true"
    assert "x-cache" not in second.headers
    assert first.json() == second.json()


def test_pages_of_others_may_read_the_header(models: Changing, photo: bytes) -> None:
    answer = ask(models, photo, Origin="https://field.example")
    assert "X-Cache" in answer.headers["access-control-expose-headers"]


def test_a_hit_needs_no_worker(models: Changing, photo: bytes) -> None:
    """As an operator sees it: TorchServe hangs, and what was answered before still is."""
    photo = marked(photo, "away")
    ask(models, photo)
    with frozen([models.stack.process("java").pid]):
        assert source(models, photo) == "hit"
        other = models.http.post("/predict", content=marked(photo, "new"), headers={**JPEG, "X-Deadline-Ms": "500"})
        assert other.status_code in {503, 504}
    eventually(models.stack.is_ready, SECONDS)


def test_without_the_setting_nothing_is_kept(service: Service, photo: bytes) -> None:
    answers = [service.http.post("/predict", content=photo, headers=JPEG) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert not any("x-cache" in each.headers for each in answers)


@contextmanager
def asked_all_the_time(models: Changing, photo: bytes) -> Iterator[list[tuple[str, str, str]]]:
    """Clients ask the same again and again; what they were answered: version, label, source."""

    def again(_: int) -> tuple[str, str, str]:
        answer = models.http.post("/predict", content=photo, headers=JPEG)
        body = answer.json()
        return str(body.get("version", body)), str(body.get("label")), str(answer.headers.get("x-cache"))

    with repeating(again, clients=3) as answers:
        yield answers


def test_a_swap_is_never_answered_by_the_old_model(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "swap")
    with asked_all_the_time(models, photo) as answers:
        for new in ("2", "1", "2", "1"):
            eventually(lambda: bool(answers) and answers[-1][2] == "hit", SECONDS)
            assert models.change({"stable": new})["state"] == "done"
            eventually(lambda new=new: answers[-1][0] == new, SECONDS)  # type: ignore[misc]
            eventually(lambda new=new: set(models.registered()) == {new}, SECONDS)  # type: ignore[misc]

    assert {(version, label) for version, label, _ in answers} == {*NAMES.items()}
    versions = [version for version, _, _ in answers]
    # Three clients: around a switch answers may overtake each other, and after that there is none of the old one.
    changes = [at for at in range(1, len(versions)) if versions[at] != versions[at - 1]]
    runs = [at for number, at in enumerate(changes) if number == 0 or at - changes[number - 1] > 20]
    assert len(runs) == 4, changes
    hits = sum(each == "hit" for _, _, each in answers)
    assert hits > 0.9 * len(answers)


def test_a_version_that_comes_back_finds_its_own_answers(models: Changing, photo: bytes) -> None:
    photo = marked(photo, "back")
    assert source(models, photo) == "miss"
    for new, first in (("2", "miss"), ("1", "hit")):
        assert models.change({"stable": new})["state"] == "done"
        eventually(lambda new=new: set(models.registered()) == {new}, SECONDS)  # type: ignore[misc]
        answer = ask(models, photo)
        assert (answer.json()["label"], answer.headers["x-cache"]) == (NAMES[new], first)
