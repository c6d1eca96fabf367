"""`make alerts`: who is told of alerts of the stack, and where the links of alerts and dashboards lead.

What is committed tells nobody and leads to `make run`. A copy of it with this stack's channels and addresses goes to
`deploy/watching`. The rules for channels stand in `observability/`, which needs a newer Python than a host may have:
the control plane's image has one.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from deploy import secret_files
from deploy.composing import ROOT, compose, has_image, read_env, running, said, setting, write_env
from deploy.errors import CannotDeploy

SUMMARY = "tell Alertmanager of the channels in .env, and lead the links of alerts and dashboards to this stack"
OBSERVABILITY = "WEEDWATCH_OBSERVABILITY"
COMMITTED, OURS = "./observability/generated", "./deploy/watching"
SERVICE, GRAFANA = "http://127.0.0.1:8000", "http://127.0.0.1:3002"
"""Where the links of what is committed lead."""
FILES = (
    "DISCORD_WEBHOOK_URL_FILE",
    "SLACK_WEBHOOK_URL_FILE",
    "PAGERDUTY_ROUTING_KEY_FILE",
    "SENDER_PASSWORD_FILE",
    "ALERT_WEBHOOK_URL_FILE",
    "HEARTBEAT_URL_FILE",
)
PLAIN = ("SMTP_SERVER", "SMTP_PORT", "SENDER_EMAIL", "RECIPIENT_EMAIL", "SMTP_TLS")
READERS = ("prometheus", "alertmanager", "loki", "alloy", "grafana")
"""Services that read the folder; each has a folder of its name in it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    del parser


def run(_options: argparse.Namespace) -> int:
    used = setting(OBSERVABILITY, COMMITTED)
    if used not in (COMMITTED, OURS):
        raise CannotDeploy(
            f"{OBSERVABILITY} names {used}, which somebody wrote by `python -m observability write`. That takes "
            "channels and addresses too: docs/alerts.md, Channels."
        )
    told = write()
    write_env({OBSERVABILITY: OURS})
    _start_again()
    print(f"Alerts go to: {', '.join(told) or 'nobody; docs/alerts.md lists the channels'}.")
    print(f"Their links lead to {service()} and {grafana()}.")
    return 0


def renew() -> None:
    """Write the files again where they are in use, as after an update.

    Whoever reads them starts again when they differ.
    """
    if setting(OBSERVABILITY, COMMITTED) == OURS:
        before = _texts()
        write()
        if before != _texts():
            _start_again()


def write() -> list[str]:
    """Write the folder; gives the names of the variables that name a channel.

    Raises:
        CannotDeploy: A channel is set in a way that would not work.
    """
    secret_files.make(ROOT / "deploy" / "secrets")
    channels = _given()
    alertmanager = _alertmanager(channels)
    committed = ROOT / COMMITTED
    for path in (each for name in READERS for each in (committed / name).rglob("*") if each.is_file()):
        text = path.read_text("utf-8").replace(SERVICE, service()).replace(GRAFANA, grafana())
        _put(path.relative_to(committed), text)
    _put(Path("alertmanager/alertmanager.yml"), alertmanager)
    return [name for name in channels if name in (*FILES, "SMTP_SERVER") and name != "SENDER_PASSWORD_FILE"]


def _put(path: Path, text: str) -> None:
    target = ROOT / OURS / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    target.chmod(0o644)  # containers read it as users of their own
    for folder in target.relative_to(ROOT / OURS).parents:
        (ROOT / OURS / folder).chmod(0o755)


def _texts() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (ROOT / OURS).rglob("*") if path.is_file()}


def service() -> str:
    port = setting("WEEDWATCH_HTTPS_PORT", "443")
    return f"https://{setting('WEEDWATCH_NAME', 'localhost')}{'' if port == '443' else ':' + port}"


def grafana() -> str:
    here = f"http://127.0.0.1:{setting('WEEDWATCH_GRAFANA_PORT', '3002')}"
    return setting("WEEDWATCH_GRAFANA_URL", here).rstrip("/")


def _given() -> dict[str, str]:
    """The variables of channels as Alertmanager's container sees them; files are copied to where it looks."""
    given = {**read_env(), **os.environ}
    found = {name: given[name] for name in PLAIN if given.get(name)}
    for name in FILES:
        plain = name[: -len("_FILE")]
        if given.get(name):
            found[name] = f"/run/secrets/{_copied(name, given[name]).name}"
        elif given.get(plain):
            found[plain] = "set"  # a secret that does not stand in a file: that is refused, with a sentence
    return found


def _copied(name: str, source: str) -> Path:
    target = _secrets() / name[: -len("_FILE")].lower()
    try:
        secret_files.write(target, (ROOT / Path(source).expanduser()).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        raise CannotDeploy(f"{name}: {source} cannot be read ({problem}).") from problem
    return target


def _secrets() -> Path:
    return ROOT / setting("WEEDWATCH_ALERT_SECRETS", "./deploy/secrets/alerting")


def _alertmanager(channels: dict[str, str]) -> str:
    """Alertmanager's configuration, by the image of the control plane with what this folder has of `observability`."""
    image = f"weedwatch/control-plane:{setting('WEEDWATCH_TAG', 'latest')}"
    if not has_image(image):
        raise CannotDeploy(f"{image} is not here. `make up` or `make fetch` gets it; then again.")
    sees = ("--volume", f"{ROOT / 'observability'}:/app/observability:ro", "--volume", f"{_secrets()}:/run/secrets:ro")
    words = [word for name, value in channels.items() for word in ("--env", f"{name}={value}")]
    entry = ("--entrypoint", "python", image, "-m", "observability.told")
    return said("run", "--rm", "--pull", "never", "--network", "none", "--read-only", *sees, *words, *entry)


def _start_again() -> None:
    names = [name for name in READERS if name in running()]
    if names:
        compose("up", "--detach", "--wait", "--no-deps", "--force-recreate", *names)
