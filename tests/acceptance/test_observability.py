"""One request id leads everywhere: log lines, trace, record, exemplar; and the pages show what fires, and what to do.

On the really running platform, with a real Prometheus that scrapes it and a collector that reads OTLP.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from observability.generate import Setup
from observability.places import Places
from tests.acceptance.conftest import ROOT, SAMPLES
from tests.browser.chromium import PATIENCE_MS, Scheme, Visit, visit
from tests.monitoring import Prometheus, Sink, running_prometheus, running_sink, targets
from tests.proofs.stack import Stack, running
from tests.traces import Seen, spans
from tests.waiting import wait_until
from weedwatch import Client

SECONDS = 60.0
FACTOR = 10
CREDENTIAL = "for-the-collector-alone-4711"
STAGES = ["preprocess", "inference", "postprocess"]


@dataclass(frozen=True)
class Watched:
    stack: Stack
    http: httpx2.Client
    collector: Sink
    prometheus: Prometheus

    def lines(self, pattern: str, request_id: str) -> list[dict[str, Any]]:
        """The log lines of a part that say this request id."""
        files = sorted((self.stack.state / "logs").rglob(pattern))
        lines = [line for file in files for line in file.read_text().splitlines() if request_id in line]
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    stack = Stack(ROOT, folder)
    setup = Setup(Places(f"http://127.0.0.1:{stack.port}"), targets(f"127.0.0.1:{stack.port}"), factor=FACTOR)
    try:
        headers = folder / "headers"
        headers.write_text(f"Authorization: Bearer {CREDENTIAL}\n")
        with running_sink() as collector:
            stack.environment = {
                "WEEDWATCH_TRACES_URL": f"{collector.url}/v1/traces",
                "WEEDWATCH_TRACES_HEADERS_FILE": str(headers),
                "WEEDWATCH_PROMETHEUS_URL": f"http://{setup.targets.prometheus}",
            }
            with (
                running(stack),
                httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60) as http,
                running_prometheus(folder / "monitoring", setup) as prometheus,
            ):
                yield Watched(stack, http, collector, prometheus)
    finally:
        shutil.rmtree(folder)


def until(holds: Any, what: str) -> None:
    assert wait_until(lambda: bool(holds()), SECONDS) is not None, f"{what}: not within {SECONDS:g} s"


def trace_of(watched: Watched, trace: str, names: set[str]) -> dict[str, Seen]:
    """The spans of a trace by their name, once these have come."""
    until(lambda: names <= {span.name for span in spans(watched.collector, trace)}, f"spans {names}")
    return {span.name: span for span in spans(watched.collector, trace)}


def test_one_request_id_leads_from_the_browser_to_logs_trace_record_and_exemplar(
    watched: Watched, browser: Browser
) -> None:
    with visit(browser, watched.stack.port) as here:
        here.open()
        with here.page.expect_response(lambda answer: answer.url.endswith("/predict")) as waited:
            here.page.set_input_files("input[type=file]", [SAMPLES / "knotweed.jpg"])
        here.answered()
        answer = waited.value
        shown = here.page.get_by_role("link", name="See it in Sightings").get_attribute("href")
        request_id = str(shown).rsplit("/", 1)[-1]
        sent = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", answer.request.headers["traceparent"])
        assert answer.headers["x-request-id"] == request_id
    assert sent is not None
    trace, of_page = sent.groups()

    for pattern, message in (("control_plane.jsonl", "Prediction successful"), ("handler*", None)):
        until(lambda pattern=pattern: watched.lines(pattern, request_id), pattern)
        line = watched.lines(pattern, request_id)[-1]
        assert line["trace_id"] == trace
        assert line["request_id"] == request_id
        assert message in {None, line["message"]}

    names = {"POST /predict", "receive", "check", "queue", "record", "INSERT predictions", *STAGES}
    call = "POST /predictions/{model}/{version}"
    found = trace_of(watched, trace, names | {call})
    server, torchserve = found["POST /predict"], found[call]
    assert (server.kind, server.parent) == ("server", of_page)
    assert server.attributes["weedwatch.request_id"] == request_id
    assert server.attributes["http.response.status_code"] == 200
    assert (torchserve.kind, torchserve.parent) == ("client", server.id)
    assert torchserve.attributes["weedwatch.batch_pictures"] == 1
    assert {found[stage].parent for stage in STAGES} == {torchserve.id}
    assert {found[stage].service for stage in STAGES} == {"weedwatch-handler"}
    assert found["INSERT predictions"].parent == found["record"].id
    assert found["INSERT predictions"].attributes["db.system.name"] == "postgresql"
    assert server.start <= found["queue"].start <= torchserve.start < torchserve.end <= server.end

    row = watched.http.get(f"/history/{request_id}").json()
    assert row["request_id"] == request_id
    assert row["label"] == "Reynoutria japonica"

    def exemplars() -> list[dict[str, Any]]:
        found = watched.prometheus.exemplars("weedwatch_prediction_seconds_bucket")
        return [each for each in found if each["labels"].get("request_id") == request_id]

    until(exemplars, "the exemplar")
    assert exemplars()[0]["labels"]["trace_id"] == trace


def test_a_request_without_a_trace_has_one_that_is_named_by_its_id(watched: Watched) -> None:
    with Client(f"http://127.0.0.1:{watched.stack.port}") as weeds:
        request_id = str(weeds.predict(SAMPLES / "knotweed.jpg").request_id)
    trace = request_id.replace("-", "")
    server = trace_of(watched, trace, {"POST /predict", *STAGES})["POST /predict"]
    assert server.parent == ""
    until(lambda: watched.lines("handler*", request_id), "the handler's line")
    assert watched.lines("handler*", request_id)[-1]["trace_id"] == trace


@pytest.mark.parametrize(
    "sent", ["00-zz", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "ff-" + "a" * 32, "00-" + "f" * 900]
)
def test_a_malformed_traceparent_reaches_nobody(watched: Watched, sent: str) -> None:
    photo = (SAMPLES / "knotweed.jpg").read_bytes()
    headers = {"traceparent": sent, "Content-Type": "image/jpeg"}
    request_id = watched.http.post("/predict", content=photo, headers=headers).json()["request_id"]
    until(lambda: watched.lines("handler*", request_id), "the handler's line")
    assert watched.lines("handler*", request_id)[-1]["trace_id"] == request_id.replace("-", "")
    assert sent not in json.dumps(watched.lines("*.jsonl", request_id) + watched.lines("handler*", request_id))


def test_the_collector_gets_its_credential_and_no_log_does(watched: Watched) -> None:
    until(lambda: watched.collector.received, "a span")
    assert {each.headers["authorization"] for each in watched.collector.received} == {f"Bearer {CREDENTIAL}"}
    assert {each.path for each in watched.collector.received} == {"/v1/traces"}
    logs = (watched.stack.state / "logs").rglob("*")
    assert not any(CREDENTIAL in file.read_text(errors="replace") for file in logs if file.is_file())


def test_sql_of_reading_is_in_the_trace_too(watched: Watched) -> None:
    answer = watched.http.get("/history", params={"q": "a secret"})
    trace = answer.headers["x-request-id"].replace("-", "")
    found = trace_of(watched, trace, {"GET /history", "SELECT predictions"})
    assert found["SELECT predictions"].parent == found["GET /history"].id
    assert "a secret" not in str(found)


@pytest.fixture(params=[(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")], ids=str)
def here(watched: Watched, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A page that must neither complain, nor ask anybody else, nor break a rule of axe."""
    width, scheme = request.param
    assert isinstance(width, int)
    chosen: Scheme = "dark" if scheme == "dark" else "light"
    with visit(browser, watched.stack.port, width=width, scheme=chosen) as opened:
        opened.context.set_default_timeout(PATIENCE_MS)
        yield opened
        assert opened.violations() == []
        assert (opened.complaints, opened.foreign) == ([], [])
        assert not opened.overflows()


