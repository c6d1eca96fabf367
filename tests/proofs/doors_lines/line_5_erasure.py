"""Line 5: markers are planted wherever a person can leave some; after an erasure none is found, and the audit holds.

In form fields, in EXIF, in records that wait on the disk while PostgreSQL is away, in lines of it that rot, in
evaluations, shadows, exports. They are found before (so the search works) and must not be found after.
"""

import io
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from standalone import postgres
from standalone.leftovers import exchange_folder
from tests.changing import MODEL, Changing, changing
from tests.faults.postgres import OwnPostgres, own_postgres
from tests.proofs.harness import Context
from tests.proofs.results import Figure, at_least, for_the_record, is_true, none_of
from tests.proofs.samples import samples

NAME, IN_EXIF = "Zqxmarker Ännchen", "ZQXEXIFOWNER"
LATITUDE, LONGITUDE = 47.382915, 8.541937
MARKERS = {
    "name": b"Zqxmarker",
    "name in EXIF": IN_EXIF.encode(),
    "latitude": str(LATITUDE).encode(),
    "longitude": str(LONGITUDE).encode(),
}
AS_STORED = {"latitude": struct.pack("<d", LATITUDE), "longitude": struct.pack("<d", LONGITUDE)}
OTHER = "Somebody else"
OTHERS = {
    "consent": "true",
    "subject": OTHER,
    "latitude": "1",
    "longitude": "2",
}  # a place of their own, not the photo's
FULL_RECORDS = 120
SECONDS = 60.0


def run(context: Context) -> list[Figure]:
    context.folder.chmod(0o755)
    with own_postgres(context.folder / "database") as server, changing(context.root, DATABASE_URL=server.url) as place:
        place.add("2")
        assert place.change({"stable": "1", "shadow": "2", "shadow_percent": 100})["state"] == "done"
        figures = [*_planted(context, place, server), *_erased(context, place, server)]
        place.stack.stop()
        return [*figures, *_in_the_files_of_postgres(server)]


