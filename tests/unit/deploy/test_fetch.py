"""The images of a tag come from the registry that is named, and are built where none is. `docker` is a stand-in."""

import os
from pathlib import Path

import pytest

from deploy import __main__ as deploy
from deploy import composing, fetch
from tests.structure import composed


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    log = tmp_path / "asked.txt"
    docker = tmp_path / "docker"
    docker.write_text(
        f'#!/bin/sh\necho "$*" >>{log}\n'
        'case "$*" in *"$FAILS"*) exit 1 ;; image*) echo 1000000 ;; compose*) echo $WANTED ;; esac\n'
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("FAILS", "nothing")
    monkeypatch.setenv("WANTED", "redis:8 weedwatch/torchserve:latest weedwatch/edge:latest")
    monkeypatch.setattr(composing, "ENV_FILE", tmp_path / ".env")
    monkeypatch.delenv("WEEDWATCH_REGISTRY", raising=False)
    return log


def test_each_image_is_taken_from_the_registry_under_our_name(asked: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEEDWATCH_REGISTRY=ghcr.io/somebody/\n")
    assert deploy.main(["fetch", "0.2.0"]) == 0
    lines = asked.read_text().splitlines()
    assert lines[:3] == [
        "compose config --images",
        "pull --quiet ghcr.io/somebody/weedwatch/control-plane:0.2.0",
        "tag ghcr.io/somebody/weedwatch/control-plane:0.2.0 weedwatch/control-plane:0.2.0",
    ]
    assert [line.split("/")[-1] for line in lines if line.startswith("tag")] == [
        f"{name}:0.2.0" for name in ("control-plane", "backup", "torchserve", "edge")
    ]


def test_an_image_that_is_not_there_is_said(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEEDWATCH_REGISTRY", "ghcr.io/somebody")
    monkeypatch.setenv("FAILS", "torchserve")
    assert deploy.main(["fetch", "0.2.0"]) == 1
    assert "weedwatch/edge" not in asked.read_text()


def test_without_a_registry_they_are_built(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH", "cpu")
    assert deploy.main(["fetch", "0.2.0"]) == 0
    built = [line for line in asked.read_text().splitlines() if line.startswith("build")]
    assert len(built) == 4
    assert all("pull" not in line for line in built)


GPU = "weedwatch/torchserve:latest weedwatch/torchserve:latest-cuda"


def test_where_the_overlay_for_gpus_is_used_its_image_is_taken_too(
    asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEEDWATCH_REGISTRY", "ghcr.io/somebody")
    monkeypatch.setenv("WANTED", GPU)
    assert deploy.main(["fetch", "0.2.0"]) == 0
    taken = [line.split()[-1] for line in asked.read_text().splitlines() if line.startswith("tag")]
    assert taken[2:] == [f"weedwatch/{name}" for name in ("torchserve:0.2.0", "edge:0.2.0", "torchserve:0.2.0-cuda")]


def test_it_is_built_with_cuda_where_there_is_no_registry(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH", "cpu")
    monkeypatch.setenv("WANTED", GPU)
    assert deploy.main(["fetch", "0.2.0"]) == 0
    built = [line for line in asked.read_text().splitlines() if line.startswith("build")]
    assert [("--target cuda" in line, "torchserve:0.2.0-cuda" in line) for line in built] == [
        *[(False, False)] * 4,
        (True, True),
    ]


def test_the_overlay_for_gpus_names_the_image_that_is_looked_for() -> None:
    image = composed.services("deploy/compose.gpu.yaml")["torchserve"]["image"]
    assert image == f"weedwatch/torchserve:${{WEEDWATCH_TAG:-latest}}{fetch.CUDA}"