def test_a_firing_alert_is_shown_and_leads_to_its_runbook(watched: Watched, here: Visit, tmp_path: Path) -> None:
    # Nobody runs an Alertmanager here, so this one is due.
    until(lambda: "ScrapeTargetMissing" in watched.prometheus.firing(), "the alert")
    here.open("status")
    card = here.page.get_by_role("article", name="ScrapeTargetMissing").first
    card.wait_for()
    assert "Warning" in card.inner_text()
    assert "alertmanager" in card.inner_text()
    for name in ("Errors", "Readiness", "Requests a minute", "Answer time"):
        here.page.get_by_role("region", name=name, exact=True).get_by_text("As a table").wait_for()
    assert "room for" in here.page.get_by_role("region", name="Parts").inner_text()
    here.shoot(tmp_path / "status.png")
    assert here.violations() == []
    assert not here.overflows()
    card.get_by_role("link", name="What to do").click()
    here.page.get_by_role("heading", name="ScrapeTargetMissing", level=1).wait_for()
    expect(here.page.locator("ol.steps li").first).to_be_visible()
    here.shoot(tmp_path / "runbook.png")


def said(**more: Any) -> dict[str, Any]:
    return {"connected": True, "problem": None, "watched": True, "firing": [], **more}


def fires(name: str, severity: str) -> dict[str, Any]:
    about = {"since": "2026-11-26T10:00:00Z", "summary": "So it is.", "value": "3.2s", "dashboard_url": None}
    return {"name": name, "severity": severity, **about}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(), ["Nothing fires."]),
        (said(watched=False), ["Nobody watches.", "Nothing fires."]),
        (said(firing=[fires("A", "critical"), fires("B", "info")]), ["Critical", "For information", "3.2s"]),
    ],
    ids=["nothing", "unwatched", "of every kind"],
)
def test_whatever_is_said_of_alerts_can_be_read(here: Visit, answer: dict[str, Any], words: list[str]) -> None:
    here.page.route("**/status/alerts", lambda route: route.fulfill(json=answer))
    here.open("status")
    section = here.page.get_by_role("region", name="Alerts", exact=True)
    for each in words:
        section.get_by_text(each).first.wait_for()


def test_all_runbooks_are_listed_and_an_unknown_one_is_said(here: Visit) -> None:
    here.open("runbooks")
    books = json.loads((ROOT / "ui" / "runbooks.json").read_text())
    here.page.get_by_role("link", name=books[0]["name"]).first.wait_for()
    assert here.page.locator("ul.cards > li").count() == len(books)
    for address in ("runbooks/Nonsense", "runbooks/%zz"):
        here.open(address)
        here.heading("There is no such runbook")


def test_a_prometheus_that_is_away_is_a_sentence_and_no_error(watched: Watched, here: Visit) -> None:
    watched.prometheus.stop()
    until(lambda: watched.http.get("/status/alerts").json()["problem"], "the problem")
    here.open("status")
    here.heading("Prometheus does not say what fires.")
    here.page.get_by_text("Ready.", exact=False).first.wait_for()
