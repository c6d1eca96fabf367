"""Whether a backup is what was written: which there are, and the digest of each of their files."""

import asyncio
import hashlib
from dataclasses import dataclass

from backup import manifest
from backup.destination import BLOCK_BYTES, Destination
from backup.errors import Damaged, Refusal
from backup.manifest import NAME, Item, Manifest
from backup.working import side_by_side
from weedwatch.progress import Listener, Pace

LATEST = "latest"


@dataclass(frozen=True)
class Listed:
    """A backup's folder; one without a manifest was never finished."""

    id: str
    is_whole: bool


def listed(destination: Destination) -> list[Listed]:
    """Oldest first."""
    folders = sorted(name for name in destination.folders() if manifest.is_name(name))
    return [Listed(name, f"{name}/{NAME}" in destination.sizes(name)) for name in folders]


def find(destination: Destination, wanted: str = LATEST) -> Manifest:
    """The manifest of one backup, or of the newest whole one.

    Raises:
        Refusal: There is none, it was never finished, or it cannot be read.
    """
    if wanted == LATEST:
        whole = [each.id for each in listed(destination) if each.is_whole]
        if not whole:
            raise Refusal(f"There is no backup at {destination.url}.")
        wanted = whole[-1]
    if not manifest.is_name(wanted):
        raise Refusal(f"{wanted!r} is no name of a backup; they look like 20260131T040000Z, and `list` shows them.")
    try:
        return manifest.decode(destination.read(f"{wanted}/{NAME}"), wanted)
    except FileNotFoundError:
        if wanted in destination.folders():
            raise Damaged(
                f"The backup {wanted} was never finished: it has no manifest. Take another one; `list` shows them."
            ) from None
        raise Refusal(f"There is no backup {wanted} at {destination.url}; `list` shows those that there are.") from None


async def check(destination: Destination, found: Manifest, report: Listener) -> None:
    """Read all of it.

    Raises:
        Damaged: A file is missing or is not what was written; names the first ones.
    """
    pace, done = Pace("checking", found.bytes, "bytes"), 0
    bad: list[str] = []

    async def look(item: Item) -> None:
        nonlocal done
        if not await asyncio.to_thread(is_good, destination, found.id, item):
            bad.append(item.name)
        done += item.bytes
        report(pace.at(done))

    await side_by_side(look, found.items)
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise Damaged(
            f"The backup {found.id} is damaged: {', '.join(sorted(bad)[:3])}{more} cannot be read as written. Take "
            "another backup (`list` shows them), and make the next one with --fresh."
        )


def is_good(destination: Destination, backup: str, item: Item) -> bool:
    digest, size = hashlib.sha256(), 0
    try:
        with destination.open(item.location(backup)) as content:
            while block := content.read(BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except FileNotFoundError:
        return False
    return (digest.hexdigest(), size) == (item.sha256, item.bytes)
