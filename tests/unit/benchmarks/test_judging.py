"""Goodput, refusals and the return to normal are judged by what clients saw."""

import math
from pathlib import Path

from benchmarks.judging import Goodput, goodput, latency, seconds_until_normal
from benchmarks.measurement import Cell, Measurement, Summary, summarise
from benchmarks.open_loop import Asked
from tests.proofs.core_lines.line_4_benchmark import TARGETS, judge
from tests.proofs.harness import Context


def steady(status: int, seconds: float, begin: float, end: float) -> list[Asked]:
    """Ten requests a second that all end in the same way."""
    return [Asked(at / 10, 0.0, seconds, status) for at in range(int(10 * begin), int(10 * end))]


def test_goodput_counts_neither_refusals_nor_answers_that_came_after_the_phase() -> None:
    asked = [Asked(0.0, 0, 0.5, 200), Asked(1.0, 0, 0.1, 429), Asked(1.5, 0, 0.6, 200), Asked(1.0, 0, 0.1, 0)]
    assert goodput(asked, 2.0) == 0.5


def test_ratio_gives_the_service_the_cores_that_the_generator_took() -> None:
    assert Goodput(75, 1.5).relative_to(Goodput(100, 2.0)) == 1.0


def test_latency_is_that_of_the_answers_with_the_status() -> None:
    asked = [Asked(0, 0, 0.2, 429), Asked(0, 0, 5.0, 200)]
    assert latency(asked, 429, 0.99) == 0.2
    assert math.isnan(latency(asked, 503, 0.99))


def test_normal_begins_when_all_are_served_quickly_again() -> None:
    slow, refused, quick = steady(200, 2.0, 0, 3), steady(429, 0.01, 3, 4), steady(200, 0.02, 4, 20)
    assert seconds_until_normal([*slow, *refused, *quick], 0.024) == 4.0


def test_service_that_stays_slow_never_becomes_normal() -> None:
    assert seconds_until_normal(steady(200, 0.1, 0, 20), 0.05) == math.inf


def test_nothing_asked_is_not_normal() -> None:
    assert seconds_until_normal([], 1.0) == math.inf


def summary(ours: int, p50: float = 10.0) -> Summary:
    cells = [*(Cell(*cell) for cell in TARGETS), Cell("small", 1), Cell("photo", 1)]
    measurements = [
        Measurement(key, cell, 0, 1.0, [p50 if key == "a" else 10.0] * (ours if key == "a" else 100), 0, {})
        for cell in cells
        for key in "abcde"
    ]
    return Summary({}, dict.fromkeys("abcde", "name"), dict.fromkeys("abcde", 1.0), summarise(measurements))


def context() -> Context:
    return Context(0.1, Path(), Path())


def test_platform_that_is_fast_enough_holds_every_figure() -> None:
    assert all(figure.holds for figure in judge(summary(ours=400), context()))


def test_platform_that_is_as_fast_as_the_others_falls_short_where_it_must_be_faster() -> None:
    short = [figure.name for figure in judge(summary(ours=100), context()) if not figure.holds]
    assert len(short) == 6  # (b), (c) and (e) at 16 small; (c) and (e) at 16 photos; (c) at 4 small
    assert all("(d)" not in name for name in short)


def test_median_far_beyond_that_of_a_direct_call_falls_short() -> None:
    short = [figure for figure in judge(summary(ours=400, p50=14.5), context()) if not figure.holds]
    assert [figure.measured for figure in short] == ["4.5 ms", "4.5 ms"]
