"""What each alert means and what to do, as the web pages show it and as pages of the documentation."""

import json
import re
from collections.abc import Iterable, Iterator

from observability.alertmanager import WATCHDOG, parsed
from observability.dashboards import DASHBOARDS, place_of
from observability.limits import REPEAT
from observability.parts import Alert, Case, Panel
from observability.provisioning import OWN_ALERTS, OwnAlert
from observability.rules import INTERVAL_SECONDS
from observability.topics import ALERTS, PANELS

FOLDER = "docs/runbooks"
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")
_NOTE = "<!-- Made by `python -m observability write` from observability/topics. -->"
SIGNS = {"critical": "🔴", "warning": "🟡", "info": "🔵"}


_COMPOSE, _CLUSTER = "docker compose", "kubectl -n weedwatch"
ELSEWHERE = (
    ("`weedwatch …`",
     f"`{_COMPOSE} exec -e WEEDWATCH_TOKEN_FILE=/run/secrets/admin_token control-plane-1 python -m weedwatch …`",
     f"`{_CLUSTER} exec control-plane-0 -- env WEEDWATCH_TOKEN_FILE=/run/secrets/weedwatch/admin_token "
     "python -m weedwatch …`"),
    ("`make run`, `standalone status`", f"`make up`, `{_COMPOSE} ps`", f"`{_CLUSTER} get pods`"),
    ("`python -m backup make`", f"`{_COMPOSE} run --rm backup make`",
     f"`{_CLUSTER} create job --from=cronjob/backup backup-now`"),
    ("`logs/control_plane.log`", f"`{_COMPOSE} logs control-plane-1`", f"`{_CLUSTER} logs control-plane-0`"),
    ("`logs/torchserve.log`, `logs/handler.log`", f"`{_COMPOSE} logs torchserve`", f"`{_CLUSTER} logs torchserve-0`"),
    ("`logs/postgres.log`", f"`{_COMPOSE} logs postgres`", "the database's own"),
    ("`logs/quarantine.log`", f"`{_COMPOSE} logs quarantine`", f"`{_CLUSTER} logs deployment/quarantine`"),
    ("`logs/alertmanager.log`", f"`{_COMPOSE} logs alertmanager`", "your Alertmanager's"),
    ("`logs/supervisor.log` (what died, and was started again)", f"`{_COMPOSE} ps --all`",
     f"`{_CLUSTER} get pods`, `{_CLUSTER} describe pod NAME`"),
    ("`.weedwatch/`", "the volume `state`, in a control plane `/state`", "the same, a volume of each pod"),
)  # fmt: skip
"""What the pages say, as it is under `make run`; what stands for it in the Compose stack, and in a cluster."""
_BOOKS: tuple[Alert | OwnAlert, ...] = (*ALERTS, *OWN_ALERTS)
_UNLIKE = re.compile(r"`(logs/|weedwatch |make run|\.weedwatch|\.venv/bin/python -m standalone|python -m backup)")


def ui_file() -> str:
    """`ui/runbooks.json`: a list of {name, severity, summary, meaning, steps}, in the order of the topics.

    A summary names labels, as ‹model›; the alert that fires says which.
    """
    books = [
        {
            "name": alert.name,
            "severity": alert.severity,
            "summary": plain(alert.summary),
            "meaning": alert.meaning,
            "steps": list(alert.steps),
        }
        for alert in _BOOKS
    ]
    return json.dumps(books, ensure_ascii=False, indent=1) + "\n"


def plain(summary: str) -> str:
    return _LABEL.sub(r"‹\1›", summary)


def pages() -> dict[str, str]:
    """Path → text: a page for each alert, and one that lists them."""
    books = {f"{FOLDER}/{alert.name}.md": _page(alert) for alert in ALERTS}
    own = {f"{FOLDER}/{alert.name}.md": _own_page(alert) for alert in OWN_ALERTS}
    return {f"{FOLDER}/README.md": _index(), **books, **own}


def panel_of(alert: Alert) -> tuple[Panel, str]:
    """The panel that shows it, and the title of its dashboard."""
    key, _ = place_of(alert.panel)
    panel = next(each for each in PANELS if each.key == alert.panel)
    return panel, next(each.title for each in DASHBOARDS if each.key == key)


def said_again(alert: Alert) -> str:
    if alert.name == WATCHDOG:
        return "sent every minute to its own address"
    return f"said again every {REPEAT[alert.severity]} while it lasts"


