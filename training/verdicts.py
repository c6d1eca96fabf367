"""Thresholds of the verdict, fitted on held-out pictures."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.int64]

WANTED_PRECISION = 0.95
# Below an even chance a single name is never given, however well it did on few pictures.
LOWEST_SPECIES_MIN = 0.5
LOWEST_ONE_OF_MIN = 0.7
FEWEST_ANSWERS = 10


@dataclass(frozen=True)
class Verdict:
    """`species_min`: least confidence of one name. `one_of_min`: least sum of the `one_of_max` best labels."""

    species_min: float
    one_of_min: float
    one_of_max: int = 3


def fit_verdict(probabilities: Floats, targets: Truths, negatives: frozenset[int], one_of_max: int = 3) -> Verdict:
    """Find the lowest thresholds at which the answers given are right often enough.

    A threshold is good if, of the answers at or above it, 95 % are right. `species_min` looks at pictures whose best
    label is a species; `one_of_min` at those below `species_min` whose `one_of_max` best labels are all species, and
    counts an answer right if the truth is among them. With fewer than ten answers nothing is shown, so a threshold
    must keep at least ten; where none does, it is 0.99 (`species_min`) or 0.95 (`one_of_min`).

    Args:
        probabilities: Shape (n, classes), rows sum to 1.
        targets: Index of the true class, shape (n,).
        negatives: Indices of classes that are no species.
        one_of_max: How many names "one of" may list.
    """
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :one_of_max]
    best = probabilities.max(axis=1)
    is_species = ~np.isin(ranked, list(negatives))
    named = is_species[:, 0]
    species_min = _lowest(best[named], (ranked[:, 0] == targets)[named], LOWEST_SPECIES_MIN, 0.99)
    listed = is_species.all(axis=1) & (best < species_min)
    sums = np.take_along_axis(probabilities, ranked, axis=1).sum(axis=1)
    holds = (ranked == targets[:, None]).any(axis=1)
    return Verdict(species_min, _lowest(sums[listed], holds[listed], LOWEST_ONE_OF_MIN, 0.95), one_of_max)


def named_precision(
    probabilities: Floats, targets: Truths, negatives: frozenset[int], verdict: Verdict
) -> tuple[float, float]:
    """Give the precision of the answers `species`, and the share of species pictures that get one."""
    answer, best = probabilities.argmax(axis=1), probabilities.max(axis=1)
    named = (best >= verdict.species_min) & ~np.isin(answer, list(negatives))
    wanted = ~np.isin(targets, list(negatives))
    precision = float((answer == targets)[named].mean()) if named.any() else 0.0
    return precision, float((named & wanted).sum() / max(1, wanted.sum()))


def _lowest(scores: Floats, right: npt.NDArray[np.bool_], floor: float, otherwise: float) -> float:
    """Give the lowest threshold, in steps of 0.01 from `floor`, with precision and answers enough."""
    for step in np.arange(round(floor * 100), 100):
        kept = scores >= step / 100
        if kept.sum() >= FEWEST_ANSWERS and right[kept].mean() >= WANTED_PRECISION:
            return float(step / 100)
    return otherwise
