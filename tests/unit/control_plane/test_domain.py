"""A verdict follows from the card's thresholds, never from a number in the code."""

import pytest

from control_plane.domain.verdicts import Label, ModelCard, judge

CARD = ModelCard.from_json(
    {"verdict": {"species_min": 0.8, "one_of_min": 0.9, "one_of_max": 2}, "negative_labels": ["not_a_target"]}
)


def labels(**confidences: float) -> list[Label]:
    return [Label(name, confidence) for name, confidence in confidences.items()]


@pytest.mark.parametrize(
    ("given", "card", "verdict"),
    [
        (labels(a=0.8, b=0.2), CARD, "species"),
        (labels(a=0.79, b=0.2), CARD, "one_of"),
        (labels(a=0.5, b=0.3, c=0.2), CARD, "cant_tell"),
        (labels(not_a_target=0.9, a=0.1), CARD, "not_a_target"),
        (labels(a=0.7, not_a_target=0.25), CARD, "cant_tell"),
        (labels(a=0.5, b=0.5), ModelCard(), "species"),
        (labels(a=0.49, b=0.48), ModelCard(), "cant_tell"),
    ],
)
def test_the_verdict_follows_the_card(given: list[Label], card: ModelCard, verdict: str) -> None:
    assert judge(given, card) == verdict