def _index() -> str:
    lines = [
        "# Runbooks",
        "",
        _NOTE,
        "",
        "What to do when an alert fires: a page for each. Who is told, and how often: [alerts.md](../alerts.md).",
        "",
        "Replace `plants`, `1` and `2` by your model and versions. Panels and "
        "dashboards are Grafana's ([dashboards.md](../dashboards.md)), which `make observe` does not start.",
        "",
        "## In containers",
        "",
        "The pages name what there is under `make run`: `weedwatch` is `.venv/bin/weedwatch` ([which service it "
        "asks](../commands.md)), `logs/` is in the state folder, `.weedwatch/logs/`. Elsewhere stands for it:",
        "",
        "| Under `make run` | In the Compose stack | In a cluster |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in ELSEWHERE),
        "",
        "## The pages",
        "",
        "| Alert | Severity | What is the matter |",
        "|---|---|---|",
        *(
            f"| [{alert.name}]({alert.name}.md) | {SIGNS[alert.severity]} {alert.severity} | {plain(alert.summary)} |"
            for alert in _BOOKS
        ),
    ]
    return "\n".join(lines) + "\n"


def _page(alert: Alert) -> str:
    panel, dashboard = panel_of(alert)
    key, number = place_of(alert.panel)
    return "\n".join(
        [
            f"# {alert.name}",
            "",
            _NOTE,
            "",
            f"{SIGNS[alert.severity]} **{alert.severity}**, {said_again(alert)}.",
            "",
            plain(alert.summary),
            "",
            *_meaning_and_steps(alert.meaning, alert.steps),
            *(
                ["In the Compose stack or a cluster: [what stands for these commands](README.md#in-containers).", ""]
                if any(_UNLIKE.search(step) for step in alert.steps)
                else []
            ),
            "## Where to look",
            "",
            f"Panel “{panel.title}” of the dashboard “{dashboard}”: `/d/weedwatch-{key}?viewPanel={number}` in "
            "Grafana. "
            f"{panel.description}",
            "",
            "## When it fires",
            "",
            _when(alert),
            "",
            "```promql",
            alert.expr,
            "```",
            "",
            *_others(alert),
            "## How it is tested",
            "",
            "`promtool` plays both cases with the rules as they are"
            + (
                " (series as promtool writes them: `a+bxn` grows by b n times, `axn` stays)."
                if alert.fires.series
                else "."
            ),
            "",
            *_case("It fires", alert.fires),
            *_case("It is quiet", alert.quiet),
            f"`make prove-observability CASE={alert.name}` "
            + (
                "sees it fire and arrive; it never resolves."
                if alert.name == WATCHDOG
                else "provokes it, by a real fault where one can be made, and sees it fire, arrive and resolve."
            ),
            "",
        ]
    )


def _own_page(alert: OwnAlert) -> str:
    key, number = place_of(alert.panel)
    return "\n".join(
        [
            f"# {alert.name}",
            "",
            _NOTE,
            "",
            f"{SIGNS[alert.severity]} **{alert.severity}**, of Grafana itself, which hands it to Alertmanager.",
            "",
            alert.summary,
            "",
            *_meaning_and_steps(alert.meaning, alert.steps),
            "## Where to look",
            "",
            f"`/d/weedwatch-{key}?viewPanel={number}` in Grafana.",
            "",
            "## How it is tested",
            "",
            "Its file is checked (`tests/unit/observability/test_provisioning.py`); Grafana is not run.",
            "",
        ]
    )


def _when(alert: Alert) -> str:
    held = f"this has held for {_span(alert.for_seconds)}" if alert.for_seconds else "this holds"
    kept = f" It goes on for {_span(alert.keep_seconds)} after that." if alert.keep_seconds else ""
    return f"Prometheus looks every {INTERVAL_SECONDS} seconds; the alert fires as soon as {held}.{kept}"


def _span(length: int) -> str:
    for size, word in ((3600, "hours"), (60, "minutes")):
        if length >= 2 * size and length % size == 0:
            return f"{length // size} {word}"
    return f"{length} seconds"


def _others(alert: Alert) -> Iterator[str]:
    """What holds it back, and what it holds back."""
    above = sorted({each.name for each in ALERTS if alert.name in {parsed(one)[0] for one in each.covers}})
    below = sorted({parsed(each)[0] for each in alert.covers})
    for names, words in (
        (above, "While one of these fires for the same thing, this alert is held back, since it follows from it:"),
        (below, "While it fires, these are held back, since they follow from it:"),
    ):
        if names:
            yield f"{words} {', '.join(f'[{name}]({name}.md)' for name in names)}."
            yield ""


def _case(title: str, case: Case) -> Iterator[str]:
    yield f"{title}, after {case.at}, a value each {case.interval}:" if case.series else f"{title}, after {case.at}."
    yield ""
    if case.series:
        yield "```text"
        yield from (f"{series}  {values}" for series, values in case.series.items())
        yield "```"
        yield ""


def _meaning_and_steps(meaning: str, steps: Iterable[str]) -> list[str]:
    numbered = (f"{number}. {step}" for number, step in enumerate(steps, 1))
    return ["## What it means", "", meaning, "", "## What to do", "", *numbered, ""]
