"""An archive has the documented contents, the same bytes for the same input, and runtimes that agree."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from handlers import agreement
from handlers.agreement import DisagreementError, check_agreement
from handlers.archive import ensure_archive, main
from handlers.checkpoint import load_checkpoint
from handlers.errors import SourceError
from handlers.export import export_onnx, export_program
from handlers.plant_classifier import load_network, rank, softmax, torch_network
from handlers.preprocessing import InputSpec, preprocess
from handlers.reference import draw
from handlers.source import HANDLERS, ModelSource, is_current
from tests.integration.handlers.archives import LABELS, write_tiny_source

CONTENTS = {
    "MAR-INF/MANIFEST.json",
    "build.json",
    "class_labels.json",
    "model-config.yaml",
    "model.onnx",
    "model.pt2",
    "model_card.json",
    "plant_classifier.py",
    "preprocessing.py",
    "batch.py",
    "frame.py",
    "telling.py",
    "reference.json",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return write_tiny_source("tiny", tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def archive(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ensure_archive(source, tmp_path_factory.mktemp("store"))[1]


def unpack(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder


def test_an_archive_holds_what_the_contract_says(archive: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("MAR-INF/MANIFEST.json"))
        config = yaml.safe_load(packed.read("model-config.yaml"))
        card = json.loads(packed.read("model_card.json"))
        assert json.loads(packed.read("class_labels.json")) == LABELS
    assert names == CONTENTS | {"reference-1.jpg", "reference-2.jpg", "reference-3.jpg"}
    assert manifest["model"]["modelName"] == "tiny"
    assert manifest["model"]["modelVersion"] == "1"
    assert manifest["model"]["handler"] == "plant_classifier.py"
    assert (config["batchSize"], config["responseTimeout"], config["startupTimeout"]) == (1, 12, 120)
    assert not {"minWorkers", "maxWorkers"} & set(config)
    assert (card["architecture"], card["input"]["height"]) == ("squeezenet1_1", 64)


def test_the_same_source_gives_the_same_bytes(source: ModelSource, archive: Path, tmp_path: Path) -> None:
    assert ensure_archive(source, tmp_path)[1].read_bytes() == archive.read_bytes()


def test_a_current_archive_is_not_built_again(source: ModelSource, archive: Path) -> None:
    written = archive.stat().st_mtime_ns
    assert ensure_archive(source, archive.parent) == ("current", archive)
    assert archive.stat().st_mtime_ns == written


def test_nothing_in_an_archive_tells_where_it_was_built(archive: Path, source: ModelSource, tmp_path: Path) -> None:
    folder = unpack(archive, tmp_path)
    with zipfile.ZipFile(folder / "model.pt2") as program:
        program.extractall(folder / "program")
    places = [HANDLERS.parent, Path(torch.__file__).parents[1], source.checkpoint.parent, Path.home()]
    for path in folder.rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        assert not [place for place in places if f"{place}/".encode() in data], path.name


def test_pinned_answers_are_what_the_served_network_answers(archive: Path, tmp_path: Path) -> None:
    folder = unpack(archive, tmp_path)
    network, spec = load_network(folder), load_spec(folder)
    for pinned in json.loads((folder / "reference.json").read_text()):
        pixels = preprocess((folder / pinned["file"]).read_bytes(), spec)
        assert rank(softmax(network(pixels[None]))[0], LABELS, 1) == [
            {"label": pinned["label"], "confidence": pinned["confidence"]}
        ]


def load_spec(folder: Path) -> InputSpec:
    return InputSpec.from_dict(json.loads((folder / "model_card.json").read_text())["input"])


def test_runtimes_that_disagree_stop_the_build_and_leave_the_old_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_tiny_source("tiny", tmp_path / "source")
    (tmp_path / "tiny-1.mar").write_bytes(b"the old one")
    monkeypatch.setattr(agreement, "TOLERANCE", -1.0)
    with pytest.raises(DisagreementError, match="The archive is not written"):
        ensure_archive(source, tmp_path)
    assert (tmp_path / "tiny-1.mar").read_bytes() == b"the old one"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_exported_network_with_other_weights_is_noticed(tmp_path: Path) -> None:
    source = write_tiny_source("tiny", tmp_path)
    network, spec, _ = load_checkpoint(source.checkpoint, LABELS)
    export_onnx(export_program(network, spec, tmp_path / "model.pt2"), tmp_path / "model.onnx")
    pictures = [preprocess(draw(1), spec)]
    assert check_agreement(network, tmp_path, spec, pictures) < 1e-5
    with torch.no_grad():
        network.get_parameter("classifier.1.bias")[0] += 0.01
    with pytest.raises(DisagreementError, match="PyTorch and the exported program disagree: at batch size 1"):
        check_agreement(network, tmp_path, spec, pictures)


def test_both_exports_take_batches_of_any_size(archive: Path, tmp_path: Path) -> None:
    folder = unpack(archive, tmp_path)
    for size in (1, 2, 5, 32):
        assert load_network(folder)(np.zeros((size, 3, 64, 64), dtype=np.float32)).shape == (size, 3)


def test_a_source_configuration_is_merged_without_the_number_of_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_tiny_source("tiny", tmp_path / "source")
    source.config.write_text("responseTimeout: 60\nminWorkers: 4\nmine: true\n")
    (source.checkpoint.parent / "samples").mkdir()
    (source.checkpoint.parent / "samples" / "one.jpg").write_bytes(draw(9))
    source.card.write_text(json.dumps({"limits": "drawings only", "negative_labels": ["fern"], "name": "old"}))
    with zipfile.ZipFile(ensure_archive(source, tmp_path)[1]) as packed:
        config = yaml.safe_load(packed.read("model-config.yaml"))
        card = json.loads(packed.read("model_card.json"))
        assert [pinned["file"] for pinned in json.loads(packed.read("reference.json"))] == ["reference-1.jpg"]
        assert packed.read("reference-1.jpg") == draw(9)
    assert (config["responseTimeout"], config["mine"], "minWorkers" in config) == (60, True, False)
    assert (card["name"], card["limits"], card["negative_labels"]) == ("tiny", "drawings only", ["fern"])
    assert "Left out minWorkers" in capsys.readouterr().out


def test_a_card_that_speaks_of_an_unknown_label_is_refused(tmp_path: Path) -> None:
    source = write_tiny_source("tiny", tmp_path)
    source.card.write_text(json.dumps({"negative_labels": ["nothing"]}))
    with pytest.raises(SourceError, match="'nothing', which is no label"):
        ensure_archive(source, tmp_path)


def test_the_command_prints_the_path_last_and_takes_its_defaults_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_tiny_source("mine", tmp_path / "source")
    environment = {"MODEL": "mine", "VERSION": "3", "MODEL_PATH": str(source.checkpoint)}
    for outcome in ("built", "current"):
        assert main(["--output", str(tmp_path)], environment) == 0
        assert capsys.readouterr().out.splitlines()[-1] == f"{outcome}: {tmp_path / 'mine-3.mar'}"
    assert is_current(ModelSource("mine", "3", source.checkpoint, source.labels), tmp_path / "mine-3.mar")


def test_the_command_says_on_standard_error_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path)], {"MODEL_PATH": str(tmp_path / "model.pth")}) == 1
    assert "model.pth cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [("LABELS_PATH", "names.json", "names.json"), ("MODEL_ARCHITECTURE", "resnet0", "resnet0")],
)
def test_what_the_environment_says_of_a_checkpoint_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], variable: str, value: str, said: str
) -> None:
    checkpoint = write_tiny_source("mine", tmp_path / "source").checkpoint
    torch.save(torch.load(checkpoint, weights_only=True)["state_dict"], checkpoint)
    assert main(["--output", str(tmp_path)], {"MODEL_PATH": str(checkpoint), variable: value}) == 1
    assert said in capsys.readouterr().err


def test_the_exported_program_can_compute_in_bfloat16_and_answers_nearly_the_same(
    archive: Path, tmp_path: Path
) -> None:
    """On the processor here, which knows bfloat16 too; on CUDA it is the same switch."""
    folder = unpack(archive, tmp_path)
    pixels = np.random.default_rng(7).normal(size=(4, 3, 64, 64)).astype(np.float32)
    exact = torch_network(folder / "model.pt2", "cpu")(pixels)
    rounded = torch_network(folder / "model.pt2", "cpu", "bfloat16")(pixels)
    assert exact.dtype == rounded.dtype == np.float32
    assert 0 < np.abs(softmax(exact) - softmax(rounded)).max() < 0.02  # what readiness forgives
    with pytest.raises(ValueError, match="WEEDWATCH_CUDA_PRECISION"):
        torch_network(folder / "model.pt2", "cpu", "float8")
