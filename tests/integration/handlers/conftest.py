import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.handlers import torchserve
from tests.integration.handlers.archives import build_tiny_archive
from tests.integration.handlers.torchserve import TorchServe


@pytest.fixture(scope="session")
def server() -> Iterator[TorchServe]:
    """TorchServe with no model; a secret stands in its environment."""
    folder = Path(tempfile.mkdtemp(prefix="ww-", dir="/tmp"))
    running = None
    try:
        running = torchserve.start(folder, DATABASE_URL="postgresql://nobody:secret@127.0.0.1/none")
        yield running
    finally:
        if running:
            running.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def tiny_archive(server: TorchServe) -> Path:
    """Model `tiny`, version 1: three classes, 64 pixels, random weights; in the server's store."""
    return build_tiny_archive("tiny", server.store)


@pytest.fixture(scope="session")
def tiny(server: TorchServe, tiny_archive: Path) -> str:
    """The registered model's name."""
    server.register(tiny_archive)
    return "tiny"
