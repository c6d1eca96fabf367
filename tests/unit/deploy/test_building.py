"""Which images are built, with which PyTorch."""

import subprocess
from pathlib import Path

import pytest

from deploy import building
from deploy.errors import CannotDeploy


def wheel(folder: Path, name: str = "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).touch()


def test_without_a_choice_a_folder_of_wheels_that_pip_knows_is_taken(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels")
    torch = building.which_torch(None, {"PIP_FIND_LINKS": f"{tmp_path / 'none'} {tmp_path / 'wheels'}"})
    assert torch.target == "cpu"
    assert torch.wheels == tmp_path / "wheels"
    assert "torch-2.13.0+cpu" in torch.sentence


def test_without_a_choice_and_without_such_a_folder_it_is_the_index(tmp_path: Path) -> None:
    assert building.which_torch(None, {"PIP_FIND_LINKS": str(tmp_path)}).wheels is None
    assert building.which_torch(None, {}).target == "cpu"


def test_the_choice_is_taken(tmp_path: Path) -> None:
    wheel(tmp_path)
    assert building.which_torch("cuda", {"PIP_FIND_LINKS": str(tmp_path)}).target == "cuda"
    assert building.which_torch(f"wheels:{tmp_path}", {}).wheels == tmp_path


@pytest.mark.parametrize("choice", ["gpu", "wheels:/nowhere"])
def test_what_cannot_be_taken_is_refused_with_a_sentence(choice: str) -> None:
    with pytest.raises(CannotDeploy, match="TORCH"):
        building.which_torch(choice, {})


def test_a_build_is_told_its_version_revision_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_IMAGE", "python:3.12-slim")
    torch = building.Torch("cpu", "", tmp_path)
    command = building.build_command(building.IMAGES[2], "v1", torch)
    assert command[-1] == "."
    assert {"weedwatch/torchserve:v1", f"wheels={tmp_path}", "PYTHON_IMAGE=python:3.12-slim"} <= set(command)
    given = dict(each.split("=", 1) for each in command if "=" in each)
    assert given["VERSION"] == building.version() != "unknown"
    assert len(given["REVISION"].rstrip("+")) == 40
    assert given["CREATED"]


def test_every_image_has_its_dockerfile_and_target() -> None:
    for image in building.IMAGES:
        text = (building.ROOT / building.DOCKERFILES / image.dockerfile).read_text()
        assert f" AS {image.target}\n" in text


def test_sizes_make_a_table() -> None:
    assert building.table({"weedwatch/edge:1": 52_400_000}).endswith("| `weedwatch/edge:1` | 52 MB |")


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ([], []),
        (["TAG=1.4.0", "IMAGE=edge"], ["edge", "--tag", "1.4.0"]),
        (["TORCH=cuda"], ["--torch", "cuda"]),
        (["TORCH=wheels:/there"], ["--torch", "wheels:/there"]),
    ],
)
def test_make_images_passes_on_what_is_chosen(variables: list[str], arguments: list[str]) -> None:
    command = ["make", "--dry-run", "--no-print-directory", "images", *variables]
    done = subprocess.run(command, cwd=building.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[1:] == ["python3", "-m", "deploy", "images", *arguments]


def test_make_hands_a_variable_on_to_what_it_runs(tmp_path: Path) -> None:
    """As `GCS=1` of `make images` and all those of `make archive`."""
    (tmp_path / "Makefile").write_text("images:\n\t@echo said $$GCS\n")
    done = subprocess.run(["make", "images", "GCS=1"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "said 1\n"
