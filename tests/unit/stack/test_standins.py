"""What stands in for which image, and when it is made again."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import standins
from tests.stack.standins import STANDINS, StandIn, base_digest, digest, without_stand_in


def test_images_that_no_stand_in_has_are_named() -> None:
    images = [*(each.image for each in STANDINS), "weedwatch/edge:latest", "grafana/loki:3.5.7", ""]
    assert without_stand_in(images) == ["grafana/loki:3.5.7"]


def test_another_tag_of_an_image_is_another_image() -> None:
    assert without_stand_in(["postgres:18.2-bookworm"]) == ["postgres:18.2-bookworm"]


@pytest.mark.parametrize("standin", STANDINS, ids=lambda each: each.name)
def test_every_stand_in_has_its_dockerfile_and_says_for_what(standin: StandIn) -> None:
    first = standin.dockerfile.read_text().splitlines()[0]
    assert first.startswith("# Stands in for ")
    assert standin.image.split(":", maxsplit=1)[0] in first


def test_a_stand_in_is_made_again_when_what_it_is_made_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standins, "FOLDER", tmp_path)
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing.Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "thing" / "start.sh").write_text("exec true\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "thing").write_bytes(b"1")
    (programs / "thing").chmod(0o755)
    standin = StandIn("thing:1", "thing")
    seen = {digest(standin, {"programs": programs})}
    assert digest(standin, {"programs": programs}) in seen
    for path in ("thing.Dockerfile", "thing/start.sh", "programs/thing"):
        (tmp_path / path).write_text((tmp_path / path).read_text() + "more")
        seen.add(digest(standin, {"programs": programs}))
    assert len(seen) == 4


def test_a_base_is_made_again_for_other_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standins, "CERTIFICATES", tmp_path)
    without = base_digest("bookworm")
    (tmp_path / "own.crt").write_text("one")
    assert len({without, base_digest("bookworm"), base_digest("forky")}) == 3


@pytest.mark.parametrize(("program", "pattern"), [("hadolint", "**/*.Dockerfile"), ("shellcheck", "**/*.sh")])
def test_their_dockerfiles_and_scripts_are_sound(program: str, pattern: str) -> None:
    files = sorted(Path(standins.__file__).parent.glob(pattern))
    checker = Path(sys.executable).with_name(program)
    done = subprocess.run([checker, *files], capture_output=True, text=True, check=False)
    assert files
    assert (done.returncode, done.stdout) == (0, "")
