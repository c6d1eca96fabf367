"""Credentials, archives, logs and settings: the rules that are easily broken."""

import json
import logging
import stat
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from control_plane.access import credentials
from control_plane.domain.verdicts import ModelCard
from control_plane.errors import InvalidRequest
from control_plane.models import archives
from control_plane.models.archives import Archive, NoArchive
from control_plane.predictions.prediction import check_fits
from control_plane.replicas import Share
from control_plane.settings import Settings
from control_plane.tables.database import Database
from control_plane.telemetry import logs


def mar(folder: Path, model: str, version: str, **members: object) -> Path:
    file = folder / f"{model}-{version}.mar"
    content = {
        "MAR-INF/MANIFEST.json": {"model": {"modelName": model, "modelVersion": version}},
        "class_labels.json": ["a", "b"],
        "reference.json": [{"file": "r.jpg", "label": "a", "confidence": 0.9}],
        "r.jpg": "picture",
        **members,
    }
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value if isinstance(value, str) else json.dumps(value))
    return file


def test_the_highest_version_is_the_newest_archive(tmp_path: Path) -> None:
    for version in ("1.9", "1.10", "1.2"):
        mar(tmp_path, "plants", version)
    mar(tmp_path, "others", "7")
    assert archives.newest(tmp_path, "plants").version == "1.10"


def test_labels_may_be_an_object_of_index_and_name(tmp_path: Path) -> None:
    mar(tmp_path, "plants", "1", **{"class_labels.json": {"10": "k", "2": "c", "0": "a"}})
    assert archives.newest(tmp_path, "plants").labels == ("a", "c", "k")


def test_an_archive_without_a_card_is_served_with_the_defaults(tmp_path: Path) -> None:
    mar(tmp_path, "plants", "1")
    assert archives.newest(tmp_path, "plants").card.thresholds.species_min == 0.5


@pytest.mark.parametrize(
    ("built", "names", "tensors"), [({}, False, False), ({"frame": 2}, True, False), ({"frame": 3}, True, True)]
)
def test_an_archive_says_what_its_handler_understands(
    tmp_path: Path, built: dict[str, int], names: bool, tensors: bool
) -> None:
    card = {"input": {"height": 96, "width": 64}}
    mar(tmp_path, "plants", "1", **{"build.json": built, "model_card.json": card})
    archive = archives.newest(tmp_path, "plants")
    assert (archive.reads_names, archive.reads_tensors) == (names, tensors)
    assert (archive.input.height, archive.input.width) == (96, 64)


@pytest.mark.parametrize(
    ("frame", "shape", "top_k", "word"),
    [
        (2, None, 100, None),
        (2, None, 101, "too old"),
        (2, (3, 224, 224), 5, "too old"),
        (3, None, 5000, None),
        (3, (3, 224, 224), 5, None),
        (3, (3, 224, 225), 5, "224, 224"),
    ],
)
def test_a_version_is_asked_only_for_what_its_handler_understands(
    frame: int, shape: tuple[int, ...] | None, top_k: int, word: str | None
) -> None:
    archive = Archive(Path("plants-1.mar"), "plants", "1", ("a", "b"), ModelCard(), (), frame)
    if word is None:
        check_fits(archive, shape, top_k)
    else:
        with pytest.raises(InvalidRequest) as refused:
            check_fits(archive, shape, top_k)
        assert word in str(refused.value.detail)


@pytest.mark.parametrize("broken", [{"class_labels.json": "no json"}, {"reference.json": []}])
def test_a_missing_or_broken_archive_says_how_to_build_it(tmp_path: Path, broken: dict[str, object]) -> None:
    with pytest.raises(NoArchive, match="make archive"):
        archives.newest(tmp_path, "plants")
    mar(tmp_path, "plants", "1", **broken)
    with pytest.raises(NoArchive, match="make archive"):
        archives.newest(tmp_path, "plants")


