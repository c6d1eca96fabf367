"""`make alerts` gives the stack's Alertmanager the channels of `.env`, and leads links to where the stack is.

`docker` is a stand-in that writes down what it is asked for, and runs what is to run in the image with this Python.
"""

import json
import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import alerts
from observability import channels, generate
from observability.alertmanager import configuration
from observability.channels import Channels, Mail
from observability.places import Places

ROOT = Path(__file__).parents[3]
HOOK = "https://discord.example/api/webhooks/1/open-sesame"
# The image has no package beyond Python's own that this may need (-S); its folders are those that are mounted.
DOCKER = f"""#!{sys.executable} -S
import os, subprocess, sys
words = sys.argv[1:]
with open("asked.txt", "a") as asked:
    print(*words, file=asked)
if words[:2] == ["compose", "ps"]:
    print(*('{{"Service": "%s"}}' % name for name in os.environ.get("RUNNING", "").split()), sep="\\n")
if words[0] == "run":
    given = lambda option: [words[at + 1] for at, word in enumerate(words) if word == option]
    mounted = {{inside: outside for outside, inside, _ in (each.split(":") for each in given("--volume"))}}
    inside, outside = "/run/secrets", mounted["/run/secrets"]
    environment = dict(each.replace(inside, outside).split("=", 1) for each in given("--env"))
    done = subprocess.run(
        [sys.executable, "-S", *words[words.index("-m"):]],
        cwd=os.path.dirname(mounted["/app/observability"]), env=environment, capture_output=True, text=True,
    )
    print(done.stdout.replace(outside, inside), end="")
    print(done.stderr.replace(outside, inside), end="", file=sys.stderr)
    sys.exit(done.returncode)
"""


@dataclass
class Host:
    """`folder`: a checkout with what `make alerts` needs."""

    folder: Path

    def alerts(self, *lines: str, running: str = "") -> "subprocess.CompletedProcess[str]":
        (self.folder / ".env").write_text("".join(f"{line}\n" for line in lines))
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "RUNNING": running}
        command = [sys.executable, "-m", "deploy", "alerts"]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def written(self, path: str) -> Any:
        return yaml.safe_load((self.folder / "deploy" / "watching" / path).read_text())

    @property
    def asked(self) -> str:
        return (self.folder / "asked.txt").read_text()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    for name in ("deploy", "observability"):
        unwanted = shutil.ignore_patterns("__pycache__", "secrets", "watching", "settings.env")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=unwanted)
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    (tmp_path / "discord").write_text(f"{HOOK}\n")
    (tmp_path / "password").write_text("open sesame\n")
    return Host(tmp_path)


def test_a_channel_in_the_file_is_told_by_the_stacks_alertmanager(host: Host) -> None:
    done = host.alerts("DISCORD_WEBHOOK_URL_FILE=discord")
    assert done.returncode == 0, done.stderr
    assert "Alerts go to: DISCORD_WEBHOOK_URL_FILE." in done.stdout
    wanted = configuration(Channels(discord_file="/run/secrets/discord_webhook_url"))
    assert host.written("alertmanager/alertmanager.yml") == wanted
    copied = host.folder / "deploy" / "secrets" / "alerting" / "discord_webhook_url"
    assert copied.read_text().strip() == HOOK
    assert stat.S_IMODE(copied.stat().st_mode) == 0o444
    assert stat.S_IMODE(copied.parents[1].stat().st_mode) == 0o700
    assert "open-sesame" not in host.asked
    assert "WEEDWATCH_OBSERVABILITY=./deploy/watching\n" in (host.folder / ".env").read_text()


def test_mail_has_its_password_from_a_file(host: Host) -> None:
    mail = ("SMTP_SERVER=mail.example", "SENDER_EMAIL=weeds@mail.example", "RECIPIENT_EMAIL=ada@mail.example")
    done = host.alerts(*mail, "SENDER_PASSWORD_FILE=password")
    assert done.returncode == 0, done.stderr
    assert "Alerts go to: SMTP_SERVER." in done.stdout
    password = "/run/secrets/sender_password"
    wanted = Mail("mail.example", "weeds@mail.example", "ada@mail.example", password_file=password)
    assert host.written("alertmanager/alertmanager.yml") == configuration(Channels(mail=wanted))


def test_links_lead_to_where_the_stack_is(host: Host) -> None:
    lines = ("WEEDWATCH_NAME=weeds.example", "WEEDWATCH_HTTPS_PORT=8443", "WEEDWATCH_GRAFANA_URL=https://see.example/")
    assert host.alerts(*lines).returncode == 0
    wanted = generate.files(generate.Setup(Places("https://weeds.example:8443", "https://see.example")))
    others = ("prometheus/prometheus.yml", "kubernetes/", "kustomization.yaml")  # `make observe`, and clusters
    files = [path for path in wanted if path.endswith((".json", ".yml", ".yaml")) and not path.startswith(others)]
    assert len(files) > 10
    for path in files:
        assert host.written(path) == yaml.safe_load(wanted[path]), path
    rules = json.dumps(host.written("prometheus/weedwatch.rules.yml"))
    assert "https://weeds.example:8443/#/runbooks/DatabaseDown" in rules


def test_whoever_reads_the_files_and_runs_is_started_again(host: Host) -> None:
    assert host.alerts(running="postgres prometheus alertmanager").returncode == 0
    words = "compose up --detach --wait --no-deps --force-recreate prometheus alertmanager"
    assert host.asked.splitlines()[-1] == words


def test_that_nobody_is_told_is_said(host: Host) -> None:
    assert "Alerts go to: nobody; docs/alerts.md" in host.alerts().stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SLACK_WEBHOOK_URL_FILE=nowhere", "SLACK_WEBHOOK_URL_FILE: nowhere cannot be read"),
        ("SLACK_WEBHOOK_URL_FILE=password", "SLACK_WEBHOOK_URL_FILE: the file /run/secrets/slack_webhook_url holds no"),
        ("SLACK_WEBHOOK_URL=https://slack.example", "SLACK_WEBHOOK_URL holds a secret. Put it into a file"),
        ("SMTP_SERVER=mail.example", "Mail needs SENDER_EMAIL and RECIPIENT_EMAIL too."),
        ("WEEDWATCH_OBSERVABILITY=./mine", "WEEDWATCH_OBSERVABILITY names ./mine, which somebody wrote"),
    ],
)
def test_what_would_not_work_is_said_and_nothing_is_changed(host: Host, line: str, said: str) -> None:
    done = host.alerts(line)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "./deploy/watching" not in (host.folder / ".env").read_text()
    assert not (host.folder / "deploy" / "watching").exists()


def test_every_channel_is_known() -> None:
    assert {*alerts.FILES, *alerts.PLAIN} == set(channels.VARIABLES)


def test_the_stack_mounts_what_is_written() -> None:
    base = (ROOT / "compose.yaml").read_text()
    for name in alerts.READERS:
        assert f"${{{alerts.OBSERVABILITY}:-{alerts.COMMITTED}}}/{name}" in base
