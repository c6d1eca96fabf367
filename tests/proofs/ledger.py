"""The client's own record of requests, and the check of the service's history against it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from tests.proofs.wire import Answer, get

PAGE = 100


@dataclass(frozen=True)
class Entry:
    """One request as the client saw it: when it ended (monotonic seconds) and how."""

    ended_at: float
    answer: Answer

    @property
    def request_id(self) -> str:
        return str(self.answer.body.get("request_id", ""))


class Ledger:
    """Collects entries from several threads."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def acknowledged(self) -> dict[str, str]:
        """Request id → label of every request that was answered with 200."""
        return {entry.request_id: best_label(entry.answer) for entry in self.entries() if entry.answer.is_ok}

    def refused(self) -> set[str]:
        """Ids that must not be in the history: the client was told that nothing was done."""
        return {e.request_id for e in self.entries() if 400 <= e.answer.status < 500 and e.request_id}


def best_label(answer: Answer) -> str:
    predictions = answer.body.get("predictions") or [{}]
    return str(predictions[0].get("label", ""))


def history(port: int) -> Iterator[tuple[str, str]]:
    """Request id and label of every row that the service lists, page by page."""
    cursor = ""
    while True:
        page = get(port, f"/history?limit={PAGE}" + (f"&cursor={quote(cursor)}" if cursor else ""))
        if not page.is_ok:
            raise RuntimeError(f"GET /history answered {page.status} {page.code}.")
        for row in page.body["items"]:
            yield str(row["request_id"]), str(row["label"])
        cursor = page.body.get("next_cursor") or ""
        if not cursor:
            return


def settled_history(port: int, ledger: Ledger, seconds: float = 60) -> list[tuple[str, str]]:
    """The history once it holds all that was acknowledged, or after `seconds`: what was spooled lands later."""
    until = time.monotonic() + seconds
    while True:
        rows = list(history(port))
        if not ledger.acknowledged().keys() - dict(rows).keys() or time.monotonic() > until:
            return rows
        time.sleep(0.5)


def faults_in_history(ledger: Ledger, rows: list[tuple[str, str]]) -> list[str]:
    """Every acknowledged request once and with its label; no refused request at all."""
    counts, labels = Counter(key for key, _ in rows), dict(rows)
    faults = []
    for key, label in ledger.acknowledged().items():
        if counts[key] != 1:
            faults.append(f"{key} is in the history {counts[key]} times")
        elif labels[key] != label:
            faults.append(f"{key} was answered {label}, recorded {labels[key]}")
    faults += [f"{key} was refused and is in the history" for key in ledger.refused() & counts.keys()]
    return faults


def faults_in_lookups(port: int, ledger: Ledger) -> list[str]:
    """Each acknowledged request is found by its id, with the same label."""
    faults = []
    for key, label in ledger.acknowledged().items():
        found = get(port, f"/history/{key}")
        if not found.is_ok or best_label(found) != label:
            faults.append(f"/history/{key} answered {found.status} {found.code} {best_label(found)!r}, not {label}")
    return faults
