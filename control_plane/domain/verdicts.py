"""The words of the service as values: predictions, verdicts, model cards. Pure; imports nothing of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["species", "one_of", "cant_tell", "not_a_target"]


@dataclass(frozen=True, slots=True)
class Label:
    """One candidate of an answer; `confidence` in 0..1."""

    label: str
    confidence: float


@dataclass(frozen=True)
class Thresholds:
    """When an answer is named: from the model card, fitted on held-out pictures.

    `species_min`: least confidence of the best label. `one_of_min`: least sum of the `one_of_max` best labels;
    None when the card has none, then an answer is `species` or `cant_tell`.
    """

    species_min: float = 0.5
    one_of_min: float | None = None
    one_of_max: int = 3


@dataclass(frozen=True)
class ModelCard:
    """What a version says of itself; every part may be missing."""

    thresholds: Thresholds = Thresholds()
    negative_labels: frozenset[str] = frozenset()
    common_names: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: str | None = None

    @classmethod
    def from_json(cls, card: dict[str, Any]) -> "ModelCard":
        verdict = card.get("verdict") or {}
        return cls(
            thresholds=Thresholds(
                species_min=float(verdict.get("species_min", 0.5)),
                one_of_min=float(verdict["one_of_min"]) if verdict.get("one_of_min") is not None else None,
                one_of_max=int(verdict.get("one_of_max", 3)),
            ),
            negative_labels=frozenset(card.get("negative_labels") or ()),
            common_names=dict(card.get("common_names") or {}),
            metrics=dict(card.get("metrics") or {}),
            limits=card.get("limits"),
        )


def judge(labels: Sequence[Label], card: ModelCard) -> Verdict:
    """The verdict of an answer; `labels` best first, at least one."""
    best, limits = labels[0], card.thresholds
    if best.confidence >= limits.species_min:
        return "not_a_target" if best.label in card.negative_labels else "species"
    candidates = labels[: limits.one_of_max]
    all_targets = not any(each.label in card.negative_labels for each in candidates)
    if limits.one_of_min is not None and all_targets and sum(c.confidence for c in candidates) >= limits.one_of_min:
        return "one_of"
    return "cant_tell"
