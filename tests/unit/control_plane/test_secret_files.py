"""A secret comes from the environment or from a file, never from both, and no complaint tells what it is."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from control_plane.__main__ import main
from control_plane.secret_files import WrongSecretFile, is_secret
from control_plane.settings import Settings, variable_names
from standalone.settings import SECRET

URL = "postgresql://ann:unguessable@db.example/records"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "database-url"
    file.write_text(URL + "\n")
    monkeypatch.setenv("DATABASE_URL_FILE", str(file))
    return file


@pytest.mark.usefixtures("file")
def test_a_secret_is_read_from_its_file() -> None:
    assert Settings().database_url.get_secret_value() == URL


@pytest.mark.usefixtures("file")
def test_both_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)

    with pytest.raises(WrongSecretFile, match=r"Both DATABASE_URL and DATABASE_URL_FILE are set\."):
        Settings()


@pytest.mark.parametrize(("content", "why"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff", "it is no text")])
def test_a_file_without_a_secret_is_refused(file: Path, content: bytes, why: str) -> None:
    file.write_bytes(content)

    with pytest.raises(WrongSecretFile, match=why):
        Settings()


def test_a_missing_file_stops_the_start_with_a_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.unlink()

    assert main() == 2
    said = f"The file {file} that DATABASE_URL_FILE names cannot be read (No such file or directory).\n"
    assert capsys.readouterr().err == said


def test_a_wrong_value_of_a_file_is_named_and_not_told(file: Path) -> None:
    file.write_text("unguessable")

    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "unguessable" not in str(caught.value)
    assert caught.value.errors()[0]["loc"] == ("DATABASE_URL",)


def test_every_secret_has_a_documented_file_and_a_name_by_which_other_programs_are_kept_from_it() -> None:
    fields = zip(Settings.model_fields.values(), variable_names().items(), strict=True)
    secrets = {variable: description for field, (variable, description) in fields if is_secret(field)}
    assert {"DATABASE_URL", "WEEDWATCH_LIMITS_URL"} <= set(secrets)
    for variable, description in secrets.items():
        assert f"`{variable}_FILE`" in description
        assert SECRET.search(variable)


@pytest.mark.usefixtures("file")
def test_a_secret_that_need_not_be_there_is_read_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limits").write_text("redis://:unguessable@cache.example:6379/0")
    monkeypatch.setenv("WEEDWATCH_LIMITS_URL_FILE", str(tmp_path / "limits"))

    url = Settings().limits_url

    assert url is not None
    assert url.get_secret_value() == "redis://:unguessable@cache.example:6379/0"
