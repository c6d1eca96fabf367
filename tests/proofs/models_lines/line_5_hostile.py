"""Line 5: hostile versions are refused with their reason and nothing of them runs; good ones pass, and soon."""

import hashlib
import sys
import time
from pathlib import Path

from minisign import KeyPair

from quarantine.place import place
from tests.changing import Changing, changing
from tests.hostile.payload import PAYLOAD, tried
from tests.hostile.versions import Zeros, as_version, hostile, members_of, pack, signature_of
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_most, for_the_record, is_true, none_of
from tests.uploading import Uploading
from tests.waiting import wait_until

ZEROS_BYTES = 2**31
MEMORY_MIB = 300.0  # of the control plane, over what it had before 2 GiB came
COLD_STARTS = 2.0
KILLED = ("quarantine", "control plane")


def run(context: Context) -> list[Figure]:
    keys, marker = KeyPair.generate(), context.folder / "marker"
    key = context.folder / "minisign.pub"
    key.write_bytes(bytes(keys.public_key) + b"\n")
    with changing(context.root, WEEDWATCH_SIGNING_KEY_FILE=str(key)) as service:
        uploads = Uploading(service, keys)
        figures = _good(context, uploads)  # first: on the machine as the cold start found it
        figures += _hostile(context, uploads, marker)
        figures += _killed(context, uploads)
        figures += _payload(context, service, marker)
        figures.append(is_true("the hostile versions' marker file", not marker.exists(), _made(marker)))
        figures.append(is_true("stable answered all the time", service.stack.is_ready() and service.stable == "1"))
    return figures


def _good(context: Context, uploads: Uploading) -> list[Figure]:
    """An archive and a checkpoint, each to ready; then they are what was checked."""
    service = uploads.place
    began = time.monotonic()
    answer = uploads.send({"archive": pack(as_version(members_of(service.archive), "2"))})
    archive = uploads.ended("2")
    seconds, cold = time.monotonic() - began, service.stack.cold_seconds
    context.say(f"A good archive: {archive['state']} after {seconds:.1f} s; a cold start takes {cold:.1f} s.")
    source = context.root / "model_store" / "sources" / "plants" / "1"
    names = {"model": "model.pth", "labels": "class_labels.json", "card": "model_card.json"}
    began = time.monotonic()
    uploads.send({field: (source / name).read_bytes() for field, name in names.items()})
    checkpoint = uploads.ended("3")
    context.say(f"A good checkpoint: {checkpoint['state']} after {time.monotonic() - began:.1f} s.")
    checkpoint_seconds = time.monotonic() - began
    changed = service.change({"stable": "3"})["state"] if checkpoint["state"] == "ready" else "not tried"
    service.change({"stable": "1"})
    return [
        is_true("a good archive", archive["state"] == "ready", f"{answer.status_code}, {_said(archive)}"),
        at_most("a good archive: cold starts from upload to ready", seconds / cold, COLD_STARTS),
        for_the_record("a cold start, and a good archive", f"{cold:.1f} s, {seconds:.1f} s"),
        is_true("a good model.pth with its labels", checkpoint["state"] == "ready", _said(checkpoint)),
        for_the_record("a good model.pth: upload to ready", f"{checkpoint_seconds:.1f} s"),
        is_true("it answers when it is asked for", changed == "done", changed),
        none_of("stored archives that differ from the checked ones", _differing(service, [archive, checkpoint]), 2,
                context.say),
    ]  # fmt: skip


def _differing(service: Changing, versions: list[dict[str, object]]) -> list[str]:
    digests = {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in service.store.glob("*.mar")}
    faults = [f"{each['version']} is not in the store" for each in versions if each["sha256"] not in digests]
    files = [digests[str(each["sha256"])] for each in versions if each["sha256"] in digests]
    return faults + [f"{file.name} can be written" for file in files if file.stat().st_mode & 0o222]


def _hostile(context: Context, uploads: Uploading, marker: Path) -> list[Figure]:
    cases = hostile(uploads.place.archive, marker)
    faults = []
    for case in cases:
        if fault := uploads.refusal(case):
            faults.append(fault)
        else:
            context.say(f"{case.name}: {uploads.version(case.version)['reason'][:110]}")
    zeros, grown = _zeros(uploads)
    faults += zeros
    left = [
        file.name for file in uploads.place.store.iterdir() if file.name.startswith(("plants-10", "plants-11", "."))
    ]
    return [
        none_of("hostile versions that were not refused with their reason", faults, len(cases) + 1, context.say),
        at_most("2 GiB of zeros: memory of the control plane", grown, MEMORY_MIB, "MiB"),
        none_of("files of refused versions in the model store", left, len(cases) + 1, context.say),
    ]


def _zeros(uploads: Uploading) -> tuple[list[str], float]:
    process = uploads.place.stack.process("control plane")
    before = process.memory_info().rss
    assert uploads.keys is not None
    answer = uploads.send_zeros(ZEROS_BYTES, "109", signature_of(Zeros(ZEROS_BYTES), uploads.keys))
    grown = (_peak(process.pid) - before) / 2**20
    fault = uploads.met("2 GiB of zeros", "no zip archive", "109", answer)
    return ([fault] if fault else []), grown


def _peak(pid: int) -> int:
    """The most memory that a process ever had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _killed(context: Context, uploads: Uploading) -> list[Figure]:
    """In the middle of a check."""
    faults = []
    for number, kind in enumerate(KILLED):
        version = str(20 + number)
        uploads.send({"archive": pack(as_version(members_of(uploads.place.archive), version))})
        wait_until(lambda version=version: _is_loading(uploads, version), 60)  # type: ignore[misc]
        uploads.place.stack.process(kind).kill()
        ended = uploads.ended(version)
        context.say(f"{kind} killed during a check: {_said(ended)}")
        if ended["state"] != "ready":
            faults.append(f"{kind} killed: {_said(ended)}")
    wait_until(uploads.place.stack.is_ready, 120)
    return [none_of("checks that did not go on after a death", faults, len(KILLED), context.say)]


def _is_loading(uploads: Uploading, version: str) -> bool:
    return "Loading" in (uploads.version(version)["reason"] or "")


def _payload(context: Context, service: Changing, marker: Path) -> list[Figure]:
    """Code that no scanner found: what it could do where it is loaded first."""
    state = service.stack.state
    temporary = context.folder / "t"
    temporary.mkdir()
    with place(temporary, [state], allow_network=False) as somewhere:
        aims = [service.stack.port, state / "admin-token", marker, service.stack.process("control plane").pid]
        command = (sys.executable, "-c", PAYLOAD, *map(str, aims))
        somewhere.run(command, seconds=60, address_space=2**31, file_size=2**20)
        done = tried((somewhere.work / "said.txt").read_text())
    faults = [name for name, managed in done.items() if managed]
    return [none_of("of what a payload tries where it is loaded, managed", faults, len(done), context.say)]


def _said(version: dict[str, object]) -> str:
    return f"{version['state']}{': ' + str(version['reason']) if version['reason'] else ''}"


def _made(marker: Path) -> str:
    return "was made" if marker.exists() else "never made"
