"""A checkpoint or a bare state dict becomes its network, or a sentence says what does not fit."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import get_model

from handlers.checkpoint import CheckpointError, LabelsError, build_network, load_checkpoint
from handlers.preprocessing import InputSpec

NAME = "squeezenet1_1"
LABELS = ["a", "b", "c"]


def save(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "model.pth")
    return folder / "model.pth"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_network(NAME, 3).state_dict()


def test_a_full_checkpoint_brings_architecture_and_input(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    content = {"architecture": NAME, "num_classes": 3, "input": {"height": 64, "width": 80}, "state_dict": state}
    network, spec, architecture = load_checkpoint(save(tmp_path, content), LABELS)
    assert (spec, architecture, network.training) == (InputSpec(height=64, width=80), NAME, False)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_a_bare_state_dict_takes_architecture_and_input_from_the_card(
    tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    card = {"architecture": NAME, "input": {"height": 96, "width": 96, "resize": 96}}
    _, spec, architecture = load_checkpoint(save(tmp_path, state), LABELS, card)
    assert (spec.resize, architecture) == (96, NAME)


def test_the_asked_architecture_beats_checkpoint_and_card(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    content = {"architecture": "resnet18", "state_dict": state}
    assert load_checkpoint(save(tmp_path, content), LABELS, {"architecture": "vgg11"}, NAME)[2] == NAME


def test_weights_saved_from_a_wrapped_network_load(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    wrapped = {f"module._orig_mod.{key}": value for key, value in state.items()}
    assert load_checkpoint(save(tmp_path, wrapped), LABELS, None, NAME)[2] == NAME


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_networks_with_side_outputs_give_one_plain_output(tmp_path: Path, architecture: str) -> None:
    trained = get_model(architecture, weights=None, num_classes=3, aux_logits=True, init_weights=False)
    network, _, _ = load_checkpoint(save(tmp_path, trained.state_dict()), LABELS, None, architecture)
    assert network(torch.zeros(2, 3, 299, 299)).shape == (2, 3)
    assert network.train()(torch.zeros(2, 3, 299, 299)).shape == (2, 3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"architecture": "mobilnet_v3_smal"}, "Did you mean mobilenet_v3_small"),
        ({"architecture": "zzz"}, "Use the name of a torchvision classifier"),
        ({"architecture": "deeplabv3_resnet50"}, "is unknown"),
        ({"architecture": None}, "Set MODEL_ARCHITECTURE"),
        ({"architecture": "resnet18"}, r"do not fit resnet18 \(\d+ differences\): conv1.weight is absent"),
        ({"num_classes": 7}, "has 7 classes but there are 3 labels"),
        ({"input": {"height": 300, "resize": 256}}, "does not fit into pictures resized to 256"),
        ({"state_dict": {}}, "neither a checkpoint"),
        ({"state_dict": {"weight": 5}}, "neither a checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_with_a_sentence(
    tmp_path: Path, state: dict[str, torch.Tensor], change: dict[str, Any], sentence: str
) -> None:
    content = {"architecture": NAME, "num_classes": 3, "state_dict": state, **change}
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(save(tmp_path, content), LABELS)


def test_the_number_of_classes_is_found_in_bare_weights(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(CheckpointError, match="has 3 classes but there are 4 labels"):
        load_checkpoint(save(tmp_path, state), ["a", "b", "c", "d"], None, NAME)


def test_another_shape_is_named_with_what_was_expected(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    other = {**state, "features.0.weight": torch.zeros(64, 3, 5, 5)}
    with pytest.raises(CheckpointError, match=r"has shape \(64, 3, 5, 5\), expected \(64, 3, 3, 3\)"):
        load_checkpoint(save(tmp_path, other), LABELS, None, NAME)


def test_weights_that_diverged_are_refused(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    broken = {**state, "classifier.1.bias": torch.tensor([0.0, float("nan"), 0.0])}
    with pytest.raises(CheckpointError, match=r"not all numbers \(classifier.1.bias\)"):
        load_checkpoint(save(tmp_path, broken), LABELS, None, NAME)


class Payload:
    """A pickle that would run a command."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch /tmp/weedwatch-was-here",)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint that can be read safely"):
        load_checkpoint(save(tmp_path, {"state_dict": Payload()}), LABELS)
    assert not Path("/tmp/weedwatch-was-here").exists()


def test_a_whole_pickled_network_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="whole pickled network"):
        load_checkpoint(save(tmp_path, build_network(NAME, 3)), LABELS)
    (tmp_path / "model.pth").write_bytes(b"\x89HDF\r\n")
    with pytest.raises(CheckpointError, match="no checkpoint that can be read"):
        load_checkpoint(tmp_path / "model.pth", LABELS)
    with pytest.raises(CheckpointError, match="There is no checkpoint at"):
        load_checkpoint(tmp_path / "absent.pth", LABELS)


@pytest.mark.parametrize("labels", [["a"], ["a", "a", "b"]])
def test_labels_are_checked_first(tmp_path: Path, labels: list[str]) -> None:
    with pytest.raises(LabelsError):
        load_checkpoint(tmp_path / "absent.pth", labels)
