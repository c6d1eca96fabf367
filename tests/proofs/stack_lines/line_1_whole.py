"""Line 1: the whole stack on a real engine, in production's form, asked from outside and from within."""

import os
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import httpx2

from tests.proofs import harness
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack_lines import at_the_edge
from tests.proofs.stack_lines.ground import images, ready_engine
from tests.stack import probing, wrong
from tests.stack.docker import Docker
from tests.stack.project import SERVICES, Project, cannot_run, project, wait_for
from tests.stack.subject import look

PYTHON = "python:3.11.14-slim-bookworm"
RIGHT = "-> Crofton weed (Ageratina adenophora)"
READY_SECONDS = 240.0
BACK_SECONDS = 60.0
ALERT_SECONDS = 120.0
UPLOAD_SECONDS = 240.0
OVERLAYS = (
    "deploy/compose.prod.yaml",
    "deploy/compose.dev.yaml",
    "deploy/compose.gpu.yaml",
    "deploy/compose.logs.yaml",
)


def run(context: Context) -> list[Figure]:
    with ready_engine(context) as docker:
        tag = images(context, docker)
        with project(docker, context.root, context.folder, tag) as made:
            figures = [*_configured(context, made), *_run(context, made), *_gone(context, made)]
        # That the checks can find what they look for takes a minute of its own.
        return [*figures, *(wrong.figures(docker, context.say) if context.share >= harness.DEFAULT_SHARE else [])]


def _configured(context: Context, made: Project) -> list[Figure]:
    """What is seen without starting anything."""
    overlays = [each for each in OVERLAYS if (made.folder / each).exists()]
    for overlay in overlays:
        made.compose("-f", "compose.yaml", "-f", overlay, "--profile", "*", "config", "--quiet")
    absent = cannot_run(made)
    context.say(f"not to be had here, and only checked: {', '.join(absent)}")
    return [
        for_the_record("compose files that Compose takes", ", ".join(["compose.yaml", *overlays])),
        for_the_record("images that cannot be run here", ", ".join(absent) or "none"),
    ]


def _run(context: Context, made: Project) -> list[Figure]:
    context.say("make up")
    output = made.deploy("up", "--wait-seconds", str(int(READY_SECONDS)), *SERVICES)
    figures = [
        is_true(
            "`make up` ends with a right prediction through the edge",
            "-> Crofton weed (Ageratina adenophora)" in output,
        )
    ]
    with ExitStack() as stack:
        made.start_sink(PYTHON)
        stack.callback(made.end_sink)
        figures += at_the_edge.answers(context, made)
        request_id, row = _prediction(context, made)
        figures += row
        figures += _watched(made)
        figures += _probed(context, made)
        figures += _uploaded(context, made)
        figures += _back_again(context, made)
        figures += _alert(context, made)
    figures += _kept(context, made, request_id)
    return figures


def _prediction(context: Context, made: Project) -> tuple[str, list[Figure]]:
    name, photo = next(iter(samples(context.root).items()))
    correlation = uuid.uuid4().hex
    with made.client() as http:
        answer = http.post(
            "/predict", content=photo, headers={"Content-Type": "image/jpeg", "X-Request-ID": correlation}
        )
        body = answer.json()
        row = http.get(f"/history/{body['request_id']}").json()
    same = all(row[key] == body[key] for key in ("request_id", "correlation_id", "model", "version", "verdict"))
    return body["request_id"], [
        is_true(
            "a prediction through nginx over TLS",
            answer.status_code == 200,
            f"{answer.status_code}, {body['predictions'][0]['label']} for {name}",
        ),
        is_true("its row in the history", same and row["correlation_id"] == correlation),
    ]


def _watched(made: Project) -> list[Figure]:
    def counted() -> str | None:
        result = made.ask_prometheus("/api/v1/query?query=sum(weedwatch_predictions_total)")["result"]
        return str(result[0]["value"][1]) if result and float(result[0]["value"][1]) > 0 else None

    def targets() -> list[str] | None:
        found = made.ask_prometheus("/api/v1/targets")["activeTargets"]
        up = sorted(
            each["labels"]["job"] + " " + each["labels"]["instance"] for each in found if each["health"] == "up"
        )
        return up if len(up) == len(found) and len(up) >= 5 else None

    count, up = wait_for(ALERT_SECONDS, counted), wait_for(ALERT_SECONDS, targets)
    return [
        is_true("its metrics in Prometheus", count is not None, f"{count} predictions counted"),
        is_true("all that Prometheus asks answers", up is not None, ", ".join(up or ["not all"])),
    ]


def _probed(context: Context, made: Project) -> list[Figure]:
    """What it must not do and not let reach, asked by containers beside it."""
    context.say("asking from containers beside it")
    secrets = probing.secrets_in(made.folder / "deploy" / "secrets")
    subject = look(Docker(made.environment), made.folder, secrets=secrets)
    return [
        *probing.figures(subject, context.say),
        none_of("services that were not looked at", probing.missing(subject, SERVICES), len(SERVICES), context.say),
    ]


