"""What the supervisor says of its children: in the terminal for people, in the log for programs."""

import json
from pathlib import Path

import pytest

from standalone.child import ROTATE_BYTES
from standalone.family import Family
from standalone.runfile import Run
from standalone.settings import read_settings


def family(folder: Path) -> Family:
    settings = read_settings({"WEEDWATCH_STATE_DIR": str(folder)}, root=folder)
    settings.logs.mkdir()
    return Family(settings, Run(front=1))


def test_the_supervisors_log_is_json_with_the_keys_of_all_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    family(tmp_path).log("TorchServe was ended by signal 9. Starting it again in 1 s.", "ERROR")
    (line,) = (json.loads(line) for line in (tmp_path / "logs" / "supervisor.log").read_text().splitlines())
    assert list(line) == ["timestamp", "level", "logger", "message"]
    assert (line["level"], line["logger"]) == ("ERROR", "supervisor")
    assert line["message"] in capsys.readouterr().out


def test_the_supervisors_log_is_put_aside_when_it_is_large(tmp_path: Path) -> None:
    talker = family(tmp_path)
    log = tmp_path / "logs" / "supervisor.log"
    log.write_bytes(b"x" * (ROTATE_BYTES + 1))
    talker.log("it is up")
    assert len(log.read_text().splitlines()) == 1
    assert (tmp_path / "logs" / "supervisor.log.1").exists()
