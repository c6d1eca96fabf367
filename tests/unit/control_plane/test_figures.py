"""What the metrics say of a card: whatever it holds, all else is told."""

import json
from typing import Any

import pytest

from control_plane.web.figures import _number, macro_f1

HUGE = 10**400  # a card is JSON, where a number may be as long as it likes


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(HUGE, id="huge"),
        pytest.param(-HUGE, id="-huge"),
        *(float("nan"), float("inf"), True, "0.9", None, [0.9]),
    ],
)
def test_what_no_gauge_can_show_is_left_out(value: object) -> None:
    assert _number(value) is None
    assert macro_f1({"macro_f1": value}) is None
    assert macro_f1({"per_class": {"a": {"precision": 0.5, "recall": value}}}) is None


@pytest.mark.parametrize(
    ("card", "f1"),
    [
        ({}, None),
        ({"macro_f1": 0.75}, 0.75),
        ({"f1": 1}, 1.0),
        ({"per_class": {"a": {"precision": 1, "recall": 0.5}, "b": {"precision": 0, "recall": 0}}}, 1 / 3),
        ({"per_class": {"a": "good"}}, None),
        ({"per_class": ["a"]}, None),
    ],
)
def test_f1_is_that_of_the_card_or_follows_from_its_classes(card: dict[str, Any], f1: float | None) -> None:
    assert macro_f1(json.loads(json.dumps(card))) == pytest.approx(f1)
