"""Evidence is weighed as the policy says, and names what flips."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from control_plane.domain.rollout import Rollout
from control_plane.models import golden, policy
from control_plane.models.evidence import RECORDS_PER_LABEL, Compared, weigh
from control_plane.models.policy import Policy, UnreadablePolicy

NOW = datetime.now(UTC)


def compared(label: str, against: str, truth: str | None = None, seconds: float = 0.02, number: int = 0) -> Compared:
    source = "golden" if truth else "sighting"
    return Compared(source, f"{against}/{number}", truth, label, against, seconds, 0.02)  # type: ignore[arg-type]


SAME = [compared("oak", "oak", "oak", number=number) for number in range(30)]


def test_agreement_accuracy_and_flips_add_up() -> None:
    weighed = weigh([*SAME, compared("ash", "oak", "oak"), compared("oak", "ash"), compared("elm", "elm")])
    assert (weighed["pictures"], weighed["sightings"]) == (31, 2)
    assert weighed["accuracy"] == {"version": 30 / 31, "against": 1.0}
    assert weighed["agreement"] == 31 / 33
    assert [(flip["label"], flip["count"], flip["of"], flip["to"]) for flip in weighed["flips"]] == [
        ("ash", 1, 1, {"oak": 1}),
        ("oak", 1, 31, {"ash": 1}),
    ]
    assert weighed["flips"][0]["records"] == [
        {"source": "sighting", "id": "ash/0", "from": "ash", "to": "oak", "truth": None}
    ]


def test_nothing_but_sightings_gives_no_accuracy_and_long_lists_are_cut() -> None:
    weighed = weigh([compared("ash", "oak", number=number) for number in range(80)])
    assert weighed["accuracy"] is None
    assert (weighed["flips"][0]["count"], len(weighed["flips"][0]["records"])) == (80, RECORDS_PER_LABEL)
    json.dumps(weighed, allow_nan=False)


def rules(compared_: list[Compared], created_at: datetime = NOW) -> list[str]:
    return [each.rule for each in policy.findings(Policy(), weigh(compared_), created_at)]


def test_what_is_as_good_may_be_promoted() -> None:
    assert rules(SAME) == []
    assert rules([*SAME, compared("ash", "elm")]) == []  # one picture of a name may flip by chance


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ([compared("ash", "oak", "oak", number=number) for number in range(5)], "accuracy_may_drop_by"),
        ([compared("ash", "elm", number=number) for number in range(10)], "least_agreement"),
        ([compared("ash", "elm", number=number) for number in range(2)], "flips_of_a_label_at_most"),
        ([compared("oak", "oak", seconds=0.08, number=number) for number in range(30)], "p95_ratio_at_most"),
    ],
)
def test_what_is_worse_is_found(more: list[Compared], rule: str) -> None:
    assert rule in rules([*SAME, *more])


def test_too_little_and_too_old_does_not_count() -> None:
    assert rules(SAME[:5]) == ["least_pictures"]
    assert rules(SAME, NOW - timedelta(days=40)) == ["evidence_days"]


def test_a_policy_beside_the_source_holds_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    assert policy.read(tmp_path, "plants", "2", "1") == Policy()
    file = tmp_path / "sources/plants/1/policy.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("least_pictures: 7\n")
    assert policy.read(tmp_path, "plants", "2", "1").least_pictures == 7
    for wrong, word in (("least_picture: 7", "least_picture"), ("least_agreement: 2", "less than"), ("[", "cannot be")):
        file.write_text(wrong)
        with pytest.raises(UnreadablePolicy, match=word):
            policy.read(tmp_path, "plants", "2", "1")


def test_a_golden_folder_is_read_and_a_generator_draws_the_same_once(tmp_path: Path) -> None:
    source = tmp_path / "sources/plants/1"
    (source / "golden/oak").mkdir(parents=True)
    (source / "golden/oak/1.jpg").write_bytes(b"")
    (source / "golden/oak/notes.txt").write_bytes(b"")
    assert [(each.id, each.label) for each in golden.find(tmp_path, tmp_path, "plants", "2", "1")] == [
        ("oak/1.jpg", "oak")
    ]
    other = tmp_path / "sources/plants/2"
    other.mkdir()
    (other / "golden.json").write_text('{"generator": "drawn plants", "seed": 3, "per_class": 1}')
    drawn = golden.find(tmp_path, tmp_path / "cache", "plants", "2", "1")
    assert len(drawn) == 9
    assert golden.find(tmp_path, tmp_path / "cache", "plants", "2") == drawn
    (other / "golden.json").write_text('{"generator": "rm -rf", "seed": 3, "per_class": 1}')
    with pytest.raises(golden.NoGoldenSet, match="must name a generator"):
        golden.find(tmp_path, tmp_path / "cache", "plants", "2")


def test_a_shadow_listens_to_its_share_and_is_nobodys_answer() -> None:
    rollout = Rollout("plants", 1, "1", shadow="2", shadow_percent=25)
    heard = [key for key in map(str, range(2000)) if rollout.listens(key)]
    assert 400 < len(heard) < 600
    assert {rollout.choose(key)[0] for key in heard} == {"1"}
    assert (rollout.part_of("2"), rollout.part_of("3"), rollout.answering) == ("shadow", None, ("1",))
    assert Rollout("plants", 1, "1").listens("a") is None
