"""An update replaces one replica after the other, and goes back where the new ones do not become healthy.

`docker` is a stand-in that writes down what it is asked for; a real engine does it in the proof of the stack.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import __main__ as deploy
from deploy import composing, pin

DIGEST = f"sha256:{'0' * 64}"


@dataclass
class Engine:
    folder: Path

    @property
    def asked(self) -> list[str]:
        """Tag, then the words."""
        log = self.folder / "asked.txt"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def started(self) -> list[tuple[str, str]]:
        found = (re.match(r"(\S+) compose --profile update up .* (\S+)$", line) for line in self.asked)
        return [(each[2], each[1]) for each in found if each]

    def fail(self, pattern: str) -> None:
        """What fits the shell's pattern fails from now on."""
        docker = self.folder / "docker"
        docker.write_text(docker.read_text().replace('"nothing at all")', f"{pattern})"))

    def env(self) -> dict[str, str]:
        return composing.read_env()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!/bin/sh
echo "$WEEDWATCH_TAG $*" >>{tmp_path}/asked.txt
case "$WEEDWATCH_TAG $*" in
  "nothing at all") exit 1 ;;
  *" compose ps "*) for name in $RUNNING; do echo "{{\\"Service\\": \\"$name\\"}}"; done ;;
  *imagetools*) echo "$DIGEST" ;;
  *" logs "*) for name; do :; done; echo "the log of $name" ;;