def _uploaded(context: Context, made: Project) -> list[Figure]:
    """A version comes in through the edge, is checked where there is no network, and answers."""
    source = context.root / "model_store" / "sources" / "plants" / "1"
    own = ("--model-version", "2", "--model-path", source / "model.pth", "--labels-path", source / "class_labels.json")
    build = [sys.executable, "-m", "handlers.archive", *map(str, own), "--output", str(context.folder)]
    subprocess.run(build, cwd=context.root, check=True, capture_output=True, timeout=600)
    with made.client() as http:
        archive = (context.folder / "plants-2.mar").read_bytes()
        taken = http.post("/models/plants/versions", files={"archive": archive}, timeout=300)
        state = wait_for(UPLOAD_SECONDS, partial(_through, http), every=1.0)
        revision = http.get("/models/plants").json()["rollout"]["revision"]
        asked = http.put("/models/plants/rollout", json={"stable": "2"}, headers={"If-Match": f'"{revision}"'})
        answers = wait_for(UPLOAD_SECONDS, lambda: _answered_by(context, http) == "2", every=1.0)
    return [
        is_true(
            "an upload passes the quarantine, which has no network", taken.is_success and state == "ready", str(state)
        ),
        is_true("and answers", bool(asked.is_success and answers), str(asked.status_code)),
    ]


def _through(http: httpx2.Client) -> str | None:
    versions = {each["version"]: each for each in http.get("/models/plants").json()["versions"]}
    state = str(versions.get("2", {}).get("state"))
    return state if state in ("ready", "refused") else None


def _answered_by(context: Context, http: httpx2.Client) -> str:
    photo = next(iter(samples(context.root).values()))
    answer = http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg", "Cache-Control": "no-cache"})
    return str(answer.json().get("version"))


def _back_again(context: Context, made: Project) -> list[Figure]:
    """Processes that are killed are started again, and serve."""
    faults, seconds = [], {}
    services = ("control-plane-1", "torchserve", "postgres", "redis", "edge")
    for service in services:
        before = made.container(service)["RestartCount"]
        os.kill(made.process(service), signal.SIGKILL)
        back = _timed(BACK_SECONDS * 2, partial(_is_back, made, service, before))
        if back is None:
            faults.append(f"{service} did not come back")
        else:
            seconds[service] = back
            context.say(f"{service} was killed and served again after {back:.1f} s")
    serving = wait_for(BACK_SECONDS, lambda: _answers(context, made))
    return [
        none_of("killed processes that did not come back", faults, len(services), context.say),
        at_most("the slowest of them, back and serving", max(seconds.values(), default=0), 2 * BACK_SECONDS, "s"),
        is_true("a prediction after all of it", bool(serving)),
    ]


def _is_back(made: Project, service: str, before: int) -> bool:
    found = made.container(service)
    health = found["State"].get("Health", {}).get("Status", "healthy")
    return bool(found["RestartCount"] > before and found["State"]["Running"] and health == "healthy")


def _timed(seconds: float, look: Callable[[], bool]) -> float | None:
    began = time.monotonic()
    return time.monotonic() - began if wait_for(seconds, look) else None


def _answers(context: Context, made: Project) -> bool:
    photo = next(iter(samples(context.root).values()))
    try:
        with made.client() as http:
            return http.post("/predict", content=photo, headers={"Content-Type": "image/jpeg"}).status_code == 200
    except Exception:
        return False


def _alert(context: Context, made: Project) -> list[Figure]:
    """A replica that hangs is an alert, which arrives, and ends."""
    made.docker.run("pause", made.container("control-plane-2")["Id"])
    try:
        fired = wait_for(ALERT_SECONDS, lambda: _told(made, "firing"))
    finally:
        made.docker.run("unpause", made.container("control-plane-2")["Id"])
    resolved = wait_for(ALERT_SECONDS, lambda: _told(made, "resolved"))
    context.say(f"told of: {sorted({each['labels']['alertname'] for each in made.told()})}")
    return [is_true("an alert in Alertmanager's sink, and its end", bool(fired and resolved), "ControlPlaneDown")]


def _told(made: Project, status: str) -> bool:
    return any(each["status"] == status and each["labels"]["alertname"] == "ControlPlaneDown" for each in made.told())


def _kept(context: Context, made: Project, request_id: str) -> list[Figure]:
    figures = [at_the_edge.unreachable(context, made)]
    made.compose("down", "--timeout", "60", seconds=300)
    volumes = [each for each in made.left() if each.endswith(("_postgres", "_state", "_models"))]
    context.say("make up, again, with a certificate of one's own")
    with at_the_edge.own_certificate(made) as own:
        made.deploy("up", "--wait-seconds", str(int(READY_SECONDS)), *SERVICES)
        vars(made).pop("trust", None)
        shown = ssl.get_server_certificate(("127.0.0.1", made.https_port), timeout=30)
        with made.client() as http:
            again = http.get(f"/history/{request_id}")
    return [
        *figures,
        is_true("a certificate of one's own, from a folder", ssl.PEM_cert_to_DER_cert(shown) == own),
        is_true("volumes after `down`", len(volumes) == 3, ", ".join(volumes)),
        is_true("the row, after `down` and `up`", again.status_code == 200),
    ]


def _gone(context: Context, made: Project) -> list[Figure]:
    made.compose("--profile", "*", "down", "--volumes", "--timeout", "60", seconds=300)
    return [none_of("left after `down -v`", made.left(), 1, context.say)]
