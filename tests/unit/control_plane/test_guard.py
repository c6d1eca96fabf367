"""A canary goes when it fails or is slow beside stable, never because of a few requests or of what both do."""

import pytest

from control_plane.models.guard import (
    LEAST_REQUESTS,
    SILENT_SECONDS,
    STEADY_SECONDS,
    Seen,
    Window,
    objection,
    silence,
    together,
)

GOOD = Seen(200, 0, 0.04)


@pytest.mark.parametrize(
    ("canary", "stable", "words"),
    [
        (Seen(90, 10, 0.04), GOOD, "failed 10 of its last 100"),
        (Seen(0, 40, 0.0), Seen(), "failed 40 of its last 40"),
        (Seen(40, 0, 0.3), GOOD, "takes 300 ms"),
        (Seen(40, 0, 0.11), Seen(40, 0, 0.05), "takes 110 ms"),
        (Seen(40, 0, 0.04, compared=20, disagreed=7), GOOD, "names 7 of the canary's last 20 pictures otherwise (35%"),
    ],
)
def test_a_canary_that_fails_or_is_slow_must_go(canary: Seen, stable: Seen, words: str) -> None:
    found = objection(canary, stable, 0.3)
    assert found is not None
    assert words in found.sentence


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        (Seen(100, 0, 0.05), GOOD),
        (Seen(LEAST_REQUESTS - 2, 1, 9.0), GOOD),  # too few
        (Seen(98, 2, 0.04), GOOD),  # two may fail by chance
        (Seen(80, 20, 0.04), Seen(80, 20, 0.04)),  # both fail: it is not the canary
        (Seen(40, 0, 0.9), Seen(10, 0, 0.1)),  # too little is known of stable
        (Seen(40, 0, 0.011), Seen(40, 0, 0.005)),  # more than twice of nearly nothing
        (Seen(40, 0, 0.04, compared=20, disagreed=6), GOOD),
        (Seen(40, 0, 0.04, compared=19, disagreed=19), GOOD),  # too few
        (Seen(), Seen()),
    ],
)
def test_what_says_nothing_against_it_changes_nothing(canary: Seen, stable: Seen) -> None:
    assert objection(canary, stable, 0.3) is None


def test_a_window_forgets_what_is_older_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("control_plane.models.guard.monotonic", lambda: now)
    window = Window()
    for hundredth in range(100):
        window.note(hundredth / 100)
    window.note(None)
    assert window.seen() == Seen(100, 1, 0.94)
    now += 61
    window.note(0.5)
    assert window.seen() == Seen(1, 0, 0.5)


def test_replicas_are_judged_together() -> None:
    assert together([Seen(10, 1, 0.5), {"answered": 90, "failed": 4, "p95_seconds": 0.1}]) == Seen(100, 5, 0.1)
    assert together([]) == Seen()


def test_a_canary_that_answers_nothing_must_go_and_the_cause_is_said() -> None:
    found = silence(SILENT_SECONDS + 1, "It cannot be loaded.", stable_up_seconds=STEADY_SECONDS)
    assert found is not None
    assert (found.reason, found.sentence) == (
        "silent",
        "The canary has answered nothing for 21 s. It cannot be loaded.",
    )


@pytest.mark.parametrize(
    ("silent", "stable_up"), [(SILENT_SECONDS - 1, 900.0), (90.0, STEADY_SECONDS - 1), (90.0, 0.0)]
)
def test_a_canary_stays_that_is_silent_for_a_moment_or_together_with_stable(silent: float, stable_up: float) -> None:
    assert silence(silent, "It is loading.", stable_up_seconds=stable_up) is None
