"""F08: torn and rotten segments: good records land, bad ones are put aside, and the start never fails."""

import json
import random
import shutil
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.checker.kept import read_line
from tests.checker.record import Record
from tests.checker.segments import cut, encode, flip, variations
from tests.load import asking
from tests.proofs.core_lines.arena import QUARANTINE, Arena, waiting_records, within
from tests.proofs.results import Figure, at_least, is_true, none_of
from tests.waiting import wait_until

SEED = 808
FULL_VARIANTS = 1000
LINES = 3
HOME_SECONDS = 60.0


@dataclass(frozen=True)
class Variant:
    """A damaged segment, the records in it that are whole, and the one that is not."""

    name: str
    data: bytes
    whole: tuple[Record, ...]
    damaged: Record | None = None


def run(arena: Arena) -> list[Figure]:
    variants = list(_variants(_written_record(arena), arena.context.count(FULL_VARIANTS, 60)))
    state = arena.context.folder / "rotten"
    one = arena.replica("rotten", state=state)
    for number, variant in enumerate(variants):
        folder = state / "spool" / f"gone-{number:04d}"
        folder.mkdir(parents=True)
        (folder / "00000001.log").write_bytes(variant.data)
    _clutter(one.spool)
    try:
        started = _started(one)
        home = wait_until(lambda: waiting_records(state / "spool") == 0, HOME_SECONDS, 0.5) if started else None
        alert = _quarantined(one.port)
    finally:
        one.stop()
    # Orderly ended, the spool is at rest; what was put aside stays.
    return [
        is_true("F08 the service starts on rotten segments", started, "yes" if started else one.said()[-200:]),
        within(f"F08 the spool of {len(variants)} segments came home", home, HOME_SECONDS),
        *_judged(arena, variants),
        at_least("F08 lines put aside", _lines_aside(state / "spool"), 1),
        at_least("F08 records put aside by the metric that alerts", alert, 1),
    ]


def _written_record(arena: Arena) -> dict[str, Any]:
    """One record as the service writes it into its spool."""
    arena.proxy.refuse()
    with asking([arena.stack.port], arena.pictures, clients=1):
        found = wait_until(lambda: waiting_records(arena.spools) > 0, 20)
    if found is None:
        raise RuntimeError("The service did not write to its spool while the database was away.")
    segment = next(file for file in arena.spools.rglob("*.log") if QUARANTINE not in file.parts)
    record: dict[str, Any] = json.loads(segment.read_bytes().split(b"\n")[0][9:])
    arena.proxy.forward()
    arena.settle()
    return record


def _variants(record: dict[str, Any], count: int) -> Iterator[Variant]:
    """Half are cut at some byte of the last line, half have a bit turned; and a few special ones."""
    chance = random.Random(SEED)
    for number in range(count):
        lines = [encode(each) for each in variations(record, SEED + number, LINES)]
        records = [read_line(line[:-1]) for line in lines]
        if number % 2:
            at = chance.randrange(len(lines[-1]))
            # Without its newline only, the record is whole.
            whole = records if at == len(lines[-1]) - 1 else records[:-1]
            last = None if len(whole) == len(records) else records[-1]
            yield Variant(f"cut at {at}", cut(lines, at), tuple(whole), last)
        else:
            which = chance.randrange(LINES)
            at, bit = chance.randrange(len(lines[which])), chance.randrange(8)
            whole = [each for each in records if each is not records[which]]
            yield Variant(f"bit {bit} of byte {at}", flip(lines, which, at, bit), tuple(whole), records[which])
    yield from _special(record)


def _special(record: dict[str, Any]) -> Iterator[Variant]:
    lines = [encode(each) for each in variations(record, SEED - 1, LINES)]
    records = tuple(read_line(line[:-1]) for line in lines)
    data = b"".join(lines)
    yield Variant("empty", b"", ())
    yield Variant("whole", data, records)
    yield Variant("twin", data, records)
    yield Variant("every line twice", data + data, records)
    yield Variant("zero page behind", data + bytes(4096), records)
    yield Variant("zero page before", bytes(4096) + b"\n" + data, records)
    yield Variant("only zeros", bytes(8192), ())
    yield Variant("a record that is no record", encode({"request_id": "x"}) + data, records)


def _clutter(folder: Path) -> None:
    """What does not belong into a spool's folder."""
    folder.mkdir(parents=True)
    (folder / "notes.log").write_text("hello\n")
    (folder / "00000007.tmp").write_bytes(bytes(10))
    (folder / "deep").mkdir()
    (folder.parent / "stray").write_text("hello\n")


def _started(one: Any) -> bool:
    one.start()
    try:
        one.wait_until_ready(40)
    except RuntimeError:
        if one.wait(0.1) is None:
            return False
        # A start that clutter stops is a fault; the rotten segments are judged all the same.
        shutil.rmtree(one.spool)
        one.start()
        one.wait_until_ready()
        return False
    return True


def _quarantined(port: int) -> float:
    name = "weedwatch_quarantined_records_total"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def _lines_aside(root: Path) -> int:
    return sum(len(file.read_bytes().split(b"\n")) - 1 for file in (root / QUARANTINE).rglob("*") if file.is_file())


def _judged(arena: Arena, variants: list[Variant]) -> list[Figure]:
    time.sleep(0.5)
    kept = {row.request_id: row for row in arena.kept().rows}
    say = arena.context.say
    lost = [f"{v.name}: {r.request_id}" for v in variants for r in v.whole if kept.get(r.request_id) != r]
    damaged = [(v.name, v.damaged, kept.get(v.damaged.request_id)) for v in variants if v.damaged]
    changed = [f"{name}: {now}" for name, before, now in damaged if now is not None and now != before]
    return [
        none_of("F08 whole records that did not land", lost, sum(len(v.whole) for v in variants), say),
        none_of("F08 damaged records that landed changed", changed, len(damaged), say),
    ]
