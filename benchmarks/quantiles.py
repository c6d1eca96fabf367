"""Quantiles by nearest rank: a value that was measured, never one between two."""

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The least value that at least `share` of the values do not exceed; nan of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)
