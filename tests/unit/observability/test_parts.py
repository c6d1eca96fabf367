import shutil
from pathlib import Path

import pytest

from observability import debian, declared, generate, programs, reference
from observability.parts import faster, seconds
from observability.places import Places
from observability.rules import annotations
from observability.topics import ALERTS, older_names

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        ("rate(x[5m])", "rate(x[10s])"),
        ("avg_over_time(rate(x[1m])[1h:1m])", "avg_over_time(rate(x[4s])[120s:2s])"),
        ("x[1m] > 5", "x[4s] > 5"),
        ("up unless up offset 10m", "up unless up offset 20s"),
        ("up == 0", "up == 0"),
    ],
)
def test_a_faster_expression_has_its_windows_divided_and_nothing_else(expr: str, wanted: str) -> None:
    assert faster(expr, 30) == wanted
    assert faster(expr, 1) == expr


def test_durations_are_read_in_seconds() -> None:
    assert [seconds(each) for each in ("90s", "5m", "1h", "3d")] == [90, 300, 3600, 259200]


def test_what_an_expression_uses_is_found_wherever_it_stands() -> None:
    found = declared.used('sum by (le) (rate(a_bucket{x="1"}[$__rate_interval])) > on() b and (c or vector(0))')
    assert found == {("a_bucket", ("x",)), ("b", ()), ("c", ())}


def test_a_metric_or_label_that_nobody_tells_is_named() -> None:
    assert declared.unknown("weedwatch_ready + weedwatch_redy") == ["no metric weedwatch_redy"]
    assert declared.unknown('weedwatch_errors_total{kode="x"}') == ["weedwatch_errors_total has no label kode"]
    assert declared.unknown('up{job="x"} + sum(weedwatch_errors_total{code="x", instance="y"})') == []


def test_every_panel_and_rule_uses_what_somebody_tells() -> None:
    assert declared.check() == []


def test_the_generated_files_are_current() -> None:
    wanted = generate.files(generate.Setup())
    found = {str(file.relative_to(generate.GENERATED)) for file in generate.GENERATED.rglob("*") if file.is_file()}
    assert found == set(wanted), "run `python -m observability write`"
    for path, text in wanted.items():
        assert (generate.GENERATED / path).read_text() == text, f"{path}: run `python -m observability write`"
    for path, text in generate.elsewhere().items():
        assert (generate.ROOT / path).read_text() == text, f"{path}: run `python -m observability write`"


def test_the_page_of_metrics_names_each_and_asks_for_none_that_nobody_tells() -> None:
    page = reference.page()
    for metric in declared.metrics():
        name = metric.samples[0] if metric.kind == "counter" else metric.name
        assert f"\n| `{name}` | {metric.kind} |" in page
    assert all(f"`{recording.name}` |" in page for recording in older_names.OLDER)
    for expr in reference.EXAMPLES.values():
        assert f"`{expr}`" in page
        assert declared.unknown(expr) == []


def test_a_machine_without_them_and_without_debian_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "FOLDER", tmp_path / "tools" / "monitoring")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(debian.CannotFetch, match="Install both so that `prometheus`"):
        programs.program("promtool")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list.d/debian.sources", "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n"),
        ("sources.list", "deb [arch=amd64] http://mirror.example/debian/ bookworm main\n"),
        ("sources.list", "# comment\ndeb http://mirror.example/debian bookworm main\n"),
    ],
)
def test_packages_come_from_where_this_debian_takes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    monkeypatch.setattr(debian, "SOURCES", tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/apt-get")
    assert debian.mirror() == "http://mirror.example/debian"


def test_where_there_is_no_grafana_nothing_leads_to_it() -> None:
    assert not {"dashboard_url", "logs_url"} & annotations(ALERTS[0], Places(grafana="")).keys()
    assert annotations(ALERTS[0], Places())["dashboard_url"].startswith(Places.grafana)
