"""Random views of training pictures: place, turn, mirror, light, colour."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from handlers.preprocessing import InputSpec


def augment(batch: Tensor, size: int, spec: InputSpec, generator: torch.Generator) -> Tensor:
    """Give a random view of each picture.

    Args:
        batch: uint8, shape (n, height, width, 3), RGB.
        size: Side of the views, in pixels.
        spec: Its mean and std normalise the views.
        generator: Chance.

    Returns:
        float32, shape (n, 3, size, size), channels last in memory.
    """
    pictures = batch.permute(0, 3, 1, 2).float() / 255
    views = functional.grid_sample(
        pictures, _places(len(batch), size, generator), mode="bilinear", padding_mode="reflection", align_corners=False
    )
    views = _light(views, generator)
    mean, std = torch.tensor(spec.mean).view(1, 3, 1, 1), torch.tensor(spec.std).view(1, 3, 1, 1)
    return ((views - mean) / std).contiguous(memory_format=torch.channels_last)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)


def _places(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Give sampling grids: a square of 0.65 to 1 of the side, mirrored half of the time, turned by up to 12 degrees."""
    scale = _uniform(count, 0.65, 1.0, generator)
    aspect = torch.exp(_uniform(count, -0.15, 0.15, generator))
    angle = _uniform(count, -math.radians(12), math.radians(12), generator)
    mirror = torch.where(_uniform(count, 0, 1, generator) < 0.5, -1.0, 1.0)
    slack = 1 - scale
    x, y = (_uniform(count, -1, 1, generator) * slack for _ in range(2))
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack(
        [torch.stack([cos * aspect * mirror, -sin, x], dim=1), torch.stack([sin * mirror, cos / aspect, y], dim=1)],
        dim=1,
    )
    return functional.affine_grid(rows, [count, 3, size, size], align_corners=False)


def _light(views: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and white balance of each picture by up to a quarter."""
    count = len(views)
    contrast, saturation = (_uniform(count, 0.75, 1.25, generator).view(-1, 1, 1, 1) for _ in range(2))
    gain = _uniform(count, 0.8, 1.2, generator).view(-1, 1, 1, 1) * _uniform(count * 3, 0.94, 1.06, generator).view(
        -1, 3, 1, 1
    )
    views = (views - 0.45) * contrast + 0.45
    grey = views.mean(dim=1, keepdim=True)
    return ((grey + (views - grey) * saturation) * gain).clamp(0, 1)