def test_an_archive_that_was_cut_short_is_named_and_is_another_reason_than_none(tmp_path: Path) -> None:
    whole = mar(tmp_path, "plants", "1").read_bytes()
    (tmp_path / "plants-1.mar").write_bytes(whole[: len(whole) // 2])
    mar(tmp_path, "others", "1")
    with pytest.raises(NoArchive, match=r"plants-1\.mar cannot be read .* cut short"):
        archives.newest(tmp_path, "plants")
    with pytest.raises(NoArchive, match=r"plants-1\.mar cannot be read"):
        archives.find(tmp_path, "plants", "1")
    with pytest.raises(NoArchive, match="There is no archive of 'plants' version '2'"):
        archives.find(tmp_path, "plants", "2")


def test_of_two_processes_of_one_name_one_never_leads() -> None:
    one, other = (Share(Database("postgresql://nowhere", timeout_seconds=1, pool_size=1), "same") for _ in range(2))
    one.note_predecessor(None)
    other.note_predecessor(one.process)  # what was there before its first beat may be of a dead one
    assert [one.yields, other.yields] == [False, False]
    one.note_predecessor(other.process)
    other.note_predecessor(one.process)
    assert sorted([one.yields, other.yields]) == [False, True]
    one.note_predecessor(one.process)
    other.note_predecessor(other.process)
    assert [one.yields, other.yields] == [False, False]


def test_the_admin_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = credentials.admin_token(None, tmp_path / "state")
    assert credentials.admin_token(None, tmp_path / "state") == first
    assert stat.S_IMODE((tmp_path / "state" / "admin-token").stat().st_mode) == 0o600


def test_a_token_file_of_the_operator_is_used_and_a_weak_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a-long-enough-token\n")
    assert credentials.admin_token(file, tmp_path) == "a-long-enough-token"
    file.write_text("short")
    with pytest.raises(ValueError, match="shorter"):
        credentials.admin_token(file, tmp_path)


@pytest.mark.parametrize(
    ("given", "good"), [("secret", True), ("Secret", False), ("secret ", False), ("ü", False), ("", False)]
)
def test_only_the_token_itself_matches(given: str, good: bool) -> None:
    assert credentials.matches(given, "secret") is good


def test_a_log_line_is_one_json_object_with_the_request_id() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, 'a "b"\n%s', ("c",), None)
    vars(record).update(request_id="0192-id", model="plants")
    line = logs.JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line) | {"timestamp": ""} == {
        "timestamp": "", "level": "INFO", "logger": "x", "module": "test_small_parts", "function": None,
        "message": 'a "b"\nc', "request_id": "0192-id", "model": "plants",
    }  # fmt: skip


def test_a_bad_setting_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@localhost/db")
    monkeypatch.setenv("WEEDWATCH_PORT", "no number")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert caught.value.errors()[0]["loc"] == ("port",)


def test_an_address_that_cannot_be_read_is_refused_without_showing_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres//u:geheim@localhost/db")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "geheim" not in str(caught.value)
    assert "geheim" not in str([error["msg"] for error in caught.value.errors()])


@pytest.mark.parametrize("variable", ["WEEDWATCH_TRACES_URL", "WEEDWATCH_PROMETHEUS_URL"])
@pytest.mark.parametrize(
    "address",
    [
        *("http://geheim@host/", "https://host:4318/v1/traces?key=geheim", "http://host/#geheim"),
        *("http://host:geheim/", "http://host:0/", "http://[geheim/", "ftp://geheim/", "geheim"),
    ],
)
def test_an_address_that_the_log_may_name_holds_no_credential(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/db")
    monkeypatch.setenv(variable, "https://host:4318/v1/traces/")
    assert "https://host:4318/v1/traces" in {Settings().traces_url, Settings().prometheus_url}
    monkeypatch.setenv(variable, address)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert "geheim" not in str([error["msg"] for error in caught.value.errors()])


def test_the_database_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@localhost/db")
    monkeypatch.setenv("WEEDWATCH_CORS_ORIGINS", "https://a.example, https://b.example")
    settings = Settings()
    assert "geheim" not in repr(settings)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