def tagged(photo: bytes, number: int) -> bytes:
    """A picture that no other record shows, with name and place in its metadata."""
    with Image.open(io.BytesIO(photo)) as image:
        exif, pixels = image.getexif(), image.convert("RGB")
        pixels.putpixel((number % pixels.width, number // pixels.width), (255, number % 256, 0))
        exif[ExifTags.Base.Artist] = exif[ExifTags.Base.ImageDescription] = IN_EXIF
        place: dict[int, Any] = {1: "N", 2: _degrees(LATITUDE), 3: "E", 4: _degrees(LONGITUDE)}
        exif._ifds[ExifTags.IFD.GPSInfo] = exif[ExifTags.IFD.GPSInfo] = place
        out = io.BytesIO()
        pixels.save(out, "JPEG", exif=exif, quality=90)
        return out.getvalue()


def _degrees(value: float) -> tuple[float, float, float]:
    return float(int(value)), 0.0, round(3600 * (value - int(value)), 6)


def _planted(context: Context, place: Changing, server: OwnPostgres) -> list[Figure]:
    photo, count = next(iter(samples(context.root).values())), context.count(FULL_RECORDS, at_least=12)
    fields = {"subject": NAME, "latitude": str(LATITUDE), "longitude": str(LONGITUDE)}
    place.http.post("/predict", files={"image": tagged(photo, 9999)}, data=OTHERS)
    sent = []
    for number in range(count):
        given = [{**fields, "consent": "true"}, {"subject": NAME, "consent": "true"}, fields][number % 3]
        key = {"Idempotency-Key": f"planted-{number}"}
        answer = place.http.post("/predict", files={"image": tagged(photo, number)}, data=given, headers=key)
        assert answer.status_code == 200, answer.text
        sent.append(answer.json()["request_id"])
    later = place.http.post("/predict", files={"image": tagged(photo, count)}).json()["request_id"]
    assert place.http.patch(
        f"/history/{later}", json={**fields, "latitude": LATITUDE, "longitude": LONGITUDE}
    ).is_success
    evaluated = place.ended(place.http.post(f"{MODEL}/versions/2/evaluate", headers=place.admin).headers["location"])
    (context.folder / "export.csv").write_text(place.http.get("/history?format=csv").text)
    exported = (context.folder / "export.csv").read_bytes()
    (context.folder / "export.csv").unlink()  # the client's own copy is the client's to remove
    _wait(lambda: server.ask("SELECT count(*) FROM shadows") > 0)
    spooled = _spooled(place, server, photo, count, fields)
    before = dict(_hits(place, server))
    return [
        is_true("evaluated with kept sightings", evaluated["state"] == "done", evaluated["state"]),
        at_least("shadow answers of the records", server.ask("SELECT count(*) FROM shadows"), 1),
        is_true("exported", MARKERS["name"] in exported and MARKERS["latitude"] in exported),
        at_least("records that wait on the disk, one of them rotten", spooled, 3),
        *[at_least(f"before: hits in the {where}", hits, 1) for where, hits in before.items() if where in FOUND_BEFORE],
    ]


FOUND_BEFORE = ("dump of the database", "state folder")


def _spooled(place: Changing, server: OwnPostgres, photo: bytes, count: int, fields: dict[str, str]) -> int:
    """While PostgreSQL is away records wait on the disk; in one of them a byte rots, so it will be put aside."""
    server.end(signal.SIGINT)
    number = 0
    for number in range(1, 7):
        data = {**fields, "consent": "true"}
        answer = place.http.post("/predict", files={"image": tagged(photo, count + number)}, data=data)
        assert answer.status_code == 200, answer.text
    segments = sorted((place.stack.state / "spool").glob("*/*.log"))
    content = segments[-1].read_bytes()
    assert content.count(MARKERS["name"]) >= 3, "nothing waits on the disk"
    segments[-1].write_bytes(content.replace(b'"verdict"', b'"verdikt"', 1))
    waiting = content.count(b"\n")
    server.start()
    return waiting


def _erased(context: Context, place: Changing, server: OwnPostgres) -> list[Figure]:
    _wait(lambda: place.http.get("/history?limit=1").status_code == 200)
    answer = place.http.post("/erasures", json={"subject": NAME}, timeout=300)
    assert answer.status_code == 200, answer.text
    certificate = answer.json()
    context.say(f"certificate: {certificate['removed']}")
    _wait(lambda: server.ask("SELECT count(*) FROM picture_removals") == 0)
    _wait(lambda: server.ask("SELECT last_vacuum IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'predictions'"))
    hits = dict(_hits(place, server))
    for where, found in hits.items():
        if found:
            context.say(f"! {where}: {found} hits")
    verified = place.http.get("/audit/verification", headers=place.admin, timeout=300).json()
    rows = place.http.get("/audit?limit=200", headers=place.admin)
    row = next(each for each in rows.json()["items"] if each["number"] == certificate["audit_row"])
    others = place.http.get("/history").json()["items"]
    kept = place.http.get(f"/history/{others[0]['request_id']}/image")
    said = [answer.text, rows.text, place.http.get("/metrics").text, place.http.get("/openapi.json").text]
    return [
        is_true("removed", certificate["removed"]["records"] > 0, str(certificate["removed"])),
        *[none_of(f"after: hits in the {where}", ["hit"] * found, 1, lambda _: None) for where, found in hits.items()],
        none_of(
            "after: hits in certificate, audit, metrics",
            [each for each in said if any(marker.decode() in each for marker in MARKERS.values())],
            len(said),
            context.say,
        ),
        is_true("the audit holds", verified["holds"], f"{verified['rows']} rows"),
        is_true("the certificate is the audit's row", row["digest"] == certificate["audit_digest"]),
        is_true(
            "what others sent is still there, with its picture",
            [each["subject"] for each in others] == [OTHER] and kept.status_code == 200,
        ),
    ]


def _hits(place: Changing, server: OwnPostgres) -> Iterator[tuple[str, int]]:
    """Markers found, by place."""
    stack = place.stack
    yield "dump of the database", _count(_dump(server))
    logs = stack.state / "logs"
    yield "state folder", sum(_in_file(file) for file in _files(stack.state) if not file.is_relative_to(logs))
    yield "logs", sum(_in_file(file) for file in [*_files(logs), stack.output_path])
    private = place.run_description()["private"]
    caches = [stack.temporary, Path(private), exchange_folder(private)]
    yield "caches and temporary folders", sum(_in_file(file) for folder in caches for file in _files(folder))


def _dump(server: OwnPostgres) -> bytes:
    command = [str(server.prepared.home.binaries / "pg_dump"), "--dbname", server.url]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and not file.is_symlink()] if folder.exists() else []


def _in_file(file: Path) -> int:
    try:
        return _count(file.read_bytes())
    except OSError:  # it was removed meanwhile
        return 0


def _count(content: bytes) -> int:
    return sum(content.count(marker) for marker in MARKERS.values())


def _in_the_files_of_postgres(server: OwnPostgres) -> list[Figure]:
    """For the record: what PostgreSQL's own files hold by nature, at once and after all that can be asked of it."""
    data = server.prepared.data

    def found() -> str:
        patterns = [*MARKERS.values(), *AS_STORED.values()]
        wal = [file for file in _files(data) if "pg_wal" in file.parts]
        rest = [file for file in _files(data) if "pg_wal" not in file.parts]
        counted = [
            sum(content.count(each) for file in files for content in [file.read_bytes()] for each in patterns)
            for files in (rest, wal)
        ]
        return f"{counted[0]} in tables and indexes, {counted[1]} in the write-ahead log"

    at_once = found()
    server.execute("VACUUM FULL predictions", "VACUUM FULL shadows", "VACUUM FULL idempotency_keys")
    server.execute("VACUUM FULL evaluations")
    server.end(signal.SIGINT)  # a checkpoint
    for _ in range(2):
        postgres.single_user(server.prepared.home, data, "SELECT pg_switch_wal()", "CHECKPOINT")
    after = found()
    server.start()
    return [
        for_the_record("PostgreSQL's own files after the erasure and its VACUUM", at_once),
        for_the_record("the same after VACUUM FULL, a switch of the log and checkpoints", after),
    ]


def _wait(holds: Any) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            if holds():
                return
        except Exception:
            if time.monotonic() > until:
                raise
        if time.monotonic() > until:
            raise TimeoutError("It has not come true in time.")
        time.sleep(0.2)
