"""Answers that are given again: the same picture to the same archive. In memory, and bounded.

The key is what decides an answer: the SHA-256 of the archive and that of the picture's bytes. So a swap needs no
clearing: another archive finds nothing here, and one that comes back finds its own. Knows no HTTP.
"""

import asyncio
import logging
import sys
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args
from weakref import WeakKeyDictionary

from control_plane.domain.verdicts import Label
from control_plane.metrics import Metrics
from control_plane.models import archives
from control_plane.models.served import Served

log = logging.getLogger(__name__)

LABELS_EACH = 10  # on average: answers with more take the room of several

Source = Literal["hit", "miss", "bypass"]
"""Where an answer came from: here, or the workers; they too when the client did not want one of before."""


class Wish(Enum):
    """What a client allows: to READ an answer of before; only to RENEW it; or neither to read nor to keep."""

    READ = "read"
    RENEW = "renew"
    NOTHING = "nothing"


class Slot(NamedTuple):
    """Where an answer to a picture belongs."""

    archive: bytes
    picture: bytes


@dataclass(frozen=True, slots=True)
class _Kept:
    labels: tuple[Label, ...]
    is_all: bool
    """Whether the version has no further labels."""


@dataclass
class _Loaded:
    """What TorchServe has loaded of a version since `registered_at`; None until its file has been read."""

    registered_at: float
    digest: bytes | None = None


class Answers:
    """At most `most` answers, or fewer longer ones; the least recently used goes first. 0: none at all.

    An answer of up to five labels takes about 0.9 KB; 10 000 of any length take at most 15 MB.
    """

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._most_labels = most * LABELS_EACH
        self._kept: OrderedDict[Slot, _Kept] = OrderedDict()
        self._labels = 0
        self._loaded: WeakKeyDictionary[Served, _Loaded] = WeakKeyDictionary()
        self._reading: set[asyncio.Task[None]] = set()
        self._counts: dict[Source, Any] = {source: metrics.answer_cache.labels(source) for source in get_args(Source)}
        self._evictions = metrics.answer_cache_evictions
        metrics.answer_cache_entries.set_function(lambda: len(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def on(self) -> bool:
        return self._most > 0

    def slot(self, served: Served, picture_sha256: bytes) -> Slot | None:
        """None as long as nobody knows what exactly answers: its archive is being read, or has gone."""
        digest = self.look_at(served)
        return None if digest is None else Slot(digest, picture_sha256)

    def look_at(self, served: Served) -> bytes | None:
        """The digest of what TorchServe has loaded; read in the background when that is new."""
        if not self.on:
            return None
        loaded = self._loaded.get(served)
        if loaded is None or loaded.registered_at != served.registered_at:
            loaded = self._loaded[served] = _Loaded(served.registered_at)
            task = asyncio.create_task(self._read(served, loaded))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)
        return loaded.digest

    def find(self, slot: Slot, top_k: int) -> tuple[Label, ...] | None:
        """The best `top_k` labels, or as many as there are; None when so many are not kept."""
        kept = self._kept.get(slot)
        if kept is None or (len(kept.labels) < top_k and not kept.is_all):
            return None
        self._kept.move_to_end(slot)
        return kept.labels[:top_k]

    def keep(self, slot: Slot, served: Served, labels: tuple[Label, ...]) -> None:
        """What the version said. Of one that is not proven, or not what it was before it was asked, nothing is kept."""
        if not served.is_proven or self.slot(served, slot.picture) != slot:
            return
        own = tuple(Label(sys.intern(each.label), each.confidence) for each in labels)
        before = self._kept.pop(slot, None)
        self._labels += len(own) - (len(before.labels) if before else 0)
        self._kept[slot] = _Kept(own, len(own) >= len(served.archive.labels))
        while len(self._kept) > self._most or self._labels > self._most_labels:
            _, gone = self._kept.popitem(last=False)
            self._labels -= len(gone.labels)
            self._evictions.inc()

    def count(self, source: Source) -> Source:
        """The same, counted."""
        self._counts[source].inc()
        return source

    async def _read(self, served: Served, loaded: _Loaded) -> None:
        try:
            loaded.digest = await asyncio.to_thread(archives.digest, served.archive.file)
        except OSError as error:
            log.warning("an archive cannot be read: its answers are not kept", extra={"cause": str(error)})
