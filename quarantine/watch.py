"""Looks for uploads in the folder and gives each its verdict, one after the other."""

import contextlib
import hashlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from quarantine.logs import configure
from quarantine.order import (
    ARCHIVE,
    CARD,
    LABELS,
    MODEL,
    PROGRESS,
    REQUEST,
    SIGNATURE,
    VERDICT,
    Order,
    Refused,
    put,
    read_order,
)
from quarantine.place import PREFIX, Place, place

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
ALIVE = "alive"
TRIES = "tries"
MAX_TRIES = 2
GIB = 2**30
# Address space is not memory: Java reserves much and uses little of it, and torch maps gigabytes of libraries.
STATIC_SPACE, REHEARSAL_SPACE, BUILD_SPACE = 3 * GIB, 12 * GIB, 48 * GIB
_FILES = (ARCHIVE, MODEL, LABELS, CARD, SIGNATURE)
_HANDLERS_FILES = (MODEL, LABELS, CARD)


def watch(folder: Path, temporary: Path, hide: Sequence[Path]) -> None:
    """For ever; ends with its parent process."""
    configure()
    parent = os.getppid()
    folder.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(parents=True, exist_ok=True)
    for left in temporary.glob(f"{PREFIX}????????"):  # by one of us that was killed
        shutil.rmtree(left, ignore_errors=True)
    while os.getppid() == parent:
        (folder / ALIVE).touch()
        for upload in waiting(folder):
            give_verdict(upload, temporary, hide, alive=(folder / ALIVE).touch)
        time.sleep(LOOK_SECONDS)


def waiting(folder: Path) -> list[Path]:
    """Uploads that are complete and have no verdict; the oldest first."""
    uploads = [path.parent for path in folder.glob(f"*/{REQUEST}") if not (path.parent / VERDICT).exists()]
    return sorted(uploads, key=lambda upload: upload.name)


def give_verdict(upload: Path, temporary: Path, hide: Sequence[Path], alive: Callable[[], None]) -> None:
    """Check one upload; whatever happens there is a verdict, unless this process dies before."""
    began = time.monotonic()
    try:
        count_try(upload)
        order = read_order(upload)
        with place(temporary, hide, allow_network=order.allow_network) as somewhere:
            digest = check(upload, order, somewhere, alive)
        verdict = {"good": True, "sha256": digest}
    except Refused as refused:
        verdict = {"good": False, "reason": str(refused)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.exception("a check failed")
        reason = f"The check itself failed ({type(error).__name__}: {error}), so the upload is not taken."
        verdict = {"good": False, "reason": reason}
    with contextlib.suppress(FileNotFoundError):  # the control plane has given it up
        put(upload / VERDICT, verdict | {"seconds": round(time.monotonic() - began, 2)})
    log.info("verdict", extra={"facts": {"upload": upload.name, **verdict}})


def count_try(upload: Path) -> None:
    """Raises Refused when checks of it were cut off before."""
    counter = upload / TRIES
    tries = int(counter.read_text()) + 1 if counter.exists() else 1
    if tries > MAX_TRIES:
        raise Refused(f"The check was cut off {MAX_TRIES} times, so the upload is not taken.")
    counter.write_text(str(tries))


def check(upload: Path, order: Order, somewhere: Place, alive: Callable[[], None]) -> str:
    """All checks; gives the digest of the archive that passed, which lies in the upload's folder afterwards.

    Raises:
        Refused: The upload is not taken.
    """
    deadline = time.monotonic() + order.seconds
    room = 2 * order.max_bytes + GIB

    def run(stage: str, module: str, *arguments: str, space: int) -> None:
        put(upload / PROGRESS, {"stage": stage})
        left = max(1.0, deadline - time.monotonic())
        command = (sys.executable, "-m", module, *arguments)
        somewhere.run(command, seconds=left, address_space=space, file_size=room, tick=alive)

    work = somewhere.work
    digests = {name: take(upload / name, work / name) for name in _FILES if (upload / name).exists()}
    (work / REQUEST).write_text((upload / REQUEST).read_text())
    run("Reading it.", "quarantine.static", str(work), space=STATIC_SPACE)
    if order.kind == "checkpoint":
        _build(order, work, run)
        (work / MODEL).unlink()
    else:
        _refuse_changed(work / ARCHIVE, digests[ARCHIVE])
    digest = digest_of(work / ARCHIVE)
    if order.kind == "checkpoint":
        run("Reading what was built.", "quarantine.static", str(work), "built", space=STATIC_SPACE)
    run(
        "Loading it and asking its reference pictures.", "quarantine.rehearsal", str(work), order.model, order.version,
        space=REHEARSAL_SPACE,
    )  # fmt: skip
    _refuse_changed(work / ARCHIVE, digest)
    if order.kind == "checkpoint":
        shutil.copyfile(work / ARCHIVE, upload / f"{ARCHIVE}.new")
        (upload / f"{ARCHIVE}.new").replace(upload / ARCHIVE)
    return digest


def _build(order: Order, work: Path, run: Callable[..., None]) -> None:
    """An archive of ours from the checkpoint; this is the first time that anybody loads it."""
    source, store = work / "source", work / "store"
    source.mkdir()
    for name in _HANDLERS_FILES:
        if (work / name).exists():
            (source / name).hardlink_to(work / name)
    arguments = ["--model", order.model, "--model-version", order.version, "--output", str(store)]
    arguments += ["--model-path", str(source / MODEL)]
    if order.architecture:
        arguments += ["--architecture", order.architecture]
    run("Loading the checkpoint and building the archive.", "handlers.archive", *arguments, space=BUILD_SPACE)
    built = list(store.glob("*.mar"))
    if len(built) != 1:
        raise Refused("No archive was built from the checkpoint.")
    built[0].replace(work / ARCHIVE)
    shutil.rmtree(source)


def take(source: Path, target: Path) -> str:
    """Copy a file; gives the digest of what was copied."""
    shutil.copyfile(source, target)
    return digest_of(target)


def digest_of(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _refuse_changed(archive: Path, digest: str) -> None:
    if digest_of(archive) != digest:
        raise Refused("The archive was changed while it was checked.")
