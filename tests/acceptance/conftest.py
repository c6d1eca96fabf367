"""The whole service, started once as a user would, for all tests of this tier."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser

from control_plane.telemetry.logs import GATHER_SECONDS
from tests.browser.chromium import chromium
from tests.closed import bearer
from tests.proofs.stack import Stack, read_admin_token, running

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "model_store" / "sources" / "plants" / "1" / "samples"


@dataclass(frozen=True)
class Service:
    stack: Stack
    http: httpx2.Client

    @property
    def admin(self) -> dict[str, str]:
        return bearer(read_admin_token(self.stack.state))

    def log(self, pattern: str) -> str:
        time.sleep(2 * GATHER_SECONDS)  # until what has happened is written
        return "".join(file.read_text() for file in sorted((self.stack.state / "logs").rglob(pattern)))


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    origins = {"WEEDWATCH_CORS_ORIGINS": "https://field.example"}
    try:
        with (
            running(Stack(ROOT, folder, environment=origins)) as stack,
            httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60) as http,
        ):
            yield Service(stack, http)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def photo() -> bytes:
    return (SAMPLES / "knotweed.jpg").read_bytes()
