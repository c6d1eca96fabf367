"""F14: a handler misbehaves in twelve ways at a picture that asks for it; others are not harmed for long."""

import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from tests.checker.client import ask, own_picture
from tests.checker.judge import faults_in_answers
from tests.faults.processes import frozen
from tests.load import Log, asking
from tests.proofs.core_lines.arena import Arena, within
from tests.proofs.replicas import Replica
from tests.proofs.results import Figure, for_the_record, is_true, none_of
from tests.proofs.stack import clean_environment
from tests.waiting import wait_until

HANDLER = Path(__file__).with_name("misbehaving_handler.py")
MODEL = "sick"
MARK = b"WW-FAULT:"
# What one picture can do, and whether the worker may die of it, so that those of the same call suffer too.
WAYS = {
    "raise": True, "hang": True, "short": True, "nan": False, "big": True, "no_json": False, "cuda": True,
    "exit": True, "fork": False, "metrics": False, "leak": False, "spin": True,
}  # fmt: skip
BACK_SECONDS = 60.0
BUILD_SECONDS = 600
FORGOTTEN_SECONDS = 15.0
STEADY_SECONDS = 2.0


def prepare_store(root: Path, store: Path) -> None:
    """A model store with the usual archive and one whose handler misbehaves."""
    store.mkdir(parents=True)
    for archive in (root / "model_store").glob("plants-*.mar"):
        shutil.copy(archive, store)  # built again only when it is not current
    command = [sys.executable, "-m", "handlers.archive", "--model", "plants", "--output", str(store)]
    subprocess.run(command, cwd=root, env=clean_environment(), timeout=BUILD_SECONDS, check=True, capture_output=True)
    archives = sorted(store.glob("plants-*.mar"))
    with zipfile.ZipFile(archives[-1]) as usual, zipfile.ZipFile(store / f"{MODEL}-1.mar", "w") as sick:
        for member in usual.namelist():
            data = usual.read(member)
            if member == "MAR-INF/MANIFEST.json":
                manifest = json.loads(data)
                manifest["model"].update(modelName=MODEL, modelVersion="1")
                data = json.dumps(manifest).encode()
            sick.writestr("usual_handler.py" if member == "plant_classifier.py" else member, data)
        sick.writestr("plant_classifier.py", HANDLER.read_text())


def run(arena: Arena) -> list[Figure]:
    one = arena.replica("sick", WEEDWATCH_MODEL=MODEL)
    figures: list[Figure] = []
    # The supervised one serves another model, but would count as a replica that shares the workers.
    with frozen([arena.stack.process("control plane").pid]):
        try:
            one.start()
            one.wait_until_ready()
            time.sleep(FORGOTTEN_SECONDS)
            for way, may_spread in WAYS.items():
                figures += _misbehave(arena, one, way, may_spread=may_spread)
        finally:
            one.stop()
    return figures


def _misbehave(arena: Arena, one: Replica, way: str, *, may_spread: bool) -> list[Figure]:
    name, say = f"F14 {way}", arena.context.say
    with asking([one.port], arena.pictures, clients=2, per_second=10) as log:
        wait_until(lambda: len(log.ok()) > 5, 20)
        picture, hurt_at = own_picture(arena.pictures[0]), time.monotonic()
        sick = ask(one.port, picture[:2] + _comment(MARK + way.encode()) + picture[2:])
        back = wait_until(lambda: _all_good(log, hurt_at), BACK_SECONDS, 0.2)
    others = [f"{each.status} {each.code}" for each in log.all() if each.status != 200]
    figures = [
        for_the_record(f"{name}: the picture itself", f"{sick.status} {sick.code} after {sick.seconds:.1f} s"),
        none_of(f"{name}: answers late or not documented", faults_in_answers([sick, *log.all()]), len(log.all()), say),
        within(f"{name}: only good answers again", back, BACK_SECONDS),
    ]
    if not may_spread:
        figures.append(none_of(f"{name}: others that failed", others, len(log.all()), say))
    if way in {"nan", "no_json", "short"}:
        figures.append(is_true(f"{name}: is no answer", sick.status != 200, sick.code))
    return [*figures, *arena.judged(name, [sick, *log.all()])]


def _comment(text: bytes) -> bytes:
    return b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text


def _all_good(log: Log, hurt_at: float) -> bool:
    """Good answers only, for a while that lies behind the fault."""
    since = time.monotonic() - STEADY_SECONDS
    late = [each.status == 200 for each in log.all() if each.ended_at > since]
    return since > hurt_at and len(late) > 5 and all(late)
