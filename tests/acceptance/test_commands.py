"""The commands, called as a user would, over a running service."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.acceptance.conftest import ROOT, SAMPLES
from tests.changing import Changing, changing
from tests.proofs.stack import clean_environment, free_port

WEEDWATCH = ROOT / ".venv" / "bin" / "weedwatch"
SECONDS = 180


@pytest.fixture(scope="module")
def models() -> Iterator[Changing]:
    with changing(ROOT, WEEDWATCH_WORKERS="2") as place:
        yield place


def call(
    place: Changing,
    *words: str | Path,
    token: bool = True,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    settings: dict[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    settings = (settings or {}) | {
        "WEEDWATCH_URL": f"http://127.0.0.1:{place.stack.port}",
        "NO_COLOR": "1",
        "COLUMNS": "150",
    }
    if token:
        settings["WEEDWATCH_TOKEN_FILE"] = str(place.stack.state / "admin-token")
    return subprocess.run(
        [WEEDWATCH, *words], env=clean_environment() | settings, cwd=place.stack.folder, stdin=stdin,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def said(place: Changing, *words: str | Path, stdin: IO[bytes] | int = subprocess.DEVNULL) -> str:
    done = call(place, *words, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_photos_are_named_for_people_and_for_programs(models: Changing) -> None:
    picture, other = SAMPLES / "knotweed.jpg", SAMPLES / "fern.jpg"
    lines = said(models, "predict", picture, other).splitlines()
    assert lines[0].startswith(f"{picture}: Japanese knotweed (Reynoutria japonica), ")
    assert "none of the watched plants" in lines[1]
    answer = json.loads(said(models, "predict", "--json", picture))
    assert models.http.get(f"/history/{answer['request_id']}").json()["label"] == answer["label"]


def test_folders_standard_input_and_what_is_less_sure_than_asked_for(models: Changing, tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    for target in ("b.jpg", "deeper/a.JPG"):
        shutil.copy(SAMPLES / "knotweed.jpg", tmp_path / target)
    (tmp_path / "c.jpg").write_text("no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    some = call(models, "predict", tmp_path, "--json")
    lines = [json.loads(line) for line in some.stdout.splitlines()]
    assert some.returncode == 3
    named = "Reynoutria japonica"
    assert [line.get("label") or line["code"] for line in lines] == [named, "invalid_image", named]
    assert f"{tmp_path / 'c.jpg'}: " in some.stderr
    with (SAMPLES / "knotweed.jpg").open("rb") as photo:
        assert said(models, "predict", "-", stdin=photo).startswith("-: Japanese knotweed")
    unsure = call(models, "predict", SAMPLES / "knotweed.jpg", "--fail-under", "0.9999", "--top-k", "2")
    assert (unsure.returncode, len(unsure.stdout.splitlines())) == (7, 3)
    (tmp_path / "empty").mkdir()
    assert call(models, "predict", tmp_path / "empty").returncode == 2


def test_the_record_is_listed_shown_and_exported(models: Changing, tmp_path: Path) -> None:
    answer = json.loads(said(models, "predict", "--json", SAMPLES / "fern.jpg"))
    assert json.loads(said(models, "sightings", "ls", "--limit", "1", "--json"))["items"] == [answer]
    assert answer["request_id"] in said(models, "sightings", "ls", "--min-confidence", "0.5")
    one = json.loads(said(models, "sightings", "show", answer["request_id"], "--json"))
    assert one == models.http.get(f"/history/{answer['request_id']}").json()
    table = said(models, "sightings", "export").splitlines()
    exported = [json.loads(line) for line in said(models, "sightings", "export", "--json").splitlines()]
    assert len(table) - 1 == len(exported) > 1
    assert exported[0] == answer
    said(models, "sightings", "export", "--output", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text().splitlines() == table


def test_anything_of_the_api_can_be_asked(models: Changing, tmp_path: Path) -> None:
    assert json.loads(said(models, "api", "GET", "/models")) == models.http.get("/models").json()
    assert json.loads(said(models, "models", "ls", "--json")) == models.http.get("/models").json()
    assert json.loads(said(models, "models", "show", "plants", "--json"))["versions"][0]["sha256"]
    assert "weedwatch_" in said(models, "api", "get", "/metrics")
    rollout = tmp_path / "rollout.json"
    rollout.write_text('{"stable": "1", "canary": "1", "canary_percent": 1}')
    refused = call(models, "api", "PUT", "/models/plants/rollout", "--data", f"@{rollout}", "--revision", "1")
    assert (refused.returncode, "must differ" in refused.stderr) == (3, True), refused.stderr
    assert call(models, "api", "GET", "models").returncode == 2
    assert call(models, "api", "POST", "/models/plants/rollback", "--data", "{").returncode == 2


def test_settings_and_errors_are_told_without_a_service(tmp_path: Path) -> None:
    def alone(*words: str) -> "subprocess.CompletedProcess[str]":
        environment = clean_environment() | {"XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": "1"}
        return subprocess.run(
            [WEEDWATCH, *words], env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    (tmp_path / "weedwatch.toml").write_text(f'url = "http://127.0.0.1:{free_port()}"')
    assert json.loads(alone("config", "show", "--json").stdout)["url"]["source"] == "weedwatch.toml"
    assert json.loads(alone("--url", "http://x", "config", "show", "--json").stdout)["url"]["source"] == "--url"
    assert "Wait a moment" in alone("errors", "overloaded").stdout
    assert alone("errors", "none_such").returncode == 2
    there_is_none = alone("predict", "none.jpg")
    assert (there_is_none.returncode, there_is_none.stderr) == (3, "none.jpg: No such file or directory.\n")
    assert alone("models", "ls").returncode == 5
    (tmp_path / "weedwatch.toml").write_text("url = 7")
    wrong = alone("status")
    assert (wrong.returncode, "weedwatch.toml" in wrong.stderr) == (2, True)


def test_a_version_is_added_rolled_out_tried_as_canary_and_rolled_back(models: Changing) -> None:
    models.put("2")
    assert said(models, "status") == "Ready.\n"
    assert "weedwatch models rollout plants 2" in said(models, "models", "add", "plants", "2")
    assert "plants is answered by version 2 " in said(models, "models", "rollout", "plants", "2")
    assert json.loads(said(models, "models", "ls", "--json"))["items"][0]["rollout"]["stable"] == "2"
    assert "version 1 for 20 %" in said(models, "models", "rollout", "plants", "2", "--canary", "1", "--percent", "20")
    shown = said(models, "models", "show", "plants")
    assert ["1", "canary", "ready", "2", "of", "2"] in [line.split()[:6] for line in shown.splitlines()]
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


def test_models_and_versions_are_completed(models: Changing) -> None:
    for typed, completed in (("models show pl", "plants"), ("models rollout plants ", "1")):
        asked = {"_WEEDWATCH_COMPLETE": "complete_bash", "COMP_WORDS": f"weedwatch {typed}"}
        asked["COMP_CWORD"] = str(len(typed.split(" ")))
        assert completed in call(models, settings=asked).stdout.split()


def test_a_service_that_is_not_there_is_named(models: Changing) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    done = subprocess.run(
        [WEEDWATCH, "status"], env=clean_environment() | {"WEEDWATCH_URL": nowhere}, cwd=models.stack.folder,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert nowhere in done.stderr
    assert "make run" in done.stderr
