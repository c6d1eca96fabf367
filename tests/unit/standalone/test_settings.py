"""Settings come from the environment first, then from `.env`; a bad one stops the start with a sentence."""

from pathlib import Path

import pytest

from standalone import control_plane, quarantine
from standalone.errors import CannotRun
from standalone.settings import ROOT, SECRET, read_env_file, read_settings
from standalone.torchserve import TorchServe, addresses


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


def test_the_database_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://ann:unguessable@db.example/records\n")

    settings = read_settings({"DATABASE_URL_FILE": "url"}, tmp_path)

    assert settings.database_url == "postgresql://ann:unguessable@db.example/records"
    environment = control_plane.program(settings, settings.database_url, addresses(tmp_path)).environment
    assert "unguessable" not in str(environment)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"DATABASE_URL_FILE": "none"}, r"names cannot be read \(No such file or directory\)"),
        ({"DATABASE_URL_FILE": ".env"}, "is empty"),
        ({"DATABASE_URL_FILE": ".env", "DATABASE_URL": "postgresql://"}, "Both DATABASE_URL and DATABASE_URL_FILE"),
    ],
)
def test_a_file_without_an_address_and_both_at_once_are_refused(
    given: dict[str, str], said: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("")

    with pytest.raises(CannotRun, match=said):
        read_settings(given, tmp_path)


def test_programs_that_need_no_secret_get_none(tmp_path: Path) -> None:
    secrets = (
        "DATABASE_URL",
        "WEEDWATCH_KEY_SECRET",
        "PGPASSWORD",
        "NVIDIA_API_KEY",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "HOMEBREW_GITHUB_API_TOKEN",
    )
    given = dict.fromkeys(secrets, "postgresql://unguessable") | {"PATH": "/bin", "WEEDWATCH_MAX_PIXELS": "9"}
    settings = read_settings(given, tmp_path)
    serving = TorchServe(Path("java"), addresses(tmp_path), tmp_path, tmp_path)

    programs = (
        serving.program(tmp_path, settings.environment),
        quarantine.program(settings, tmp_path),
        control_plane.archive_program(settings),
    )

    for program in programs:
        assert "unguessable" not in str(program)
        assert program.environment["PATH"] == "/bin"
    words = read_env_file(ROOT / "config.properties")["blacklist_env_vars"]
    assert words == f".*({SECRET.pattern}).*", "workers are kept from the same"


def test_the_quarantine_sees_no_file_of_a_secret(tmp_path: Path) -> None:
    given = {"WEEDWATCH_ADMIN_TOKEN_FILE": "/run/secrets/admin", "WEEDWATCH_KEY_SECRET_FILE": "/run/secrets/keys"}

    command = quarantine.program(read_settings(given, tmp_path), tmp_path).command

    assert {"/run/secrets/admin", "/run/secrets/keys", str(tmp_path / ".weedwatch")} <= set(command)
