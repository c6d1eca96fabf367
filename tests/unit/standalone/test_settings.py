"""Settings come from the environment first, then from `.env`; a bad one stops the start with a sentence."""

from pathlib import Path

import pytest

from standalone.errors import CannotRun
from standalone.settings import read_settings


def test_without_any_setting_the_documented_defaults_hold(tmp_path: Path) -> None:
    settings = read_settings({}, tmp_path)

    assert (settings.port, settings.host, settings.database_url) == (8000, "127.0.0.1", None)
    assert settings.state_dir == tmp_path / ".weedwatch"
    assert settings.model_store == tmp_path / "model_store"


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEEDWATCH_PORT=8001\nWEEDWATCH_STATE_DIR=elsewhere\n")

    settings = read_settings({"WEEDWATCH_PORT": "8002"}, tmp_path)

    assert settings.port == 8002
    assert settings.state_dir == tmp_path / "elsewhere"


def test_the_env_file_takes_comments_quotes_and_export(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\n\nexport DATABASE_URL='postgresql://a#b'\nMODEL=plants # the demo\n")

    settings = read_settings({}, tmp_path)

    assert settings.database_url == "postgresql://a#b"
    assert settings.environment["MODEL"] == "plants"


def test_a_line_of_the_env_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nnonsense\n")

    with pytest.raises(CannotRun, match=r"Line 2 of .*\.env is no NAME=value line"):
        read_settings({}, tmp_path)


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1"])
def test_a_port_that_is_none_names_its_variable(port: str, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="WEEDWATCH_PORT is"):
        read_settings({"WEEDWATCH_PORT": port}, tmp_path)


def test_all_interfaces_are_asked_about_by_loopback(tmp_path: Path) -> None:
    assert read_settings({"WEEDWATCH_HOST": "0.0.0.0"}, tmp_path).own_url == "http://127.0.0.1:8000"  # noqa: S104
    assert read_settings({"WEEDWATCH_HOST": "::1"}, tmp_path).own_url == "http://[::1]:8000"
