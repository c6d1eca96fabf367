"""The log on the disk is bounded and loses no line."""

import json
import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from control_plane.telemetry import logs
from control_plane.telemetry.logs import Gathered, JsonFormatter, Output, RotatingFile, without_credentials
from tests.waiting import eventually


def made(folder: Path, max_bytes: int) -> RotatingFile:
    handler = RotatingFile(folder / "a.jsonl", maxBytes=max_bytes, backupCount=3, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    return handler


def write(handler: logging.Handler, *messages: str) -> None:
    for message in messages:
        handler.handle(
            logging.makeLogRecord({"msg": message, "levelname": "INFO", "levelno": logging.INFO, "name": "x"})
        )


def messages(file: Path) -> list[str]:
    return [json.loads(line)["message"] for line in file.read_text().splitlines()]


def test_a_full_file_is_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    handler = made(tmp_path, 1000)
    write(handler, *(f"line {number}" for number in range(100)))
    handler.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["a.jsonl", "a.jsonl.1", "a.jsonl.2", "a.jsonl.3"]
    assert all(file.stat().st_size <= 1000 for file in files)
    kept = [message for file in reversed(files) for message in messages(file)]
    assert kept == [f"line {number}" for number in range(100 - len(kept), 100)]


def test_a_log_goes_on_where_an_earlier_run_ended(tmp_path: Path) -> None:
    for message in ("first", "second"):
        handler = made(tmp_path, 10_000)
        write(handler, message)
        handler.close()
    assert messages(tmp_path / "a.jsonl") == ["first", "second"]


def test_every_line_carries_the_request_id_of_who_logs(tmp_path: Path) -> None:
    target = made(tmp_path, 10_000)
    handler = Gathered(target, 3600)
    token = logs.request_id.set("0192")
    write(handler, "within")
    logs.request_id.reset(token)
    write(handler, "outside")
    assert not (tmp_path / "a.jsonl").read_text()
    handler.flush()
    target.close()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line.get("request_id") for line in lines] == ["0192", None]


def test_lines_are_written_by_themselves_and_a_warning_at_once(tmp_path: Path) -> None:
    target, file = made(tmp_path, 10_000), tmp_path / "a.jsonl"
    handler = Gathered(target, 3600)
    write(handler, "first")
    assert not messages(file)
    handler.handle(logging.makeLogRecord({"msg": "%s!", "args": ("second",), "levelno": logging.WARNING, "name": "x"}))
    eventually(lambda: messages(file) == ["first", "second!"])
    write(Gathered(target, 0.01), "third")
    eventually(lambda: messages(file) == ["first", "second!", "third"])
    target.close()


def test_a_flush_waits_for_the_lines_before_it_and_for_no_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 60)
    last, written = 2000, []

    class Fed(logging.Handler):
        """Whenever a line is written, the next one is handed in already."""

        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())
            if len(written) < last:
                time.sleep(0.001)
                write(handler, f"later {len(written)}")

    handler = Gathered(Fed(), 0.0)
    write(handler, "first")
    eventually(lambda: bool(written))
    write(handler, "own")
    handler.flush()
    assert "own" in written
    assert len(written) < last


def test_a_reader_that_stops_holds_nobody_up_and_what_was_dropped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_GATHERED", 5)
    monkeypatch.setattr(logs, "FLUSH_SECONDS", 0.1)
    goes_on, said = threading.Event(), []

    class Stuck(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert goes_on.wait(60)
            said.append((record.getMessage(), getattr(record, "count", None)))

    handler = Gathered(Stuck(), 0.0)
    write(handler, "first")
    eventually(lambda: not handler._gathered)  # the thread has it, and waits
    write(handler, *(f"line {number}" for number in range(8)))
    handler.handle(logging.makeLogRecord({"msg": "bad", "levelno": logging.ERROR, "name": "x"}))
    handler.flush()
    assert handler.dropped == 4
    goes_on.set()
    eventually(lambda: len(said) == 7)
    assert [message for message, _ in said[:6]] == ["first", *(f"line {number}" for number in range(5))]
    assert said[6] == ("log lines were dropped: nobody took them", 4)


def test_lines_are_written_together(tmp_path: Path) -> None:
    target, file = made(tmp_path, 10**6), tmp_path / "a.jsonl"
    said = [f"{number} {'x' * 1000}" for number in range(20)]
    write(target, *said)
    assert file.stat().st_size == 0
    target.flush()
    assert messages(file) == said
    target.close()


def test_a_disk_that_is_full_stops_no_later_line(tmp_path: Path) -> None:
    full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - it cannot be closed as others are
    target = Output(full)
    target.setFormatter(JsonFormatter())
    handler = Gathered(target, 3600)
    write(handler, "lost")
    handler.flush()
    with (tmp_path / "room").open("w", encoding="utf-8") as room:
        target.stream = room
        write(handler, "kept")
        handler.flush()
        assert messages(tmp_path / "room") == ["kept"]
    with pytest.raises(OSError, match="No space"):
        full.close()


def test_nothing_is_logged_where_that_is_asked_for(tmp_path: Path) -> None:
    said = (
        "import logging; from pathlib import Path; from control_plane.telemetry import logs; "
        "logs.configure(level={!r}, folder=Path({!r})); logging.getLogger('x').critical('said'); "
        "print(logging.getLogger('x').isEnabledFor(50))"
    )
    for level in ("OFF", "ERROR"):
        ran = subprocess.run(
            [sys.executable, "-c", said.format(level, str(tmp_path))], capture_output=True, text=True, check=True
        )
        assert (ran.stdout.strip(), ran.stderr) == (str(level != "OFF"), "")
        assert (tmp_path / "control_plane.jsonl").exists() is (level != "OFF")


def test_a_credential_in_a_path_is_not_logged_and_ids_and_names_are() -> None:
    assert without_credentials("/keys/ww_3kP9x2aB_dxhdVu1_pYn7RTaZ02HlqFOToUORjTBjkh-9h41yj_8") == "/keys/ww_3…"
    assert without_credentials("/nowhere/HjtYxWU-A_uIh_inoLFzCcFynlQw0o5V/x") == "/nowhere/HjtY…/x"
    for path in ("/history/01a21607-e819-75d2-82a9-5a96d23869db", "/models/plants-of-the-river-2026/versions/12.1"):
        assert without_credentials(path) == path
