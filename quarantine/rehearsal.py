"""`python -m quarantine.rehearsal FOLDER MODEL VERSION`: a throw-away TorchServe answers the archive's references.

Runs in the place (place.py), which ends it: what it starts it does not stop.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from quarantine.order import ARCHIVE, Refused
from standalone.http import request
from standalone.java import find_java
from standalone.torchserve import TorchServe, addresses

START_SECONDS = 120.0
LOAD_SECONDS = 180.0
ANSWER_SECONDS = 60.0
TOLERANCE = 0.02
"""Of a pinned confidence; the same as that of the service's readiness."""


async def rehearse(folder: Path, model: str, version: str) -> None:
    """Raises Refused when it does not load, or does not answer as pinned."""
    logs = folder / "logs"
    serving = TorchServe(find_java(os.environ), addresses(folder), folder, folder)
    java = _start(serving, folder, logs)
    deadline = time.monotonic() + START_SECONDS
    while not await serving.is_ready():
        if java.poll() is not None or time.monotonic() > deadline:
            raise Refused("TorchServe could not be started for the dry run.")
        await asyncio.sleep(0.05)
    query = f"/models?url={ARCHIVE}&initial_workers=1&synchronous=true"
    loaded = await request(query, at=serving.addresses.management, body=b"", timeout_seconds=LOAD_SECONDS)
    if loaded is None or loaded.status != 200:
        raise Refused(f"The model cannot be loaded: {_cause(logs) or _words(loaded.body if loaded else None)}")
    for picture, pinned in _references(folder / ARCHIVE):
        await _ask(serving.addresses.inference, f"/predictions/{quote(model)}/{quote(version)}", picture, pinned)


def _start(serving: TorchServe, folder: Path, logs: Path) -> "subprocess.Popen[bytes]":
    logs.mkdir()
    environment = {**serving.environment(logs, os.environ), "TS_NUMBER_OF_GPU": "0"}
    with (logs / "java.log").open("wb") as output:
        return subprocess.Popen(serving.command(), cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)


async def _ask(address: str, path: str, picture: bytes, pinned: dict[str, Any]) -> None:
    answer = await request(path, at=address, body=picture, timeout_seconds=ANSWER_SECONDS)
    best = (answer.json().get("predictions") or [{}])[0] if answer is not None and answer.status == 200 else {}
    label, confidence = best.get("label"), best.get("confidence", 0.0)
    if label != pinned["label"] or not abs(confidence - pinned["confidence"]) <= TOLERANCE:
        found = f"{label}, {confidence:.2f}" if label else f"with {answer.status if answer else 'nothing'}"
        raise Refused(
            f"The reference picture {pinned['file']!a} was answered {found}; reference.json says "
            f"{pinned['label']}, {pinned['confidence']:.2f}."
        )


def _references(archive: Path) -> list[tuple[bytes, dict[str, Any]]]:
    with zipfile.ZipFile(archive) as packed:
        return [(packed.read(each["file"]), each) for each in json.loads(packed.read("reference.json"))]


def _cause(logs: Path) -> str | None:
    """What the handler said of it."""
    for line in (logs / "handler.log").read_bytes().splitlines()[-200:] if (logs / "handler.log").exists() else ():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if said.get("event") == "load_failed":
            return str(said["error"])[:400]
    return None


def _words(body: bytes | None) -> str:
    try:
        return str(json.loads(body or b"")["message"])[:400]
    except (ValueError, KeyError, TypeError):
        return "TorchServe did not answer in time."


if __name__ == "__main__":
    try:
        asyncio.run(rehearse(Path(sys.argv[1]), *sys.argv[2:4]))
    except Refused as refused:
        print(refused)
        sys.exit(1)
