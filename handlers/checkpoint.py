"""model.pth to network: what a checkpoint may hold, and a sentence for each way in which it does not fit."""

import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
import torchvision

from handlers.errors import SourceError
from handlers.labels import LabelsError, check_labels, read_labels
from handlers.preprocessing import InputSpec

__all__ = ["CheckpointError", "LabelsError", "build_network", "load_checkpoint", "read_labels"]

State = dict[str, torch.Tensor]

# Training-time side outputs of GoogLeNet and Inception; a served network has none.
_SIDE_OUTPUTS = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
# What wrappers (data parallel, torch.compile) put before every key.
_WRAPPERS = ("module.", "_orig_mod.")


class CheckpointError(SourceError):
    """The checkpoint cannot be used; the message says what to change."""


def build_network(architecture: str, num_classes: int, *, for_training: bool = True) -> torch.nn.Module:
    """Build a torchvision classifier with random weights and one plain output.

    Args:
        architecture: A name that torchvision knows, such as `mobilenet_v3_small`.
        num_classes: The number of its outputs.
        for_training: Whether to spend time on good first weights (20 s for Inception).

    Raises:
        CheckpointError: torchvision has no classifier of that name.
    """
    name = architecture.lower()
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else "Use the name of a torchvision classifier."
        raise CheckpointError(f"The architecture {architecture!r} is unknown. {hint}")
    options = {"aux_logits": False, "init_weights": for_training} if name in _SIDE_OUTPUTS else {}
    network = torchvision.models.get_model(name, weights=None, num_classes=num_classes, **options)
    assert isinstance(network, torch.nn.Module)  # noqa: S101 - tells mypy, which cannot see into torchvision
    return network


def load_checkpoint(
    path: Path, labels: Sequence[str], card: Mapping[str, Any] | None = None, architecture: str | None = None
) -> tuple[torch.nn.Module, InputSpec, str]:
    """Load a checkpoint, or a bare state dict, into its network.

    Args:
        path: The file that `torch.save` wrote.
        labels: The class names, in the order of the network's outputs.
        card: The model card; its `architecture` and `input` fill in for a bare state dict.
        architecture: Beats what checkpoint and card say.

    Returns:
        The network in eval mode on the CPU, its input, and its architecture.

    Raises:
        CheckpointError: The file or its contents do not fit; the message says what to change.
        LabelsError: The labels are unusable.
    """
    check_labels(labels)
    card = card or {}
    fields, state = _read(path)
    chosen = architecture or fields.get("architecture") or card.get("architecture")
    if not chosen:
        raise CheckpointError(
            f"{path.name} holds weights only and nothing names their architecture. "
            "Set MODEL_ARCHITECTURE, or write `architecture` into model_card.json."
        )
    state = _without_side_outputs(state, chosen)
    _check_classes(path, fields, state, labels)
    network = build_network(chosen, len(labels), for_training=False)
    _check_fit(path, chosen, state, network.state_dict())
    network.load_state_dict(state, strict=False)
    return network.eval(), _input_spec(fields, card), chosen.lower()


def _read(path: Path) -> tuple[Mapping[str, Any], State]:
    """The fields beside the weights (none for a bare state dict), and the weights."""
    content = _unpickle(path)
    fields: Mapping[str, Any] = {}
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        fields, content = content, content["state_dict"]
    if not isinstance(content, Mapping) or not content or not all(map(torch.is_tensor, content.values())):
        raise CheckpointError(
            f"{path.name} is neither a checkpoint (`architecture`, `num_classes`, `input`, `state_dict`) "
            "nor a state dict. Save it with torch.save(network.state_dict(), path)."
        )
    return fields, _unwrapped(content)


def _unpickle(path: Path) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old file layouts, which are read all the same
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no checkpoint at {path}. Put model.pth there or set MODEL_PATH.") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path} is a folder. Name the file that torch.save wrote.") from error
    except Exception as error:  # hostile and foreign files fail in many ways
        raise CheckpointError(
            f"{path.name} is no checkpoint that can be read safely: it is damaged, of another format, or a whole "
            "pickled network. Save the weights with torch.save(network.state_dict(), path)."
        ) from error


def _unwrapped(state: Mapping[str, torch.Tensor]) -> State:
    plain = dict(state)
    for wrapper in _WRAPPERS:
        if all(key.startswith(wrapper) for key in plain):
            plain = {key.removeprefix(wrapper): value for key, value in plain.items()}
    return plain


def _without_side_outputs(state: State, architecture: str) -> State:
    prefixes = _SIDE_OUTPUTS.get(architecture.lower(), ())
    return {key: value for key, value in state.items() if not key.startswith(prefixes)} if prefixes else state


def _check_classes(path: Path, fields: Mapping[str, Any], state: State, labels: Sequence[str]) -> None:
    # In every torchvision classifier the last tensor belongs to the layer that gives the classes.
    last = list(state.values())[-1]
    classes = fields.get("num_classes") or (last.shape[0] if last.ndim else None)
    if classes != len(labels):
        raise CheckpointError(
            f"{path.name} has {classes} classes but there are {len(labels)} labels. "
            "Give the labels file one name for each class, in the order of training."
        )


def _check_fit(path: Path, architecture: str, state: State, wanted: Mapping[str, torch.Tensor]) -> None:
    problems = [f"{key} is absent" for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    problems += [f"{key} is not known" for key in state if key not in wanted]
    problems += [
        f"{key} has shape {tuple(value.shape)}, expected {tuple(wanted[key].shape)}"
        for key, value in state.items()
        if key in wanted and value.shape != wanted[key].shape
    ]
    if problems:
        raise CheckpointError(
            f"The weights in {path.name} do not fit {architecture} ({len(problems)} differences): "
            f"{'; '.join(problems[:3])}. Name the architecture that they were trained with."
        )
    if broken := [key for key, value in state.items() if not torch.isfinite(value).all()]:
        raise CheckpointError(f"The weights in {path.name} are not all numbers ({broken[0]}). Train the model again.")


def _input_spec(fields: Mapping[str, Any], card: Mapping[str, Any]) -> InputSpec:
    try:
        return InputSpec.from_dict(fields.get("input") or card.get("input") or {})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The model's input cannot be used. {error}") from error
