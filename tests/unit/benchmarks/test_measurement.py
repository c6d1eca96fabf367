"""Figures are summed up as the page says: medians over rounds, ratios round by round, quantiles that were measured."""

import math
from pathlib import Path

import pytest

from benchmarks.measurement import Cell, Measurement, Summary, load_summary, middle, summarise
from benchmarks.page import page
from benchmarks.plan import Plan
from benchmarks.plot import write_plot
from benchmarks.quantiles import quantile

SMALL_AT_4 = Cell("small", 4)


def measured(key: str, number: int, answers: int, cell: Cell = SMALL_AT_4) -> Measurement:
    return Measurement(key, cell, number, 2.0, [10.0 + i for i in range(answers)], 1, {"workers": 0.5}, 0.1)


def summary(*measurements: Measurement) -> Summary:
    about = {
        "cores": 2,
        "processor": "x",
        "python": "3",
        "load_before": 0.1,
        "date": "today",
        "rounds": 2,
        "minutes": 1,
    }
    names = {each.key: f"name of {each.key}" for each in measurements}
    return Summary(about, names, dict.fromkeys(names, 100.0), summarise(measurements))


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4)])
def test_quantile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert quantile([4, 1, 3, 2], share) == value


def test_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile([], 0.5))


def test_middle_of_an_even_number_lies_between_the_two() -> None:
    assert middle([1.0, 2.0, 4.0, 9.0]) == 3.0


def test_row_has_the_median_throughput_and_the_latencies_of_all_rounds() -> None:
    [row] = summarise([measured("a", 1, 30), measured("a", 0, 10), measured("a", 2, 20)])
    assert (row.throughput, row.throughputs) == (10, [5, 15, 10])
    assert (row.answers, row.failures) == (60, 3)
    assert row.cpu_ms == {"workers": 25}


def test_ratios_compare_the_same_round() -> None:
    found = summary(measured("a", 0, 20), measured("b", 0, 10), measured("a", 1, 10), measured("b", 1, 20))
    assert found.ratios("a", "b", "small", 4) == [2.0, 0.5]
    assert found.ratio("a", "b", "small", 4) == 1.25


def test_ratio_to_one_that_answered_nothing_is_endless() -> None:
    assert summary(measured("a", 0, 20), measured("b", 0, 0)).ratio("a", "b", "small", 4) == math.inf


def test_summary_survives_its_file(tmp_path: Path) -> None:
    found = summary(measured("a", 0, 20), measured("b", 0, 10))
    found.save(tmp_path / "results" / "latest.json")
    assert load_summary(tmp_path / "results" / "latest.json") == found


def test_page_shows_every_contestant_and_the_spread_of_the_ratio() -> None:
    found = summary(measured("a", 0, 20), measured("b", 0, 10), measured("a", 1, 10), measured("b", 1, 20))
    text = page(found)
    assert "(b) name of b" in text
    assert "1.25 (0.50 to 2.00)" in text


def test_plot_of_the_same_figures_is_the_same_file(tmp_path: Path) -> None:
    found = summary(measured("a", 0, 20), measured("b", 0, 10))
    for name in ("one.svg", "two.svg"):
        write_plot(found, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_every_round_measures_all_in_each_cell_and_another_begins() -> None:
    order = list(Plan(rounds=2, seconds={"small": 1.0, "photo": 2.0}, clients=(1, 4)).order(["a", "b", "c"]))
    assert len(order) == 8
    assert all(sorted(keys) == ["a", "b", "c"] for _, _, keys in order)
    assert {keys[0] for _, _, keys in order} == {"a", "b", "c"}
