"""`make up`: secrets, images, the stack, and a prediction through the edge that shows it works."""

from __future__ import annotations

import argparse
import functools
import http.client
import json
import ssl
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from deploy import alerts, building, secret_files
from deploy.composing import ROOT, compose, has_image, said, setting
from deploy.errors import CannotDeploy

SUMMARY = "start the stack, and ask it about a photo"
READY_SECONDS = 300
ANSWER_SECONDS = 60
SCOPES = ("predict", "read", "locations", "feedback", "jobs", "train", "admin")
KEY = "first key"
TLS_PORT = "8443"
"""The edge's, in its container."""
WATCHING = frozenset({"prometheus", "alertmanager", "loki", "alloy", "docker-proxy", "grafana"})
STATE = "{{.Service}} {{.State}} {{.Health}} {{.ExitCode}}"
WELL = ("running healthy 0", "running  0", "exited  0")


class Answer(NamedTuple):
    """Of the edge: the status, and the document."""

    status: int
    body: Any


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="only these, and what they need")
    parser.add_argument("--wait-seconds", type=int, default=READY_SECONDS, help="until all must be healthy")


def run(options: argparse.Namespace) -> int:
    secret_files.make()
    build_missing()
    alerts.renew()
    start(options.services, options.wait_seconds)
    token = (secret_files.FOLDER / "admin_token").read_text("utf-8").strip()
    wait_until_ready()
    key = first_key(token)
    # Another replica may not know a new key yet.
    say(predict(token), key)
    return 0


def start(services: Sequence[str], seconds: int) -> None:
    """Have Compose start it and wait until all of it is healthy. What only watches may be unwell: that is said."""
    try:
        compose("up", "--detach", "--wait", "--wait-timeout", str(seconds), *services)
    except CannotDeploy:
        states = [line.split(" ", 1) for line in said("compose", "ps", "--all", "--format", STATE).splitlines()]
        unwell = {service for service, state in states if state not in WELL}
        if not unwell or unwell - WATCHING:
            raise
        names = sorted(unwell)
        print(f"Not healthy: {', '.join(names)}. The service goes on without; see `docker compose logs {names[0]}`.")


def build_missing() -> None:
    """Build those of our images that Compose wants and that are not there."""
    wanted = said("compose", "config", "--images").split()
    tag = setting("WEEDWATCH_TAG", "latest")
    missing = [
        image.name
        for image in building.IMAGES
        if image.reference(tag) in wanted and not has_image(image.reference(tag))
    ]
    if missing:
        building.run(argparse.Namespace(names=missing, tag=tag, torch=setting("TORCH", "") or None, sizes=False))


@functools.cache
def published() -> tuple[str, int]:
    """Where the edge listens on this machine: overlays may publish it elsewhere than `.env` says.

    Raises:
        CannotDeploy: It does not run, or is not published.
    """
    place = said("compose", "port", "edge", TLS_PORT).strip().partition("\n")[0]
    host, _, port = place.rpartition(":")
    if not port.isdigit() or port == "0":
        raise CannotDeploy(
            "The edge is not published on this machine, so it cannot be asked. Give it a port in `ports:`."
        )
    everywhere = ("0.0.0.0", "[::]")  # noqa: S104 - what is listened on; this machine is asked by its own address
    return ("127.0.0.1" if host in everywhere else host.strip("[]")), int(port)


def ask(method: str, path: str, *, token: str = "", body: bytes = b"", content_type: str = "") -> Answer | None:
    """One request to the edge on this machine; None: it does not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # It is this machine's own edge, and its certificate may be one for trying out.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(*published(), timeout=ANSWER_SECONDS, context=context)
    headers = {"Host": setting("WEEDWATCH_NAME", "localhost")}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if content_type:
        headers["Content-Type"] = content_type
    try:
        connection.request(method, path, body=body or None, headers=headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    try:
        return Answer(answer.status, json.loads(text))
    except ValueError:
        return Answer(answer.status, {})


def wait_until_ready(seconds: float = READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    why = "the edge does not answer"
    while time.monotonic() < deadline:
        answer = ask("GET", "/health/ready")
        if answer is not None and answer.status == 200:
            return
        reasons = answer.body.get("reasons") if answer is not None else None
        why = str(reasons[0]) if reasons else why
        time.sleep(0.5)
    raise CannotDeploy(f"It is not ready after {seconds:.0f} s: {why}\n  Logs: docker compose logs control-plane-1")


def first_key(token: str) -> str:
    """Make the first API key; empty when there is one already, or keys are not used."""
    known = ask("GET", "/keys", token=token)
    if known is None or known.status != 200 or known.body.get("items"):
        return ""
    body = json.dumps({"name": KEY, "scopes": SCOPES}).encode()
    made = ask("POST", "/keys", token=token, body=body, content_type="application/json")
    return str(made.body["key"]) if made is not None and made.status == 201 else ""


def predict(credential: str) -> dict[str, Any]:
    """Ask about a sample picture of the model.

    Raises:
        CannotDeploy: There is no good answer.
    """
    model = setting("WEEDWATCH_MODEL", "plants")
    pictures = sorted((ROOT / "model_store" / "sources" / model).glob("*/samples/*.jpg"))
    if not pictures:
        return {}
    answer = ask("POST", "/predict", token=credential, body=pictures[0].read_bytes(), content_type="image/jpeg")
    if answer is None or answer.status != 200:
        said_of_it = answer.body.get("detail", answer.status) if answer else "no answer"
        raise CannotDeploy(f"The first prediction failed: {said_of_it}\n  Logs: docker compose logs control-plane-1")
    return {"picture": pictures[0].name, **answer.body}


def say(found: dict[str, Any], key: str) -> None:
    _, port = published()
    address = f"https://{setting('WEEDWATCH_NAME', 'localhost')}{'' if port == 443 else f':{port}'}"
    if found:
        label, common = found["label"], found.get("common_name")
        name = f"{common} ({label})" if common else label
        print(f"\n{found['picture']} -> {name}, {100 * found['confidence']:.0f} %, through {address}")
    print(f"\n  Open      {address}  (the browser warns of the certificate until you mount your own)")
    if key:
        print(f"  API key   {key}   (shown once; it may do everything)")
    print(f"  Grafana   http://127.0.0.1:{setting('WEEDWATCH_GRAFANA_PORT', '3002')}  user operator, password in")
    print("            deploy/secrets/grafana_admin_password")
    print("  Secrets   deploy/secrets, the admin token too")
    print("  Logs      docker compose logs -f control-plane-1")
    print("  Stop      make down  (data stays)")
