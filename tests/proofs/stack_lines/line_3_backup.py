"""Line 3: backed up under load, everything destroyed, restored on an empty place: nothing acknowledged is lost.

And F26's part: under the same load, ten backups are restored elsewhere, and each holds every acknowledgement from
before its mark.
"""

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from PIL import Image

from tests.changing import MODEL
from tests.checker.judge import faults_in_records
from tests.checker.record import Operation
from tests.load import Log, asking
from tests.proofs.harness import Context, run_cases
from tests.proofs.results import Figure, at_least, for_the_record, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.stack_lines.backed_up import Ground, MadeRun, made_run
from tests.proofs.stack_lines.backed_up_compose import composed

ROUNDS = 10
CLIENTS = 3
LOAD_SECONDS = 3.0
PHOTOS = 24
ERASED, STAYS = "Ada", "Grace"


def run(context: Context) -> list[Figure]:
    """CASE=standalone or CASE=compose for one of the two."""
    return run_cases(context, {"standalone": lambda: _standalone(context), "compose": lambda: _compose(context)})


def _standalone(context: Context) -> list[Figure]:
    with made_run(context) as ground:
        return _of("make run", [*second_version(ground), *prove(context, ground)])


def _compose(context: Context) -> list[Figure]:
    with composed(context) as ground:
        return _of("Compose", prove(context, ground))


def _of(place: str, figures: list[Figure]) -> list[Figure]:
    return [replace(each, name=f"{place}: {each.name}") for each in figures]


def second_version(ground: MadeRun) -> list[Figure]:
    """Another than the built one answers, so that the restore has something to bring back."""
    ground.place.add("2")
    changed = ground.place.change({"stable": "2"})
    return [is_true("another version answers before", changed["state"] == "done", changed["state"])]


def prove(context: Context, ground: Ground) -> list[Figure]:
    before = Before(context)
    with ground.client() as http:
        before.plant(http)
        with asking(http, before.pictures, clients=CLIENTS) as log:
            time.sleep(LOAD_SECONDS)
            figures, backup = _rehearsed(context, ground, log)
            before.look(http)
            time.sleep(1)
        before.erase(http)
    ground.refresh_erasures()
    ground.destroy()
    began = time.monotonic()
    said = ground.restore()
    restored = time.monotonic()
    ground.start()
    context.say(said.strip())
    seconds = f"{restored - began:.1f} s, ready {time.monotonic() - restored:.1f} s later"
    with ground.client() as http:
        figures += _compared(context, http, before, acknowledged(log, backup))
    return [*figures, for_the_record("restored in", seconds)]


def _rehearsed(context: Context, ground: Ground, log: Log) -> tuple[list[Figure], str]:
    """The figures, and the name of the last backup."""
    faults: list[str] = []
    acks, seconds, backup = 0, [], ""
    for _ in range(context.count(ROUNDS, at_least=2)):
        began = time.monotonic()
        backup = ground.make()
        seconds.append(time.monotonic() - began)
        before = acknowledged(log, backup)
        faults += faults_in_records(before, ground.rehearse(backup))
        acks = len(before)
    refused = [f"{each.status} {each.code}" for each in log.failed()]
    rounds = len(seconds)
    return [
        at_least("acknowledged before the last mark", acks, 20),
        none_of(f"F26: lost or changed in {rounds} restores of backups made under load", faults, acks, context.say),
        none_of("requests that failed while backups were made", refused, len(log.all()), context.say),
        for_the_record("a backup takes", f"{max(seconds):.1f} s at most of {rounds}, {min(seconds):.1f} s at least"),
    ], backup


@dataclass
class Before:
    """What there was before everything was destroyed."""

    context: Context
    pictures: list[bytes] = field(default_factory=list)
    planted: dict[str, str] = field(default_factory=dict)
    """Request id → subject, of those with a photo."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    photos: dict[str, str] = field(default_factory=dict)
    rollout: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    key: str = ""
    certificate: dict[str, Any] = field(default_factory=dict)
    withdrawn: str = ""
    rows: int = 0

    def plant(self, http: httpx2.Client) -> None:
        self.pictures = list(samples(self.context.root).values())
        for number in range(PHOTOS):
            subject = (ERASED, STAYS)[number % 2]
            photo = _photo(self.pictures[number % len(self.pictures)], number)
            said = http.post("/predict", files={"image": photo}, data={"consent": "true", "subject": subject}).json()
            self.planted[said["request_id"]] = subject
        made = http.post("/keys", json={"name": "field team", "scopes": ["predict"]})
        assert made.status_code == 201, made.text
        self.key = made.json()["key"]

    def look(self, http: httpx2.Client) -> None:
        self.records = history(http)
        self.photos = photos(http, self.planted)
        self.rollout = http.get(MODEL).json()["rollout"]
        self.labels = labels(http, self.context)

    def erase(self, http: httpx2.Client) -> None:
        """After the backup: a person's records, and the consent for one photo."""
        erased = http.post("/erasures", json={"subject": ERASED})
        assert erased.status_code == 200, erased.text
        self.certificate = erased.json()
        self.withdrawn = next(each for each, subject in self.planted.items() if subject == STAYS)
        assert http.patch(f"/history/{self.withdrawn}", json={"consent": False}).is_success
        self.rows = int(http.get("/audit/verification").json()["total"])


