"""`python3 -m deploy verify` looks at the real service: a closed one holds, an open one shows what is not closed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.version import VERSION
from tests.acceptance.conftest import Service
from tests.closed import Closed, with_keys

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def closed(service: Service) -> Iterator[Closed]:
    with with_keys(service.stack) as place:
        yield place


def verify(port: int, *words: str, key: str = "") -> subprocess.CompletedProcess[str]:
    # -S: without anything that is installed, as on a host.
    return subprocess.run(
        [sys.executable, "-S", "-m", "deploy", "verify", f"http://localhost:{port}", *words],
        cwd=ROOT, env={**os.environ, "WEEDWATCH_API_KEY": key}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_a_closed_service_holds_for_a_key_that_may_only_predict(closed: Closed) -> None:
    done = verify(closed.port, "--version", f"v{VERSION}", key=closed.key("predict", name="verification"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok    a prediction: " in done.stdout
    assert "ok    /metrics is closed: answered 401" in done.stdout


def test_without_a_key_it_says_what_is_missing(closed: Closed) -> None:
    done = verify(closed.port)
    assert done.returncode == 1
    assert "FAIL  a prediction: it wants a credential" in done.stdout


def test_an_open_service_and_another_version_fall_short(service: Service) -> None:
    done = verify(service.stack.port, "--version", "99.0.0")
    assert done.returncode == 1
    assert f"FAIL  health: version {VERSION} runs instead of 99.0.0" in done.stdout
    assert "FAIL  /metrics is closed: answered 200" in done.stdout
    assert "ok    /keys is closed: answered 401" in done.stdout
