"""What a version did beside another one, weighed: accuracy, agreement, and the records that would change name. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

RECORDS_PER_LABEL = 50
"""Of those that change name, how many are listed; all are counted."""


@dataclass(frozen=True)
class Compared:
    """One picture, answered by both; `truth` is known of the golden set only. Seconds are the handler's own."""

    source: Literal["golden", "sighting"]
    id: str
    truth: str | None
    label: str
    against: str
    seconds: float
    against_seconds: float


def weigh(compared: Sequence[Compared]) -> dict[str, Any]:
    """The facts of all pictures together, as JSON."""
    golden = [each for each in compared if each.truth is not None]
    return {
        "pictures": len(golden),
        "sightings": len(compared) - len(golden),
        "accuracy": {
            "version": sum(each.label == each.truth for each in golden) / len(golden),
            "against": sum(each.against == each.truth for each in golden) / len(golden),
        }
        if golden
        else None,
        "agreement": sum(each.label == each.against for each in compared) / max(1, len(compared)),
        "p95_seconds": {
            "version": _p95([each.seconds for each in compared]),
            "against": _p95([each.against_seconds for each in compared]),
        },
        "flips": _flips(compared),
    }


def _flips(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """By the name that would change; most first."""
    flips = []
    for label in sorted({each.against for each in compared}):
        of = [each for each in compared if each.against == label]
        changed = [each for each in of if each.label != label]
        if changed:
            records = [
                {"source": each.source, "id": each.id, "from": each.against, "to": each.label, "truth": each.truth}
                for each in changed[:RECORDS_PER_LABEL]
            ]
            to = dict(Counter(each.label for each in changed).most_common())
            flips.append({"label": label, "count": len(changed), "of": len(of), "to": to, "records": records})
    return sorted(flips, key=lambda flip: -int(flip["count"]))


def _p95(seconds: Sequence[float]) -> float:
    ordered = sorted(seconds)
    return round(ordered[int(0.95 * (len(ordered) - 1))], 6) if ordered else 0.0


@dataclass(frozen=True)
class Finding:
    """What speaks against a promotion: a rule of the policy, what was found, what is allowed."""

    rule: str
    found: float | str | None
    allowed: float | str | None
    message: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