def _compared(context: Context, http: httpx2.Client, before: Before, acked: Sequence[Operation]) -> list[Figure]:
    after, say = history(http), context.say
    stays = {key: row for key, row in before.records.items() if row["subject"] != ERASED and key != before.withdrawn}
    ids = {each.request_id for each in acked} | set(before.planted)
    wanted = {key: row for key, row in stays.items() if key in ids}
    changed = [f"{key}: {row} is {after.get(key)}" for key, row in wanted.items() if after.get(key) != row]
    unseen = [key for key in ids if key not in after and before.planted.get(key) != ERASED]
    kept = {key: digest for key, digest in before.photos.items() if key in stays}
    now = photos(http, before.planted)
    back = [key for key, row in after.items() if row["subject"] == ERASED]
    back += [key for key in now if before.planted[key] == ERASED or key == before.withdrawn]
    verified = http.get("/audit/verification", timeout=300).json()
    acts = http.get("/audit?limit=20").json()["items"]
    restores = [each for each in acts if each["action"] == "restore"]
    certificate = http.get(f"/erasures/{before.certificate['id']}")
    whose = http.get("/access", headers={"Authorization": f"Bearer {before.key}"})
    return [
        none_of("records acknowledged before the mark that are lost", unseen, len(ids), say),
        none_of("… or have another field", changed, len(wanted), say),
        none_of("photos with other bytes", [key for key in kept if now.get(key) != kept[key]], len(kept), say),
        none_of("records and photos that were erased after the backup and are back", back, len(after), say),
        is_true("the certificate is still found", certificate.status_code == 200, str(certificate.status_code)),
        is_true("the same version answers", http.get(MODEL).json()["rollout"] == before.rollout),
        is_true("and answers the same", labels(http, context) == before.labels),
        is_true("an API key still opens", whose.status_code == 200, str(whose.status_code)),
        is_true("the audit holds", verified["holds"], f"{verified['rows']} rows, {before.rows} before"),
        is_true("and says what was lost", bool(restores), str(restores[0]["facts"]["lost_rows"]) if restores else "no"),
    ]


def acknowledged(log: Log, backup: str) -> list[Operation]:
    """Those whose answer was there before the second in the backup's name, which is not after its mark."""
    mark = datetime.strptime(backup, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    ahead = time.time() - time.monotonic()
    return [each for each in log.ok() if each.ended_at + ahead < mark]


def history(http: httpx2.Client) -> dict[str, dict[str, Any]]:
    """All records, as the API shows them."""
    found: dict[str, dict[str, Any]] = {}
    asked: dict[str, Any] = {"limit": 200}
    while True:
        page = http.get("/history", params=asked).json()
        found |= {each["request_id"]: each for each in page["items"]}
        if not page["next_cursor"]:
            return found
        asked["cursor"] = page["next_cursor"]


def photos(http: httpx2.Client, ids: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """Digest of each kept photo that is there."""
    answers = {each: http.get(f"/history/{each}/image") for each in ids}
    return {key: hashlib.sha256(said.content).hexdigest() for key, said in answers.items() if said.status_code == 200}


def labels(http: httpx2.Client, context: Context) -> dict[str, str]:
    pictures = samples(context.root)
    return {name: http.post("/predict", files={"image": picture}).json()["label"] for name, picture in pictures.items()}


def _photo(jpeg: bytes, number: int) -> bytes:
    """One that no other record shows."""
    with Image.open(io.BytesIO(jpeg)) as image:
        pixels = image.convert("RGB")
    pixels.putpixel((number, number), (255, number, 0))
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=95)
    return out.getvalue()
