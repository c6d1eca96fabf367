"""model_card.json: what a model is, what it was measured to do, and what it must not be used for."""

import json
from dataclasses import asdict
from pathlib import Path

from handlers.preprocessing import InputSpec
from training.evaluate import Report
from training.synthetic import NOT_A_TARGET
from training.verdicts import Verdict

COMMON_NAMES = {
    "Ageratina adenophora": "Crofton weed",
    "Chromolaena odorata": "Siam weed",
    "Heracleum mantegazzianum": "Giant hogweed",
    "Lantana camara": "Lantana",
    "Mikania micrantha": "Mile-a-minute weed",
    "Parthenium hysterophorus": "Parthenium weed",
    "Pontederia crassipes": "Water hyacinth",
    "Reynoutria japonica": "Japanese knotweed",
    NOT_A_TARGET: "Not a target species",
}
LIMITS = (
    "A demonstration: it has seen drawings only, never a photograph. It must not be used to identify real plants. "
    "It knows eight species and one class for everything else; a plant outside them may be called one of the eight. "
    "Its figures hold for drawings of the same program only."
)


def write_card(
    folder: Path, architecture: str, report: Report, verdict: Verdict, named: tuple[float, float], data: str
) -> None:
    """Write model_card.json.

    Args:
        folder: Of the model's source.
        architecture: As torchvision names it.
        report: On the held-out pictures.
        verdict: Thresholds.
        named: Precision of the answers `species`, and the share of species pictures that get one.
        data: What it was trained on, in a sentence.
    """
    metrics = {
        **report.to_dict(),
        "named_precision": round(named[0], 4),
        "named_share": round(named[1], 4),
        "named_pictures": "every second held-out picture; the others fitted the thresholds",
    }
    card = {
        "name": "plants",
        "version": "1",
        "architecture": architecture,
        "input": InputSpec().to_dict(),
        "data": data,
        "metrics": metrics,
        "verdict": asdict(verdict),
        "negative_labels": [NOT_A_TARGET],
        "common_names": COMMON_NAMES,
        "limits": LIMITS,
    }
    (folder / "model_card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
