"""Where an engine of ours lives, and what its client gets."""

from pathlib import Path

import pytest

from tests.stack.docker import environment_for
from tests.stack.engine import NoEngine, Place, end, prepare


def test_the_socket_has_a_short_path_however_deep_the_folder_is(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder"] * 40)
    assert len(str(Place(deep).socket)) < 60
    assert Place(deep).socket != Place(deep / "other").socket


def test_ending_where_none_runs_does_nothing(tmp_path: Path) -> None:
    end(Place(tmp_path))
    end(Place(tmp_path))


def test_a_pid_file_that_names_another_program_ends_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run.mkdir()
    monkeypatch.setattr(Place, "run", property(lambda _self: run))
    Place(tmp_path).pid_file.write_text("1")
    end(Place(tmp_path))
    assert not run.exists()


def test_the_client_is_ours_and_nothing_of_another_engine_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    monkeypatch.setenv("COMPOSE_FILE", "other.yaml")
    made = environment_for("unix:///run/x.sock", Path("/tools"))
    assert made["PATH"].startswith("/tools/usr/bin:/tools/usr/sbin:")
    assert (made["DOCKER_HOST"], made["DOCKER_CONFIG"]) == ("unix:///run/x.sock", "/tools/config")
    assert not {"DOCKER_CONTEXT", "COMPOSE_FILE"} & made.keys()


def test_who_is_not_root_is_told_to_name_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NoEngine, match="DOCKER_HOST"):
        prepare(tmp_path)
