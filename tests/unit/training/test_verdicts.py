"""Verdict thresholds: the lowest ones that keep 95 % of the answers right."""

import numpy as np
import numpy.typing as npt

from training.verdicts import Verdict, fit_verdict, named_precision

Rows = npt.NDArray[np.float64]


def rows(*best: tuple[int, float], classes: int = 4) -> Rows:
    """Rows whose class and confidence are given; the rest is spread evenly."""
    table = np.empty((len(best), classes))
    for row, (index, confidence) in zip(table, best, strict=True):
        row[:] = (1 - confidence) / (classes - 1)
        row[index] = confidence
    return table


def test_species_min_lies_above_the_confidence_of_the_wrong_answers() -> None:
    table = rows(*[(0, 0.9)] * 40, *[(0, 0.72)] * 10)
    truth = np.array([0] * 40 + [1] * 10)
    assert fit_verdict(table, truth, frozenset({3})).species_min == 0.73


def test_species_min_is_never_below_one_half() -> None:
    table, truth = rows(*[(0, 0.4)] * 50), np.zeros(50, dtype=np.int64)
    assert fit_verdict(table, truth, frozenset({3})).species_min == 0.99
    table = rows(*[(0, 0.55)] * 50)
    assert fit_verdict(table, truth, frozenset({3})).species_min == 0.5


def test_one_of_min_counts_an_answer_right_when_the_truth_is_listed() -> None:
    table = np.tile([0.45, 0.3, 0.13, 0.1, 0.02], (20, 1))
    truth = np.array([0, 1] * 10)
    assert fit_verdict(table, truth, frozenset({4})) == Verdict(0.99, 0.7, 3)


def test_a_threshold_that_too_few_pictures_support_is_not_believed() -> None:
    table, truth = rows(*[(0, 0.98)] * 5), np.zeros(5, dtype=np.int64)
    assert fit_verdict(table, truth, frozenset({3})) == Verdict(0.99, 0.95, 3)


def test_answers_of_the_negative_class_are_no_names() -> None:
    table = rows((0, 0.9), (0, 0.8), (3, 0.9), (1, 0.6))
    truth = np.array([0, 1, 0, 1])
    precision, share = named_precision(table, truth, frozenset({3}), Verdict(0.7, 0.9))
    assert (precision, share) == (0.5, 0.5)