esac
"""
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("RUNNING", "control-plane-1 control-plane-2 postgres")
    monkeypatch.setenv("DIGEST", DIGEST)
    monkeypatch.delenv("WEEDWATCH_TAG", raising=False)
    monkeypatch.setattr(composing, "ENV_FILE", tmp_path / ".env")
    (tmp_path / ".env").write_text("# ours\nWEEDWATCH_NAME=weeds.example\nWEEDWATCH_TAG=0.1.0\n")
    return Engine(tmp_path)


def test_one_more_is_started_first_then_each_is_replaced_then_the_one_more_goes(engine: Engine) -> None:
    assert deploy.main(["update", "0.2.0"]) == 0
    assert engine.started == [
        ("control-plane-surge", "0.2.0"),
        ("control-plane-1", "0.2.0"),
        ("control-plane-2", "0.2.0"),
    ]
    assert engine.asked[-1].endswith("compose --profile update rm --stop --force control-plane-surge")
    assert engine.env() == {
        "WEEDWATCH_NAME": "weeds.example",
        "WEEDWATCH_TAG": "0.2.0",
        "WEEDWATCH_PREVIOUS_TAG": "0.1.0",
    }


def test_what_runs_alone_is_all_that_is_replaced(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNING", "control-plane-1")
    assert deploy.main(["update", "0.2.0"]) == 0
    assert [name for name, _ in engine.started] == ["control-plane-surge", "control-plane-1"]


def test_rollback_is_the_same_way_back_and_forth(engine: Engine) -> None:
    deploy.main(["update", "0.2.0"])
    assert deploy.main(["rollback"]) == 0
    assert engine.started[-1] == ("control-plane-2", "0.1.0")
    assert (engine.env()["WEEDWATCH_TAG"], engine.env()["WEEDWATCH_PREVIOUS_TAG"]) == ("0.1.0", "0.2.0")


def test_the_same_update_once_more_goes_back_to_what_was_before_it(engine: Engine) -> None:
    deploy.main(["update", "0.2.0"])
    assert deploy.main(["update", "0.2.0"]) == 0
    assert engine.env()["WEEDWATCH_PREVIOUS_TAG"] == "0.1.0"


@pytest.mark.parametrize(
    ("fails", "back"),
    [
        ("0.2.0*up*control-plane-surge", []),
        ("0.2.0*up*control-plane-1", ["control-plane-1"]),
        ("0.2.0*up*control-plane-2", ["control-plane-1", "control-plane-2"]),
    ],
)
def test_new_ones_that_do_not_become_healthy_leave_the_old_ones(
    engine: Engine, capsys: pytest.CaptureFixture[str], fails: str, back: list[str]
) -> None:
    before = engine.env()
    engine.fail(fails)
    assert deploy.main(["update", "0.2.0"]) == 1
    assert "0.1.0 runs as before" in capsys.readouterr().err
    assert [name for name, tag in engine.started if tag == "0.1.0"] == back
    assert "rm --stop --force control-plane-surge" in engine.asked[-1]
    assert engine.env() == before


@pytest.mark.parametrize("service", ["control-plane-surge", "control-plane-1"])
def test_the_log_of_one_that_does_not_become_healthy_is_printed_before_its_container_goes(
    engine: Engine, capfd: pytest.CaptureFixture[str], service: str
) -> None:
    engine.fail(f"0.2.0*up*{service}")
    assert deploy.main(["update", "0.2.0"]) == 1
    said = capfd.readouterr().out
    assert f"The last lines of {service}:\nthe log of {service}\n" in said
    logs = next(place for place, line in enumerate(engine.asked) if " logs " in line)
    assert engine.asked[logs].endswith(f" logs --tail 50 {service}")
    after = [line for line in engine.asked[logs + 1 :] if " up " in line or " rm " in line]
    assert f" {service}" in after[0]


def test_one_that_does_not_come_back_keeps_none_of_the_others_from_it(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.fail("0.2.0*up*control-plane-2 | 0.1.0*up*control-plane-1")
    assert deploy.main(["update", "0.2.0"]) == 1
    assert engine.started[-2:] == [("control-plane-1", "0.1.0"), ("control-plane-2", "0.1.0")]
    said = capsys.readouterr().err
    assert "control-plane-1 did not come back with 0.1.0" in said
    assert "runs as before" not in said


def test_an_image_that_is_not_here_comes_from_the_registry_that_is_named(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEEDWATCH_REGISTRY", "ghcr.io/somebody")
    engine.fail('*"image inspect"*')
    assert deploy.main(["update", "0.9.0"]) == 0
    pulled = [line.split()[-1] for line in engine.asked if " pull " in line]
    assert pulled[0] == "ghcr.io/somebody/weedwatch/control-plane:0.9.0"
    assert all(each.startswith("ghcr.io/somebody/") for each in pulled)
    assert engine.started[0] == ("control-plane-surge", "0.9.0")


def test_without_a_registry_nobody_is_asked_for_an_image_that_is_not_here(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("WEEDWATCH_REGISTRY", raising=False)
    engine.fail('*"image inspect"*')
    assert deploy.main(["update", "0.9.0"]) == 1
    assert "There is no image weedwatch/control-plane:0.9.0 here. `make fetch TAG=0.9.0`" in capsys.readouterr().err
    assert not [line for line in engine.asked if " pull " in line]
    assert engine.started == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["update", "0.2.0"], "No replica of the control plane runs. `make up` starts the stack."),
        (["rollback"], "There was no update, so there is no tag to go back to."),
    ],
)
def test_where_there_is_nothing_to_change_a_sentence_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.setenv("RUNNING", "postgres")
    assert deploy.main(words) == 1
    assert said in capsys.readouterr().err
    assert engine.started == []


def test_pins_are_the_tag_and_the_registrys_digest_of_each_image(engine: Engine) -> None:
    assert deploy.main(["pin"]) == 0
    pinned = engine.env()
    assert len(pin.images()) >= 8
    assert {name: pinned[name] for name in pin.images()} == {k: f"{v}@{DIGEST}" for k, v in pin.images().items()}
    assert pinned["WEEDWATCH_NAME"] == "weeds.example"
    assert (engine.folder / ".env").read_text().startswith("# ours\n")


def test_a_registry_that_gives_no_digest_pins_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DIGEST", "not found")
    assert deploy.main(["pin"]) == 1
    assert "The registry gave no digest of" in capsys.readouterr().err
    assert not set(pin.images()) & set(engine.env())


def test_the_lines_of_the_file_keep_their_mode(engine: Engine) -> None:
    (engine.folder / ".env").chmod(0o600)
    composing.write_env({"WEEDWATCH_TAG": "0.3.0"})
    assert (engine.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert (engine.folder / ".env").read_text().splitlines()[-1] == "WEEDWATCH_TAG=0.3.0"


def test_the_file_is_read_as_compose_reads_it(engine: Engine) -> None:
    (engine.folder / ".env").write_text("export WEEDWATCH_TAG=\"0.1.0\"\nWEEDWATCH_NAME='a b' \nA=1 # one\n# B=2\n")
    assert engine.env() == {"WEEDWATCH_TAG": "0.1.0", "WEEDWATCH_NAME": "a b", "A": "1"}
    deploy.main(["update", "0.2.0"])
    assert deploy.main(["rollback"]) == 0
    assert engine.started[-1] == ("control-plane-2", "0.1.0")
    assert (engine.folder / ".env").read_text().count("WEEDWATCH_TAG") == 1


@pytest.mark.parametrize("words", [["pin"], ["update", "0.2.0"]])
def test_without_docker_a_sentence_says_so(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (engine.folder / "docker").unlink()
    monkeypatch.setenv("PATH", str(engine.folder))
    assert deploy.main(words) == 1
    assert "There is no docker on PATH." in capsys.readouterr().err
