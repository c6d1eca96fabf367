"""The one-shot that fills the model store of the stack."""

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

from handlers.source import BUILD_FILE, ModelSource, build_inputs, find_source
from standalone import fill_store
from standalone.fill_store import NothingToServe, fill, main


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "sources" / "demo" / "1"
    folder.mkdir(parents=True)
    (folder / "model.pth").write_bytes(b"weights")
    (folder / "class_labels.json").write_text('["a", "b"]')
    (folder / "golden.json").write_text("{}")
    return tmp_path / "repository"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "volume").mkdir()
    return tmp_path / "volume"


@pytest.fixture
def _no_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchvision" else find(name))


def source_in(sources: Path) -> ModelSource:
    return find_source("demo", store=sources)


def write_archive(sources: Path, path: Path, **changed: object) -> bytes:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr(BUILD_FILE, json.dumps(build_inputs(source_in(sources)) | changed))
        packed.writestr("MAR-INF/MANIFEST.json", '{"model": {"modelName": "demo", "modelVersion": "1"}}')
    return path.read_bytes()


def test_a_current_archive_is_copied_once(sources: Path, store: Path) -> None:
    archive = write_archive(sources, sources / "demo-1.mar", packages={"torch": "of the host"})
    assert fill(sources, store, "demo").startswith("copied: ")
    assert (store / "demo-1.mar").read_bytes() == archive
    assert fill(sources, store, "demo").startswith("current: ")
    assert [path.name for path in store.iterdir() if path.is_file()] == ["demo-1.mar"]


def test_what_is_read_beside_the_source_comes_along_but_not_the_checkpoint(sources: Path, store: Path) -> None:
    write_archive(sources, sources / "demo-1.mar")
    fill(sources, store, "demo")
    there = store / "sources" / "demo" / "1"
    assert {path.name for path in there.iterdir()} == {"class_labels.json", "golden.json"}


@pytest.mark.usefixtures("_no_torchvision")
def test_an_old_archive_is_not_copied_and_the_sentence_says_what_to_do(
    sources: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(sources, sources / "demo-1.mar")
    (sources / "sources" / "demo" / "1" / "model.pth").write_bytes(b"other weights")
    assert main([str(sources), str(store), "--model", "demo"]) == 1
    assert "make archive" in capsys.readouterr().err
    assert not list(store.glob("*.mar"))


def test_one_that_cannot_be_read_is_not_copied(sources: Path, store: Path) -> None:
    write_archive(sources, sources / "demo-1.mar")
    (sources / "demo-1.mar").write_bytes(b"half")
    assert not fill_store.is_of(source_in(sources), sources / "demo-1.mar")
    assert store.exists()


def test_an_archive_without_a_source_is_taken_as_it_is(sources: Path, store: Path) -> None:
    archive = write_archive(sources, sources / "demo-1.mar")
    (sources / "sources" / "demo" / "1" / "model.pth").unlink()
    assert fill(sources, store, "demo").startswith("copied: ")
    assert (store / "demo-1.mar").read_bytes() == archive
    (sources / "demo-1.mar").unlink()
    assert fill(sources, store, "demo").startswith("current: ")


def test_nothing_at_all_is_said(sources: Path, store: Path) -> None:
    with pytest.raises(NothingToServe, match=r"model\.pth"):
        fill(sources, store, "other")


def test_where_torchvision_is_the_archive_is_built_and_a_failure_says_so(
    sources: Path, store: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NothingToServe, match="stands above"):
        fill(sources, store, "demo")
    assert "The archive was not built." in capfd.readouterr().err
