"""Changes the models of a running service over its public API, and looks at what TorchServe has."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.proofs.stack import (
    READY_SECONDS,
    Stack,
    ask_torchserve,
    clean_environment,
    read_admin_token,
    run_description,
)
from tests.versions import Change, as_version

SECONDS = 180.0
BUILD_SECONDS = 600
MODEL = "/models/plants"


@dataclass(frozen=True)
class Changing:
    """A service with a model store of its own, in which versions of the one built archive are put."""

    stack: Stack
    store: Path
    http: httpx2.Client

    @property
    def token(self) -> str:
        return read_admin_token(self.stack.state)

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def archive(self) -> Path:
        return self.store / "plants-1.mar"

    @property
    def aside(self) -> Path:
        """Where the archive lies that is not in the store (yet)."""
        return self.stack.folder / "plants-1.mar"

    def wait_until_started(self) -> None:
        """With a model or without one: what `make run` says last."""
        deadline = time.monotonic() + READY_SECONDS
        while "  Stop  " not in self.stack.output():
            ended = self.stack.front is None or self.stack.front.poll() is not None
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"It has not started: {self.stack.output()[-2000:]}")
            time.sleep(0.1)

    def reasons(self) -> str:
        """Why it is not ready; empty when it is, or nobody answers."""
        try:
            return " ".join(self.http.get("/health/ready").json()["reasons"])
        except httpx2.TransportError:
            return ""

    def metric(self, name: str, **labels: str) -> float:
        """Its value at present; 0 when there is no such series."""
        for family in text_string_to_metric_families(self.http.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return 0.0

    def changes(self, kind: str, outcome: str) -> float:
        """How many changes of this kind ended so, by the metrics."""
        return self.metric("weedwatch_changes_total", model="plants", kind=kind, outcome=outcome)

    def health_of(self, version: str) -> dict[str, Any]:
        """What /health/detailed says of a version; empty when nothing."""
        versions = self.http.get("/health/detailed").json()["versions"]
        return next((each for each in versions if each["version"] == version), {})

    def workers(self, version: str) -> list[int]:
        """Their process ids."""
        (found,) = (each for each in self.facts()["versions"] if each["version"] == version)
        return [worker["pid"] for worker in found["workers"]]

    def break_unpacked(self, version: str) -> bool:
        """TorchServe's copy of the archive loses its network: workers that run go on, none can be started again.

        False when there is none to be lost.
        """
        broken = False
        for manifest in (Path(self.run_description()["private"]) / "models").glob("*/MAR-INF/MANIFEST.json"):
            if json.loads(manifest.read_text())["model"]["modelVersion"] == version:
                network = manifest.parent.parent / "model.onnx"
                broken = broken or network.exists()
                network.unlink(missing_ok=True)
        return broken

    def ping(self) -> str:
        """What TorchServe says of itself."""
        return str(ask_torchserve(self.stack, "inference", "/ping").json()["status"])

    def facts(self) -> dict[str, Any]:
        answer = self.http.get(MODEL)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        assert answer.headers["etag"] == f'"{body["rollout"]["revision"]}"'
        return body

    @property
    def stable(self) -> str:
        return str(self.facts()["rollout"]["stable"])

    def put(self, version: str, files: Mapping[str, Change] | None = None, **changes: Change) -> None:
        """Put it into the store, with some of its files changed: by name, or as `model__onnx` for model.onnx."""
        named = {name.replace("__", "."): change for name, change in changes.items()}
        as_version(self.archive, self.store, version, {**named, **(files or {})})

    def add(self, version: str, files: Mapping[str, Change] | None = None, **changes: Change) -> None:
        """Put it there and make it known."""
        self.put(version, files, **changes)
        added = self.http.post(f"{MODEL}/versions", json={"version": version}, headers=self.admin)
        assert (added.status_code, added.json().get("state")) == (201, "ready"), added.text

    def ask_for(self, wanted: dict[str, Any] | None) -> httpx2.Response:
        """A rollout; None for a rollback."""
        headers = {**self.admin, "If-Match": f'"{self.facts()["rollout"]["revision"]}"'}
        if wanted is None:
            return self.http.post(f"{MODEL}/rollback", headers=headers)
        return self.http.put(f"{MODEL}/rollout", json=wanted, headers=headers)

    def change(self, wanted: dict[str, Any] | None) -> dict[str, Any]:
        """The operation as it ended."""
        begun = self.ask_for(wanted)
        assert begun.status_code == 202, begun.text
        return self.ended(begun.headers["location"])

    def ended(self, operation: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                answer = self.http.get(operation)
            except httpx2.TransportError:  # a control plane that is just being killed
                answer = None
            if answer is not None and answer.status_code == 200 and answer.json()["state"] != "running":
                ended: dict[str, Any] = answer.json()
                return ended
            time.sleep(0.1)
        raise AssertionError(f"The change has not ended within {SECONDS:g} s.")

    def run_description(self) -> dict[str, Any]:
        return run_description(self.stack)

    def registered(self) -> dict[str, int]:
        """The versions that TorchServe has, and how many of their workers are ready; none when it does not answer."""
        try:
            answer = ask_torchserve(self.stack, "management", "/models/plants/all")
        except httpx2.TransportError:
            return {}
        found = answer.json() if answer.status_code == 200 else []
        return {each["modelVersion"]: sum(worker["status"] == "READY" for worker in each["workers"]) for each in found}

    def unpacked(self) -> int:
        """Copies of archives that TorchServe has unpacked."""
        folder = Path(self.run_description()["private"]) / "models"
        return len(list(folder.iterdir())) if folder.is_dir() else 0


def fill_store(root: Path, store: Path) -> None:
    """Make it, with version 1."""
    store.mkdir()
    for built in (root / "model_store").glob("plants-1.mar"):
        shutil.copy(built, store)  # built again only when it is not current
    command = [sys.executable, "-m", "handlers.archive", "--model", "plants", "--output", str(store)]
    subprocess.run(command, cwd=root, env=clean_environment(), timeout=BUILD_SECONDS, check=True, capture_output=True)


@contextmanager
def changing(root: Path, **environment: str) -> Iterator[Changing]:
    """Started and ready, with version 1."""
    with _built(root) as archive, _running(root, archive.parent, environment) as place:
        yield place


@contextmanager
def without_model(root: Path, **environment: str) -> Iterator[Changing]:
    """Started without an archive and without the source of one; `aside` has the archive."""
    with _built(root) as archive:
        (archive.parent / "sources").mkdir()
        archive.rename(archive.parent.parent / archive.name)
        with _running(root, archive.parent, environment) as place:
            yield place


@contextmanager
def _running(root: Path, store: Path, environment: dict[str, str]) -> Iterator[Changing]:
    stack = Stack(root, store.parent, environment={"WEEDWATCH_MODEL_STORE": str(store), **environment})
    began = time.monotonic()
    try:
        stack.start()
        with httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60) as http:
            place = Changing(stack, store, http)
            place.wait_until_started()
            stack.cold_seconds = time.monotonic() - began
            yield place
    finally:
        stack.stop()


@contextmanager
def _built(root: Path) -> Iterator[Path]:
    """The archive of version 1 in a model store of its own."""
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    store = folder / "store"
    fill_store(root, store)
    try:
        yield store / "plants-1.mar"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
