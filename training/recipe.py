"""How to train: numbers only, no torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        stages: (side of the input in pixels, epochs), in order. Small pictures first save most of the time.
        learning_rate: The peak of the one-cycle schedule.
        label_smoothing: Share of each target that is spread over all classes.
    """

    stages: tuple[tuple[int, int], ...] = ((112, 12), (160, 10), (224, 5))
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.03
    label_smoothing: float = 0.05
    seed: int = 0
