"""setup_environment.py does nothing when nothing changed, repairs what is half-made, and fails in sentences."""

import importlib.util
import io
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, with an empty folder as the project's."""
    spec = importlib.util.spec_from_file_location("setup_environment", ROOT / "setup_environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in module.INPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for name in ("ROOT", "VENV", "TOOLS", "VENDOR", "STAMP", "CHOICE", "UNFINISHED"):
        monkeypatch.setattr(module, name, tmp_path / getattr(module, name).relative_to(ROOT))
    module.TOOLS.mkdir()
    return module


def finish(setup: ModuleType, choice: str) -> None:
    """Leave what a finished setup leaves."""
    (setup.VENV / "bin").mkdir(parents=True)
    (setup.VENV / "bin" / "python").write_text("")
    setup.VENDOR.mkdir(parents=True)
    for name in (*setup.SERVED.values(), setup.ICON_FILE):
        (setup.VENDOR / name).write_text("")
    setup.STAMP.write_text(setup.digest(choice))


def test_a_finished_setup_is_current_for_its_own_choice_only(setup: ModuleType) -> None:
    finish(setup, "registry")

    assert setup.is_current("registry")
    assert not setup.is_current("cpu")


def test_icons_become_one_file_in_the_colour_of_the_text(setup: ModuleType) -> None:
    leaf = '<!-- licence -->\n<svg class="x"\n  width="24">\n  <path d="M1 1" />\n</svg>\n'

    sprite = ElementTree.fromstring(setup.sprite({"leaf": leaf, "twig": leaf}))  # noqa: S314 - our own

    assert [each.get("id") for each in sprite] == ["leaf", "twig"]
    assert {each.get("stroke") for each in sprite} == {"currentColor"}
    assert [each.tag.rpartition("}")[2] for each in sprite[0]] == ["path"]


def test_files_of_the_pages_are_taken_as_they_are_only_while_they_are_current(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(setup, "find_uv", lambda: setup.TOOLS / "uv")
    monkeypatch.setattr(setup, "install_pages", made.append)
    finish(setup, "registry")
    (setup.VENDOR / setup.MADE_FROM).write_text(setup.pages_digest())

    setup.install_pages_only()
    assert made == []

    with (setup.ROOT / "ui" / "package-lock.json").open("a") as file:
        file.write("\n")
    setup.install_pages_only()
    assert made == [str(setup.TOOLS / "uv")]


@pytest.mark.parametrize("name", ["requirements/base.lock", "ui/package-lock.json"])
def test_a_changed_lock_is_noticed(setup: ModuleType, name: str) -> None:
    finish(setup, "registry")

    with (setup.ROOT / name).open("a") as file:
        file.write("\n")

    assert not setup.is_current("registry")


def test_an_unfinished_setup_is_not_current(setup: ModuleType) -> None:
    finish(setup, "registry")

    setup.UNFINISHED.touch()

    assert not setup.is_current("registry")


def test_a_missing_served_file_is_noticed(setup: ModuleType) -> None:
    finish(setup, "registry")

    (setup.VENDOR / "swagger-ui.css").unlink()

    assert not setup.is_current("registry")


def test_the_light_build_is_remembered(setup: ModuleType) -> None:
    assert setup.last_choice() == "registry"

    setup.CHOICE.write_text("cpu\n")

    assert setup.last_choice() == "cpu"


def test_a_setup_waits_for_another_one(setup: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    entered: list[str] = []

    def second() -> None:
        with setup.only_one_setup():
            entered.append("second")

    waiting = threading.Thread(target=second)
    with setup.only_one_setup():
        waiting.start()
        time.sleep(0.3)
        entered.append("first")
    waiting.join(60)

    assert entered == ["first", "second"]
    assert "Another setup is at work in this folder" in capsys.readouterr().out


def test_a_python_that_is_too_old_is_named(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "sys", SimpleNamespace(version_info=(3, 10, 2), executable="/usr/bin/python3"))

    with pytest.raises(setup.SetupFailed, match=r"/usr/bin/python3 is 3\.10\.2.*PYTHON="):
        setup.check_python()


def test_too_little_disk_is_said_before_anything_is_installed(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _: SimpleNamespace(free=6e9))

    setup.check_disk("cpu")
    with pytest.raises(setup.SetupFailed, match=r"12 GB of free disk are needed.*TORCH=cpu"):
        setup.check_disk("registry")


def test_a_python_without_pip_gets_one_in_a_folder_of_its_own(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "answers", lambda command: "venv" in command)

    assert setup.find_pip() == [str(setup.TOOLS / "pip" / "bin" / "python"), "-m", "pip"]


def test_a_python_without_pip_and_ensurepip_is_told_what_to_install(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "answers", lambda _: False)

    with pytest.raises(setup.SetupFailed, match="neither pip nor ensurepip"):
        setup.find_pip()


def test_a_failed_command_shows_its_last_lines_and_what_to_do(setup: ModuleType) -> None:
    code = "print('error: no route to host'); raise SystemExit(2)"

    with pytest.raises(setup.SetupFailed, match=r"(?s)no route to host.*ended with code 2.*check the network"):
        setup.run([sys.executable, "-c", code], minutes=1)


def test_downloads_show_a_line_per_tenth(setup: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"Downloading p{number} (10.0MiB)" for number in range(20)]
    lines += [f" Downloaded p{number}" for number in range(20)]

    setup.follow(io.StringIO("\n".join(lines)))

    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 10
    assert shown[-1].strip() == "100 % of 200 MB downloaded"


def test_a_setup_that_finds_all_in_place_says_and_does_nothing(
    setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(setup, "registry")
    monkeypatch.setattr(sys, "argv", ["setup_environment.py"])
    monkeypatch.chdir(ROOT)

    assert setup.main() == 0
    assert capsys.readouterr() == ("", "")


def test_the_fastest_build_of_the_same_python_is_taken(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = os.path.realpath(sys.executable)
    folders = [tmp_path / each for each in ("fast", "slow", "broken")]
    for folder in folders:
        folder.mkdir()
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    fast, slow, broken = (str((folder / name).resolve()) for folder in folders)
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    seconds = {own: 1.0, fast: 0.5, slow: 2.0, broken: setup.speed_test(broken)}
    monkeypatch.setattr(setup, "speed_test", lambda python: seconds[python])

    assert setup.fastest_python() == fast
    assert "2.0 times as fast" in capsys.readouterr().out
    seconds[fast] = 0.9
    assert setup.fastest_python() == sys.executable


def test_a_python_is_timed_only_when_it_is_of_the_same_version_and_whole(setup: ModuleType, tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 2 7 0.001\n")
    other.chmod(0o755)

    assert 0 < setup.speed_test(sys.executable) < 60
    assert setup.speed_test(str(other)) == float("inf")
    assert setup.speed_test(str(tmp_path / "none")) == float("inf")
