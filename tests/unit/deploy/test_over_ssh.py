"""Deploying over SSH: what the key may do on the host, and that a failure goes back. `ssh`, `make` are stand-ins."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GATE = ROOT / "scripts" / "deploy-gate.sh"
OVER_SSH = ROOT / "scripts" / "deploy-over-ssh.sh"


def executable(file: Path, text: str) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@dataclass
class Host:
    """A clone with two releases, and a `make` that writes down what it was asked for and fails when told so."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    def git(self, *words: str, at: Path | None = None) -> str:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        names = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        done = subprocess.run(
            ["git", *names, *words], cwd=at or self.clone, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def asks(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As sshd runs the gate for a key that is bound to it."""
        return subprocess.run(
            [str(self.clone / "scripts" / "deploy-gate.sh")],
            env={"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "SSH_ORIGINAL_COMMAND": command, **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @property
    def made(self) -> list[str]:
        log = self.folder / "made.txt"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def at(self) -> str:
        return self.git("describe", "--tags", "--always")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    one = Host(tmp_path)
    origin = tmp_path / "origin"
    (origin / "scripts").mkdir(parents=True)
    executable(origin / "scripts" / "deploy-gate.sh", GATE.read_text())
    one.git("init", "-q", "-b", "main", at=origin)
    for tag in ("v0.1.0", "v0.2.0", "v0.3.0"):
        (origin / "version").write_text(tag)
        one.git("add", "-A", at=origin)
        one.git("commit", "-q", "-m", tag, at=origin)
        one.git("tag", tag, at=origin)
        if tag == "v0.1.0":
            one.git("clone", "-q", str(origin), str(one.clone), at=tmp_path)
    executable(
        tmp_path / "bin" / "make",
        f'#!/bin/sh\necho "$* at $(cat version)" >>{tmp_path}/made.txt\nexit ${{MAKE_ENDS-0}}\n',
    )
    return one


def test_a_release_is_checked_out_and_deployed(host: Host) -> None:
    done = host.asks("deploy v0.2.0")
    assert done.returncode == 0, done.stderr
    assert host.made == ["fetch TAG=0.2.0 at v0.2.0", "deploy TAG=0.2.0 at v0.2.0"]
    assert host.at == "v0.2.0"


def test_one_that_does_not_start_leaves_what_ran_before(host: Host) -> None:
    host.asks("deploy v0.2.0")
    done = host.asks("deploy v0.3.0", MAKE_ENDS="1")
    assert done.returncode == 1
    assert "what ran before goes on" in done.stderr
    assert host.at == "v0.2.0"
    assert host.asks("rollback v0.3.0").stdout == "v0.3.0 does not run here, so there is nothing to go back from.\n"
    assert [each.split(" at ")[0] for each in host.made] == ["fetch TAG=0.2.0", "deploy TAG=0.2.0", "fetch TAG=0.3.0"]


def test_one_that_does_not_start_leaves_what_the_one_before_goes_back_to(host: Host) -> None:
    host.asks("deploy v0.2.0")
    host.asks("deploy v0.3.0", MAKE_ENDS="1")
    assert host.asks("rollback v0.2.0").returncode == 0
    assert (host.made[-1], host.at) == ("rollback at v0.1.0", "v0.1.0")


def test_the_first_one_that_does_not_start_leaves_nothing_to_go_back_to(host: Host) -> None:
    host.asks("deploy v0.2.0", MAKE_ENDS="1")
    assert host.asks("rollback v0.2.0").stdout == "v0.2.0 does not run here, so there is nothing to go back from.\n"
    assert host.at == "v0.1.0"


def test_going_back_uses_the_files_of_the_version_before(host: Host) -> None:
    host.asks("deploy v0.2.0")
    host.asks("deploy v0.3.0")
    done = host.asks("rollback v0.3.0")
    assert done.returncode == 0, done.stderr
    assert host.made[-1] == "rollback at v0.2.0"
    assert host.at == "v0.2.0"
    assert host.asks("rollback v0.3.0").returncode == 0  # again does nothing more
    assert len(host.made) == 5


def test_the_same_release_once_more_goes_back_to_the_version_before(host: Host) -> None:
    host.asks("deploy v0.2.0")
    host.asks("deploy v0.3.0")
    host.asks("deploy v0.3.0")
    assert host.asks("rollback v0.3.0").returncode == 0
    assert host.at == "v0.2.0"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "sh",
        "deploy",
        "deploy main",
        "deploy v0.2",
        "deploy v0.2.0 now",
        "deploy v0.2.0; reboot",
        "deploy $(reboot)",
        "rollback",
        "status all",
        "deploy -v0.2.0",
    ],
)
def test_the_gate_does_nothing_else(host: Host, command: str) -> None:
    done = host.asks(command)
    assert done.returncode == 64
    assert done.stderr.startswith("Only 'deploy vX.Y.Z'")
    assert host.made == []


def test_a_tag_that_is_not_there_changes_nothing(host: Host) -> None:
    assert host.asks("deploy v9.9.9").returncode != 0
    assert host.made == []
    assert host.at == "v0.1.0"


@dataclass
class Caller:
    """Runs the script that calls; its `ssh` writes down what it was asked for, its verification is told its end."""

    folder: Path

    def deploys(self, tag: str, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            "DEPLOY_TARGET": "deploy@weeds.example",
            "DEPLOY_KEY": "-----BEGIN PRIVATE-----",
            "DEPLOY_KNOWN_HOSTS": "weeds.example ssh-ed25519 AAAA",
            "SERVICE_URL": "https://weeds.example",
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(self.folder / "temporary"),
            **environment,
        }
        return subprocess.run(
            [str(OVER_SSH), tag], env=settings, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip

    @property
    def asked(self) -> list[str]:
        log = self.folder / "asked.txt"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    (tmp_path / "temporary").mkdir()
    executable(
        tmp_path / "bin" / "ssh",
        f"""#!/bin/bash
echo "ssh ${{*: -2}}" >>{tmp_path}/asked.txt
printf '%s\\n' "$@" >>{tmp_path}/words.txt
stat -c %a "$2" >>{tmp_path}/modes.txt
case ${{*: -1}} in deploy*) exit ${{DEPLOY_ENDS-0}} ;; rollback*) exit ${{ROLLBACK_ENDS-0}} ;; esac
""",
    )
    executable(
        tmp_path / "bin" / "python3",
        f"""#!/bin/bash
