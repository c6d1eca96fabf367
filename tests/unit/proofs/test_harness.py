"""A proof says what holds, fails when a figure falls short, and keeps what it has shown."""

import time
from pathlib import Path

import pytest

from tests.proofs import harness
from tests.proofs.harness import Context, Line, choice_from, prove, run_line
from tests.proofs.results import Figure, Result, at_most, load_results, none_of, save_results

HOLDS = Figure("lost records", "0 of 9", "0", True)
FALLS_SHORT = Figure("lost records", "1 of 9", "0", False)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LINE", "SHARE", "RESUME", "CASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WEEDWATCH_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    monkeypatch.setattr(harness, "current_commit", lambda: "abc")
    return tmp_path


def line(number: int, *figures: Figure, only_in_full: bool = False) -> Line:
    return Line(number, f"Line {number}", lambda _: list(figures), minutes=1, only_in_full=only_in_full)


def result(number: int, *figures: Figure, share: float = 0.1, commit: str = "abc") -> Result:
    return Result(number, f"Line {number}", list(figures), share, commit, "today", 1.0, 0.1, 0.2)


def test_proof_succeeds_when_every_figure_holds(workplace: Path) -> None:
    assert prove("demo", "Demo", [line(1, HOLDS), line(2, HOLDS)]) == 0
    assert "holds" in (workplace / "docs/proofs/demo.md").read_text()


def test_proof_fails_when_one_figure_falls_short(workplace: Path) -> None:
    assert prove("demo", "Demo", [line(1, HOLDS, FALLS_SHORT), line(2, HOLDS)]) == 1
    page = (workplace / "docs/proofs/demo.md").read_text()
    assert "| lost records | 1 of 9 | 0 | FALLS SHORT |" in page


@pytest.mark.usefixtures("workplace")
def test_line_without_figures_proves_nothing() -> None:
    assert prove("demo", "Demo", [line(1)]) == 1


def test_some_cases_of_a_line_leave_no_result_of_the_line(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASE", "F04")

    assert prove("demo", "Demo", [line(1, HOLDS)]) == 0
    assert not (workplace / "docs/proofs/demo.md").exists()
    assert load_results(workplace / "state/proofs/demo.json") == {}


@pytest.mark.usefixtures("workplace")
def test_what_falls_short_is_said_at_the_very_end(capsys: pytest.CaptureFixture[str]) -> None:
    prove("demo", "Demo", [line(1, HOLDS, FALLS_SHORT), line(2, HOLDS)])

    assert capsys.readouterr().out.endswith("Line 1 falls short: lost records: 1 of 9, target 0.\n")


@pytest.mark.usefixtures("workplace")
def test_line_that_raises_falls_short_and_the_others_still_run(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: Context) -> list[Figure]:
        raise RuntimeError("no stack")

    assert prove("demo", "Demo", [Line(1, "Broken", broken, minutes=1), line(2, HOLDS)]) == 1
    assert "Line 2 holds" in capsys.readouterr().out


def test_line_that_hangs_is_ended_by_its_time() -> None:
    def hang(_: Context) -> list[Figure]:
        time.sleep(60)
        return [HOLDS]

    done = run_line(Line(1, "Hangs", hang, minutes=0.005), 0.1, "abc")
    assert not done.holds
    assert "took more than" in done.figures[0].measured


def test_folder_of_a_line_is_removed() -> None:
    folders = []

    def note(context: Context) -> list[Figure]:
        folders.append(context.folder)
        return [HOLDS]

    run_line(Line(1, "Notes", note, minutes=1), 0.1, "abc")
    assert not folders[0].exists()


def test_chosen_lines_alone_run_and_the_page_keeps_the_others(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line(1, HOLDS), line(2, FALLS_SHORT), line(3, HOLDS)]
    prove("demo", "Demo", lines)
    monkeypatch.setenv("LINE", "1,3")
    assert prove("demo", "Demo", lines) == 0
    assert "Line 2" in (workplace / "docs/proofs/demo.md").read_text()


def test_results_of_a_run_at_the_same_time_are_kept(workplace: Path) -> None:
    def meanwhile(_: Context) -> list[Figure]:
        save_results(workplace / "state/proofs/demo.json", {9: result(9, HOLDS)})
        return [HOLDS]

    prove("demo", "Demo", [Line(1, "Slow", meanwhile, minutes=1)])
    assert "Line 9" in (workplace / "docs/proofs/demo.md").read_text()


@pytest.mark.usefixtures("workplace")
def test_unknown_line_is_refused_with_the_numbers_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINE", "7")
    with pytest.raises(SystemExit, match="has the lines 1, 2"):
        prove("demo", "Demo", [line(1, HOLDS), line(2, HOLDS)])


@pytest.mark.parametrize(
    "environment", [{"LINE": "four"}, {"SHARE": "all"}, {"SHARE": "0"}, {"SHARE": "nan"}, {"SHARE": "2"}]
)
def test_choice_that_cannot_be_read_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(SystemExit):
        choice_from(environment)


def test_empty_choice_means_all_lines_at_a_tenth() -> None:
    choice = choice_from({"LINE": "", "SHARE": ""})
    assert choice.share == 0.1
    assert choice.takes(line(1))
    assert not choice.takes(line(2, only_in_full=True))


def test_full_share_and_a_named_line_take_what_runs_only_in_full() -> None:
    assert choice_from({"SHARE": "1"}).takes(line(2, only_in_full=True))
    assert choice_from({"LINE": "2"}).takes(line(2, only_in_full=True))


@pytest.mark.usefixtures("workplace")
def test_resumed_proof_skips_what_held_and_repeats_what_fell_short(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prove("demo", "Demo", [line(1, HOLDS), line(2, FALLS_SHORT)])
    monkeypatch.setenv("RESUME", "1")
    capsys.readouterr()
    prove("demo", "Demo", [line(1, HOLDS), line(2, HOLDS)])
    output = capsys.readouterr().out
    assert "Line 1 held" in output
    assert "Line 2 holds" in output


@pytest.mark.parametrize(("commit", "share"), [("other", 0.1), ("abc", 1.0)])
def test_result_of_another_commit_or_smaller_share_does_not_count(commit: str, share: float) -> None:
    assert not result(1, HOLDS).still_counts(commit, share)


def test_result_of_an_uncommitted_tree_never_counts() -> None:
    assert not result(1, HOLDS, commit="abc+").still_counts("abc+", 0.1)


def test_results_survive_their_file(tmp_path: Path) -> None:
    results = {3: result(3, HOLDS, FALLS_SHORT)}
    save_results(tmp_path / "proofs" / "demo.json", results)
    assert load_results(tmp_path / "proofs" / "demo.json") == results


def test_figure_without_a_fault_holds_only_when_something_was_tried() -> None:
    assert none_of("lost", [], 5, print).holds
    assert not none_of("lost", [], 0, print).holds
    assert not none_of("lost", ["one"], 5, print).holds


def test_missing_measurement_never_holds() -> None:
    assert not at_most("seconds", float("nan"), 30).holds
