"""Train any torchvision classifier on a folder of pictures, from scratch or from a checkpoint.

`python -m training.train --data FOLDER --output DIR` writes model.pth and class_labels.json there.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.progress import Progress
from torch import nn

from handlers.checkpoint import build_network
from handlers.preprocessing import InputSpec
from training.augment import augment
from training.dataset import Dataset, Pixels, load
from training.recipe import Recipe

THREADS = 2
# Random crops are cut from a picture this much larger than the network's input.
MARGIN = 256 / 224


def make_deterministic(seed: int) -> None:
    """Make this process give the same network for the same data, on the same machine."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)


def new_network(architecture: str, classes: int, checkpoint: Path | None = None) -> nn.Module:
    """Build the network; from a checkpoint, take every tensor whose name and shape fit (not another set of classes)."""
    network = build_network(architecture, classes)
    if checkpoint is not None:
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        saved = saved.get("state_dict", saved)
        own = network.state_dict()
        fitting = {key: value for key, value in saved.items() if key in own and own[key].shape == value.shape}
        if not fitting:
            raise ValueError(f"No tensor of {checkpoint} fits {architecture}. Give a checkpoint of that architecture.")
        network.load_state_dict(fitting, strict=False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1  # torchvision's 0.01 is for runs of very many steps
    return network


def fit(network: nn.Module, dataset: Dataset, recipe: Recipe, spec: InputSpec) -> None:
    """Train the network in place.

    Args:
        network: Any classifier with one output per label.
        dataset: Square pictures, larger than the input by about MARGIN.
        recipe: How.
        spec: Normalises the pictures.
    """
    generator = torch.Generator().manual_seed(recipe.seed)
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    batches = len(dataset.targets) // recipe.batch_size or 1
    epochs = sum(count for _, count in recipe.stages)
    optimizer = torch.optim.AdamW(_groups(network, recipe.weight_decay), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=batches * epochs, pct_start=0.2
    )
    objective = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    with Progress() as progress:
        task = progress.add_task("Training", total=batches * epochs)
        for step, (views, targets) in enumerate(_views(dataset, recipe, spec, generator), start=1):
            loss = objective(network(views), targets)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.advance(task)
            if step % batches == 0:
                progress.console.print(f"Epoch {step // batches}, {views.shape[-1]} pixels: loss {loss.item():.3f}")
    network.eval()


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Give the optimizer's groups: biases and normalisation are not decayed."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _views(
    dataset: Dataset, recipe: Recipe, spec: InputSpec, generator: torch.Generator
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give the batches of all epochs: augmented views and their targets; the last, incomplete batch is left out."""
    targets = torch.from_numpy(dataset.targets)
    for size, epochs in recipe.stages:
        pixels = torch.from_numpy(_reduced(dataset.pixels, round(size * MARGIN)))
        for _ in range(epochs):
            order = torch.randperm(len(targets), generator=generator)
            for start in range(0, max(1, len(order) - recipe.batch_size + 1), recipe.batch_size):
                chosen = order[start : start + recipe.batch_size]
                yield augment(pixels[chosen], size, spec, generator), targets[chosen]


def _reduced(pixels: Pixels, side: int) -> Pixels:
    """Resize square pictures to `side`, filtered; larger is never made."""
    if side >= pixels.shape[1]:
        return pixels
    small = np.empty((len(pixels), side, side, 3), dtype=np.uint8)
    for start in range(0, len(pixels), 64):
        part = torch.from_numpy(pixels[start : start + 64]).permute(0, 3, 1, 2).float()
        resized = nn.functional.interpolate(part, size=(side, side), mode="bilinear", antialias=True)
        small[start : start + 64] = resized.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return small


def save_checkpoint(
    network: nn.Module, architecture: str, labels: tuple[str, ...], spec: InputSpec, folder: Path
) -> None:
    """Write model.pth and class_labels.json; the same network gives the same bytes."""
    state = {key: value.detach().contiguous().clone() for key, value in network.state_dict().items()}
    checkpoint = {
        "architecture": architecture,
        "num_classes": len(labels),
        "input": spec.to_dict(),
        "state_dict": state,
    }
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, folder / "model.pth")
    (folder / "class_labels.json").write_text(json.dumps(list(labels), indent=2, ensure_ascii=False) + "\n")


def train(
    data: Path, output: Path, recipe: Recipe, architecture: str = "mobilenet_v3_small", checkpoint: Path | None = None
) -> nn.Module:
    """Train on data/label/*.jpg, write the checkpoint to `output` and give the network."""
    make_deterministic(recipe.seed)
    spec = InputSpec()
    side = round(spec.height * MARGIN)
    dataset = load(data, side, side, side)
    network = new_network(architecture, len(dataset.labels), checkpoint)
    fit(network, dataset, recipe, spec)
    save_checkpoint(network, architecture, dataset.labels, spec, output)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=train.__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with one folder of pictures per class")
    parser.add_argument("--output", type=Path, required=True, help="folder for model.pth and class_labels.json")
    parser.add_argument("--architecture", default="mobilenet_v3_small", help="a torchvision classifier")
    parser.add_argument("--checkpoint", type=Path, help="start from this model.pth instead of random weights")
    parser.add_argument("--epochs", type=int, help="all at 224 pixels; the default begins with smaller pictures")
    parser.add_argument("--batch-size", type=int, default=Recipe.batch_size)
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    recipe = Recipe(
        stages=((224, chosen.epochs),) if chosen.epochs else Recipe.stages,
        batch_size=chosen.batch_size,
        learning_rate=chosen.learning_rate,
        seed=chosen.seed,
    )
    train(chosen.data, chosen.output, recipe, chosen.architecture, chosen.checkpoint)


if __name__ == "__main__":
    main()
