"""Settings and where they come from, exit codes, progress in words."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proofs.stack import clean_environment
from weedwatch.commands.common import Code, code_of
from weedwatch.commands.talk import Meter, counted
from weedwatch.errors import Refused, Unfinished, Unreachable, WrongSettings
from weedwatch.progress import Progress
from weedwatch.settings import load

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_each_setting_says_where_it_comes_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().url.source == "the default"
    file = folder / "config" / "weedwatch" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('url = "http://user"\ntoken_file = "token"\ntimeout_seconds = 5')
    (file.parent / "token").write_text("secret\n")
    assert (load().url.value, load().url.source, load().seconds) == ("http://user", str(file), 5)
    assert load().token() == "secret"
    (folder / "weedwatch.toml").write_text('url = "http://folder"')
    assert (load().url.value, load().url.source) == ("http://folder", "weedwatch.toml")
    monkeypatch.setenv("WEEDWATCH_URL", "http://environment")
    assert (load().url.value, load().url.source) == ("http://environment", "WEEDWATCH_URL")
    assert (load(url="http://flag").url.value, load(url="http://flag").url.source) == ("http://flag", "--url")
    assert load(url="http://flag").timeout_seconds.source == str(file)


@pytest.mark.parametrize(
    ("text", "words"),
    [("url = ", "cannot be read"), ("adress = 'x'", "no setting"), ("url = 'here'", "must begin with http")],
)
def test_a_file_that_cannot_be_used_is_named(folder: Path, text: str, words: str) -> None:
    (folder / "weedwatch.toml").write_text(text)
    with pytest.raises(WrongSettings, match=words) as error:
        load()
    assert "weedwatch.toml" in str(error.value)


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf", "nan"])
def test_a_time_that_is_none_is_named(seconds: str) -> None:
    with pytest.raises(WrongSettings, match="timeout_seconds must be a number above 0"):
        _ = load(timeout_seconds=seconds).seconds


def test_every_kind_of_error_has_its_exit_code() -> None:
    of_status = {
        404: Code.NOT_FOUND, 401: Code.REFUSED, 409: Code.REFUSED, 413: Code.REFUSED, 422: Code.REFUSED,
        502: Code.REFUSED, 429: Code.LATER, 408: Code.LATER, 504: Code.LATER, 503: Code.NOT_REACHED,
        500: Code.OUR_BUG,
    }  # fmt: skip
    for status, code in of_status.items():
        assert code_of(Refused(status, {"retry": status in (408, 429, 503, 504)}, None)) == code, status
    assert code_of(Unreachable("")) == Code.NOT_REACHED
    assert code_of(Unfinished("")) == Code.LATER
    assert code_of(WrongSettings("")) == Code.USAGE
    assert code_of(FileNotFoundError()) == Code.REFUSED


def test_progress_is_a_line_for_each_tenth_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter() as meter, Meter(quiet=True) as quiet:
        for done in range(251):
            progress = Progress("predicting", done, 250, "photos", 10.0, (250 - done) / 10)
            meter(progress)
            quiet(progress)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "predicting 10 %, 25 of 250 photos, 10.0/s, 22 s left"
    assert [line.split()[1] for line in lines] == [str(10 * tenth) for tenth in range(1, 11)]


def test_bytes_are_told_in_megabytes() -> None:
    assert counted(Progress("uploading", 4_100_000, 10_200_000, "bytes", 2e6, 3.05)) == (
        "4.1 of 10.2 MB, 2.0 MB/s, 3 s left"
    )


def test_an_interrupt_ends_at_once_whatever_is_waited_for(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"photo")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "weedwatch", "--url", url, "predict", "photo.jpg"]
        environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE) as program:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(1)  # it waits for an answer now
                program.send_signal(signal.SIGINT)
                _, said = program.communicate(timeout=30)
    assert (program.returncode, said) == (Code.INTERRUPTED, b"")
