"""The commands, called as a user would, over a running service."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, SAMPLES
from tests.changing import Changing, changing
from tests.proofs.stack import clean_environment, free_port

WEEDWATCH = ROOT / ".venv" / "bin" / "weedwatch"
SECONDS = 180


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    with changing(ROOT) as place:
        yield place


def call(place: Changing, *words: str | Path, token: bool = True) -> "subprocess.CompletedProcess[str]":
    settings = {"WEEDWATCH_URL": f"http://127.0.0.1:{place.stack.port}", "NO_COLOR": "1", "COLUMNS": "150"}
    if token:
        settings["WEEDWATCH_TOKEN_FILE"] = str(place.stack.state / "admin-token")
    return subprocess.run(
        [WEEDWATCH, *words], env=clean_environment() | settings, cwd=place.stack.folder, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip


def said(place: Changing, *words: str | Path) -> str:
    done = call(place, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_photos_are_named_for_people_and_for_programs(models: Changing) -> None:
    picture, other = SAMPLES / "knotweed.jpg", SAMPLES / "fern.jpg"
    lines = said(models, "predict", picture, other).splitlines()
    assert lines[0].startswith(f"{picture}: Japanese knotweed (Reynoutria japonica), ")
    assert "none of the watched plants" in lines[1]
    answer = json.loads(said(models, "predict", "--json", picture))
    assert models.http.get(f"/history/{answer['request_id']}").json()["label"] == answer["label"]


def test_a_version_is_added_rolled_out_tried_as_canary_and_rolled_back(models: Changing) -> None:
    models.put("2")
    assert said(models, "status") == "Ready.\n"
    assert "weedwatch models rollout plants 2" in said(models, "models", "add", "plants", "2")
    assert "plants is answered by version 2 " in said(models, "models", "rollout", "plants", "2")
    assert json.loads(said(models, "models", "ls", "--json"))["items"][0]["rollout"]["stable"] == "2"
    assert "version 1 for 20 %" in said(models, "models", "rollout", "plants", "2", "--canary", "1", "--percent", "20")
    shown = said(models, "models", "show", "plants")
    assert ["1", "canary", "ready", "2"] in [line.split()[:4] for line in shown.splitlines()]
    assert "plants is answered by version 2 " in said(models, "models", "rollback", "plants")
    assert "plants is answered by version 1 " in said(models, "models", "rollback", "plants")
    assert "No change of plants is under way." in said(models, "models", "cancel", "plants")
    assert "is forgotten" in said(models, "models", "rm", "plants", "2")
    assert "1" in said(models, "models", "ls")


def test_a_change_that_fails_says_why_and_exits_with_3(models: Changing) -> None:
    models.put("3", model__onnx=lambda content: content[:1000])
    said(models, "models", "add", "plants", "3")
    failed = call(models, "models", "rollout", "plants", "3")
    assert (failed.returncode, "cannot be loaded" in failed.stdout) == (3, True), failed.stdout + failed.stderr
    begun = call(models, "models", "rollout", "--no-wait", "plants", "3")
    assert (begun.returncode, "sick" in begun.stderr) == (3, True)


def test_what_goes_wrong_is_a_sentence_and_an_exit_code(models: Changing, tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    for words, code, words_said in (
        (("predict", text), 3, "invalid_image"),
        (("predict", tmp_path / "none.jpg"), 3, "No such file"),
        (("models", "show", "roses"), 4, "model_not_found"),
        (("models", "rm", "plants", "1"), 3, "answers at present"),
        (("models", "add", "plants", "77"), 4, "make archive"),
        (("models", "lst"), 2, "lst"),
        (("predict",), 2, "Missing argument"),
    ):
        done = call(models, *words)
        assert (done.returncode, words_said in done.stderr) == (code, True), (words, done.stderr)
        assert "Traceback" not in done.stderr
    without = call(models, "models", "rm", "plants", "1", token=False)
    assert (without.returncode, "unauthorized" in without.stderr) == (3, True)


def test_a_service_that_is_not_there_is_named(models: Changing) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = subprocess.run(
        [WEEDWATCH, "status"], env=clean_environment() | {"WEEDWATCH_URL": nowhere}, cwd=models.stack.folder,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert nowhere in done.stderr
    assert "make run" in done.stderr
