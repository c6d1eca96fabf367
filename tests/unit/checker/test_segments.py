"""The segments that the proof makes are what they say: whole, cut, or damaged in one place."""

import pytest

from tests.checker.kept import read_line
from tests.checker.segments import cut, encode, flip, variations

RECORD = {
    "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "label": "fern",
    "version": "1",
    "image_sha256": "ab" * 32,
}


def test_an_encoded_record_is_read_back() -> None:
    assert read_line(encode(RECORD)[:-1]).request_id == RECORD["request_id"]


def test_variations_have_ids_and_pictures_of_their_own() -> None:
    made = variations(RECORD, 1, 20)
    assert len({each["request_id"] for each in made} | {RECORD["request_id"]}) == 21
    assert len({each["image_sha256"] for each in made}) == 20
    assert all(each["request_id"][14] == "7" and each["request_id"][19] in "89ab" for each in made)
    assert made == variations(RECORD, 1, 20)


def test_a_cut_leaves_the_lines_before_it_whole() -> None:
    lines = [encode(each) for each in variations(RECORD, 1, 2)]
    first, rest = cut(lines, 30).split(b"\n")
    assert first + b"\n" == lines[0]
    assert rest == lines[1][:30]


@pytest.mark.parametrize("at", [0, 5, 8, 9, 40, -1])
def test_a_turned_bit_is_in_one_line_only(at: int) -> None:
    lines = [encode(each) for each in variations(RECORD, 1, 3)]
    damaged = flip(lines, 1, at % len(lines[1]), 3)
    whole = b"".join(lines)
    assert sum(a != b for a, b in zip(damaged, whole, strict=True)) == 1
    assert damaged.startswith(lines[0])
    assert damaged.endswith(lines[2])
