"""An archive is current when it is whole and nothing that it was built from has changed."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from handlers.archive import main
from handlers.errors import SourceError
from handlers.source import BUILD_FILE, ModelSource, build_inputs, built_archive, find_source, is_current


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    folder = tmp_path / "sources" / "demo" / "1"
    (folder / "samples").mkdir(parents=True)
    (folder / "model.pth").write_bytes(b"weights")
    (folder / "class_labels.json").write_text('["a", "b"]')
    (folder / "samples" / "a.jpg").write_bytes(b"picture")
    return find_source("demo", store=tmp_path)


def write_archive(source: ModelSource, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(BUILD_FILE, json.dumps(build_inputs(source)))
        packed.writestr("model.onnx", b"network")
    return path


def test_an_archive_of_the_same_source_is_current(source: ModelSource, tmp_path: Path) -> None:
    assert is_current(source, write_archive(source, tmp_path / "demo-1.mar"))


@pytest.mark.parametrize(
    "name", ["model.pth", "class_labels.json", "model_card.json", "model-config.yaml", "samples/a.jpg", "samples/b.jpg"]
)
def test_any_changed_or_new_file_of_the_source_makes_it_old(source: ModelSource, tmp_path: Path, name: str) -> None:
    archive = write_archive(source, tmp_path / "demo-1.mar")
    (source.checkpoint.parent / name).write_bytes(b"changed")
    assert not is_current(source, archive)


def test_another_architecture_makes_it_old(source: ModelSource, tmp_path: Path) -> None:
    archive = write_archive(source, tmp_path / "demo-1.mar")
    other = ModelSource(source.name, source.version, source.checkpoint, source.labels, "resnet18")
    assert not is_current(other, archive)


def test_an_absent_truncated_or_damaged_archive_is_not_current(source: ModelSource, tmp_path: Path) -> None:
    archive = write_archive(source, tmp_path / "demo-1.mar")
    data = archive.read_bytes()
    assert not is_current(source, tmp_path / "absent.mar")
    archive.write_bytes(data[:-30])
    assert not is_current(source, archive)
    archive.write_bytes(data.replace(b"network", b"nEtwork"))
    assert not is_current(source, archive)


def test_the_highest_version_of_the_store_is_taken_by_number(tmp_path: Path) -> None:
    for version in ("1", "9", "10", "1.5"):
        (tmp_path / "sources" / "demo" / version).mkdir(parents=True)
    assert find_source("demo", store=tmp_path).version == "10"
    assert find_source("other", store=tmp_path).version == "1"


def test_a_checkpoint_from_elsewhere_brings_what_lies_beside_it(tmp_path: Path) -> None:
    source = find_source("mine", checkpoint=tmp_path / "best.pth", store=tmp_path)
    assert (source.version, source.labels, source.card.parent) == ("1", tmp_path / "class_labels.json", tmp_path)
    assert find_source("mine", checkpoint=tmp_path / "b.pth", labels=tmp_path / "l.json").labels.name == "l.json"


@pytest.mark.parametrize("name", ["", "../plants", "my plants", "-x", "pflänzchen"])
def test_a_name_that_would_not_fit_into_a_path_or_url_is_refused(name: str) -> None:
    with pytest.raises(SourceError, match="Use letters, digits"):
        find_source(name, "1")


def test_an_absent_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"model\.pth cannot be read"):
        build_inputs(find_source("demo", store=tmp_path))


def test_an_archive_without_a_source_is_found_by_the_name_in_its_manifest(tmp_path: Path) -> None:
    for name, version in (("trees", "2"), ("trees", "10"), ("trees-old", "99")):
        with zipfile.ZipFile(tmp_path / f"{name}-{version}.mar", "w") as packed:
            manifest = {"model": {"modelName": name, "modelVersion": version}}
            packed.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    (tmp_path / "trees-11.mar").write_bytes(b"half")
    assert built_archive("trees", None, tmp_path) == tmp_path / "trees-10.mar"
    assert built_archive("trees", "2", tmp_path) == tmp_path / "trees-2.mar"
    assert built_archive("trees", "3", tmp_path) is None
    assert main(["--model", "trees", "--output", str(tmp_path)], {}) == 0


def test_asking_whether_an_archive_is_current_does_not_import_torch() -> None:
    code = "import sys, handlers.archive; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
