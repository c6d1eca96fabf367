"""docs/ports.md leaves out no service, no variable and no published port of the Compose files."""

import http.server
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from control_plane.settings import variable_names
from deploy import building
from tests.structure import composed, generated


def test_each_service_has_its_sentence_and_its_place_in_the_drawing() -> None:
    names = set(composed.services())
    assert set(composed.WHAT) == names
    drawn = set(re.findall(r"[a-z][a-z0-9-]+", composed.DIAGRAM))
    assert names - drawn == set()


def test_each_variable_has_its_sentence() -> None:
    assert set(composed.VARIABLES) == set(composed.variables())


def test_no_compose_file_is_left_out() -> None:
    overlays = {f"deploy/{file.name}" for file in (composed.ROOT / "deploy").glob("compose.*.yaml")}
    assert set(composed.FILES) == {composed.BASE, *overlays}


def test_what_has_the_name_of_a_setting_is_that_setting() -> None:
    """`make run` and the stack read the same `.env`."""
    passed = [one.get("environment", {}) for one in composed.services().values()]
    shared = {*variable_names(), *generated.OTHERS} & set(composed.variables())
    assert "WEEDWATCH_MODEL" in shared
    for name in shared:
        assert any(str(each.get(name, "")).startswith(f"${{{name}:-") for each in passed), name


@pytest.mark.parametrize("name", [composed.DEVELOPMENT, composed.PRODUCTION])
def test_an_overlay_names_only_services_that_there_are(name: str) -> None:
    assert set(composed.services(name)) <= set(composed.services())


def test_only_the_edge_is_published_to_others_and_nothing_more_in_production() -> None:
    for name in (composed.BASE, composed.DEVELOPMENT, composed.PRODUCTION):
        outside = {service for service, host, _ in composed.published(name) if not host.startswith("127.0.0.1:")}
        assert outside <= {"edge"}
    assert composed.published(composed.PRODUCTION) == []


def test_torchserve_and_what_is_kept_are_on_networks_that_lead_nowhere() -> None:
    networks = composed.said(composed.BASE)["networks"]
    for service in ("torchserve", "postgres", "redis", "prometheus", "loki"):
        (network,) = composed.networks_of(composed.services()[service])
        assert networks[network]["internal"] is True, service
    assert composed.networks_of(composed.services()["quarantine"]) == []


@pytest.mark.parametrize("name", ["job-worker", "mlflow"])
def test_what_is_to_come_has_a_place_that_fits_the_rest(name: str) -> None:
    text = (composed.ROOT / composed.BASE).read_text()
    place = re.search(rf"^  # {name}: here, as \*([\w-]+) (.*?)(?=\n\n|\n  # [\w-]+:)", text, re.DOTALL | re.MULTILINE)
    assert place is not None
    anchor, networks = place[1], re.findall("`([a-z]+)`", place[2].partition("on the networks")[2].split(";")[0])
    assert f"&{anchor}\n" in text
    known = composed.said(composed.BASE)["networks"]
    assert networks
    assert set(networks) <= set(known)
    assert name not in composed.services(), "It is there now: take its place away."


def test_our_images_are_pulled_under_no_bare_name() -> None:
    ours = {name: one for name, one in composed.services().items() if one["image"].startswith("weedwatch/")}
    assert len(ours) >= 5
    assert {name: one.get("pull_policy") for name, one in ours.items()} == dict.fromkeys(ours, "never")


def test_each_service_that_stays_has_a_health_check() -> None:
    """Its own, or its image's; but backups, whose work an alert looks at."""
    dockerfiles = {f"weedwatch/{image.name}": image.dockerfile for image in building.IMAGES}
    without = set()
    for name, one in composed.services().items():
        if one["restart"] == "no":
            continue
        dockerfile = dockerfiles.get(one["image"].split(":")[0])
        of_image = dockerfile and "HEALTHCHECK" in (composed.ROOT / building.DOCKERFILES / dockerfile).read_text()
        own = one.get("healthcheck", {})
        if own.get("disable") or not (own.get("test") or of_image):
            without.add(name)
    assert without == {"backup"}


def test_alloy_s_health_check_tells_ready_from_not_ready() -> None:
    """As bash runs it in the container, at another port."""
    *_, command = composed.services()["alloy"]["healthcheck"]["test"]
    for status in (200, 503):
        with server(status) as port:
            done = subprocess.run(["bash", "-c", command.replace("12345", str(port))], check=False, timeout=30)
        assert (done.returncode == 0) == (status == 200)
    assert subprocess.run(["bash", "-c", command.replace("12345", "9")], check=False, timeout=30).returncode != 0


@contextmanager
def server(status: int) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test's output is not for it."""

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