echo "${{*:3}}" >>{tmp_path}/asked.txt
case "$*" in *--version*) exit ${{VERIFY_ENDS-0}} ;; *) exit ${{AFTER_ENDS-0}} ;; esac
""",
    )
    return Caller(tmp_path)


FIRST = ["ssh deploy@weeds.example deploy v0.2.0", "verify https://weeds.example --wait 180 --version v0.2.0"]
BACK = ["ssh deploy@weeds.example rollback v0.2.0", "verify https://weeds.example --wait 180"]


def test_a_deployment_that_holds_ends_well(caller: Caller) -> None:
    done = caller.deploys("v0.2.0")
    assert done.returncode == 0, done.stderr
    assert caller.asked == FIRST
    assert "StrictHostKeyChecking=yes" in (caller.folder / "words.txt").read_text()
    assert (caller.folder / "modes.txt").read_text() == "600\n"


def test_one_that_does_not_verify_goes_back(caller: Caller) -> None:
    done = caller.deploys("v0.2.0", VERIFY_ENDS="1")
    assert done.returncode == 1
    assert caller.asked == FIRST + BACK


def test_one_that_does_not_start_is_looked_at_too(caller: Caller) -> None:
    done = caller.deploys("v0.2.0", DEPLOY_ENDS="1")
    assert done.returncode == 1
    assert caller.asked == FIRST[:1] + BACK


@pytest.mark.parametrize("failing", ["ROLLBACK_ENDS", "AFTER_ENDS"])
def test_going_back_that_fails_is_told_apart(caller: Caller, failing: str) -> None:
    done = caller.deploys("v0.2.0", VERIFY_ENDS="1", **{failing: "1"})
    assert done.returncode == 3
    assert "look at the host now" in done.stderr


@pytest.mark.parametrize("tag", ["main", "v1", "v1.2.3;x", ""])
def test_what_is_no_release_asks_nobody(caller: Caller, tag: str) -> None:
    assert caller.deploys(tag).returncode == 2
    assert caller.asked == []


@pytest.mark.parametrize("name", ["DEPLOY_TARGET", "DEPLOY_KNOWN_HOSTS", "DEPLOY_KEY", "SERVICE_URL"])
def test_what_is_missing_is_named(caller: Caller, name: str) -> None:
    done = caller.deploys("v0.2.0", **{name: ""})
    assert done.returncode == 2
    assert f"{name} is not set" in done.stderr
    assert caller.asked == []


def test_the_key_is_neither_shown_nor_left(caller: Caller) -> None:
    done = caller.deploys("v0.2.0", VERIFY_ENDS="1")
    assert "BEGIN PRIVATE" not in done.stdout + done.stderr
    assert list((caller.folder / "temporary").iterdir()) == []
    assert "BEGIN PRIVATE" not in (caller.folder / "words.txt").read_text()


def test_the_real_verification_is_what_the_script_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy", "verify", "--help"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"--version" in done.stdout
