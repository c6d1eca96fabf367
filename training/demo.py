"""The demo model from nothing: draw pictures, train, measure, write model_store/sources/plants/1.

`python -m training.demo`; the drawn pictures stay under WEEDWATCH_STATE_DIR for the next time.
"""

import argparse
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from rich.console import Console

from training.recipe import Recipe
from training.synthetic import LABELS, NOT_A_TARGET, SPLITS, write_dataset

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "model_store" / "sources" / "plants" / "1"
ARCHITECTURE = "mobilenet_v3_small"


@dataclass(frozen=True)
class Plan:
    """How large a demo to make; pictures are per class."""

    train_pictures: int = 300
    held_out_pictures: int = 80
    seed: int = 7
    recipe: Recipe = field(default_factory=Recipe)


QUICK = Plan(train_pictures=3, held_out_pictures=2, recipe=Recipe(stages=((64, 1),), batch_size=8))


def run(output: Path, plan: Plan, state: Path, console: Console) -> None:
    """Draw, train, measure and write everything that a model's source folder holds."""
    data = (
        state / "training" / f"drawings-{drawing_digest()}-{plan.seed}-{plan.train_pictures}-{plan.held_out_pictures}"
    )
    for split, count in zip(SPLITS, (plan.train_pictures, plan.held_out_pictures), strict=True):
        write_dataset(data, count, plan.seed, split)
    from training.train import train  # noqa: PLC0415 - see describe

    train(data / SPLITS[0], output, plan.recipe, ARCHITECTURE)
    describe(output, data / SPLITS[1], plan, console)


def describe(output: Path, held_out: Path, plan: Plan, console: Console) -> None:
    """Measure the model in `output` on the held-out pictures; write its card, its matrix and its samples."""
    # Imported late: the processes that draw import this module too and need no torch.
    from training.card import write_card  # noqa: PLC0415
    from training.evaluate import draw_confusion, measure, print_report  # noqa: PLC0415
    from training.samples import write_samples  # noqa: PLC0415
    from training.verdicts import fit_verdict, named_precision  # noqa: PLC0415

    measured, probabilities, dataset = measure(output, held_out)
    print_report(measured, console)
    draw_confusion(measured, output / "confusion_matrix.png")
    negatives = frozenset({dataset.labels.index(NOT_A_TARGET)})
    # Every second picture fits the thresholds, the others measure what they are worth.
    verdict = fit_verdict(probabilities[::2], dataset.targets[::2], negatives)
    precision, share = named_precision(probabilities[1::2], dataset.targets[1::2], negatives, verdict)
    console.print(f"Names a species with precision {precision:.3f}; names {share:.0%} of the pictures of species.")
    write_card(output, ARCHITECTURE, measured, verdict, (precision, share), _data_sentence(plan))
    write_samples(output, verdict, plan.seed, strict=plan is not QUICK)
    console.print(f"Wrote {output}")


def drawing_digest() -> str:
    """Name the drawings by the code that makes them, so that pictures of older code are not taken for new ones."""
    here = Path(__file__).parent
    digest = sha256()
    for path in (here / "synthetic.py", *sorted((here / "plants").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _data_sentence(plan: Plan) -> str:
    species, other = len(LABELS) - 1, 2
    train_count, held_out_count = (count * (species + other) for count in (plan.train_pictures, plan.held_out_pictures))
    return (
        f"Pictures drawn by training/synthetic.py (seed {plan.seed}, drawing code {drawing_digest()}): "
        f"{train_count} to train, {held_out_count} held out. No photograph."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the demo model from drawn pictures.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder to write (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few pictures and one epoch: a test, not a model")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    chosen = parser.parse_args()
    plan = QUICK if chosen.quick else Plan(seed=chosen.seed)
    run(chosen.output, plan, Path(os.environ.get("WEEDWATCH_STATE_DIR", ".weedwatch")), Console())


if __name__ == "__main__":
    main()
