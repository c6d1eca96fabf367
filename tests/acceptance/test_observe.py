"""`make observe`: Prometheus and Alertmanager start with the service, what is printed works, all of it ends."""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from standalone.ports import is_free
from tests.acceptance.conftest import ROOT
from tests.proofs.processes import belonging_to
from tests.proofs.stack import READY_SECONDS, Stack, run_description
from tests.waiting import wait_until

SECONDS = 60.0


@pytest.fixture
def observed() -> Iterator[Stack]:
    """Started as `make observe` does, in a service that asks for keys."""
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    command = (sys.executable, "-m", "standalone", "run", "--observe")
    stack = Stack(ROOT, folder, command=command, environment={"WEEDWATCH_AUTH": "keys"})
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        shutil.rmtree(folder)


def test_what_is_printed_leads_somewhere_and_all_of_it_ends(observed: Stack) -> None:
    printed = wait_until(lambda: "  Stop  " in observed.output(), READY_SECONDS, 0.2)
    assert printed is not None, observed.output()
    assert "[6/6] monitoring" in observed.output()
    # The last one is the example with a key; the pages' own addresses have a place of the page behind a #.
    links = [link for link in re.findall(r"http://\S+", observed.output()) if "/predict" not in link]
    assert {httpx2.get(link, timeout=20).status_code for link in links} == {200}, links
    ports = run_description(observed)["ports"]
    targets = f"http://127.0.0.1:{ports['prometheus']}/api/v1/targets"

    def health() -> dict[str, str]:
        active = httpx2.get(targets, timeout=20).json()["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in active}

    jobs = ("control_plane", "torchserve", "prometheus", "alertmanager")
    assert wait_until(lambda: health() == dict.fromkeys(jobs, "up"), SECONDS, 0.5) is not None, health()
    observed.stop()
    assert belonging_to(observed.folder) == []
    assert all(is_free(port) for port in ports.values())
