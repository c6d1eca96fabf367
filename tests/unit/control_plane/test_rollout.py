"""The same key always gets the same version, and a canary its share of the keys."""

from dataclasses import replace

import pytest

from control_plane.domain.rollout import Rollout

STABLE = Rollout("plants", 3, "1")
CANARY = replace(STABLE, canary="2", canary_percent=10.0)
KEYS = [f"key-{number}" for number in range(5000)]


def test_without_a_canary_everybody_has_the_stable_version() -> None:
    assert {STABLE.choose(key) for key in KEYS} == {("1", "stable")}
    assert STABLE.versions == ("1",)


def test_a_canary_has_its_share_of_the_keys_and_a_key_stays_on_its_side() -> None:
    first = [CANARY.choose(key) for key in KEYS]
    assert first == [CANARY.choose(key) for key in KEYS]
    share = sum(choice == ("2", "canary") for choice in first) / len(KEYS)
    assert share == pytest.approx(0.1, abs=0.013)  # three standard deviations
    assert CANARY.versions == ("1", "2")


def test_who_has_the_canary_keeps_it_when_its_share_grows() -> None:
    grown = replace(CANARY, canary_percent=50.0)
    assert all(grown.choose(key) == ("2", "canary") for key in KEYS if CANARY.choose(key)[1] == "canary")


def test_the_next_canary_is_tried_on_others() -> None:
    following = replace(CANARY, canary="3")
    both = sum(CANARY.choose(key)[1] == following.choose(key)[1] == "canary" for key in KEYS)
    assert both / len(KEYS) == pytest.approx(0.01, abs=0.005)


def test_all_and_none_are_exact() -> None:
    assert {replace(CANARY, canary_percent=100.0).choose(key)[1] for key in KEYS} == {"canary"}
