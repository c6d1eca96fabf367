"""Records that could not reach PostgreSQL yet, on this replica's disk; each lands exactly once.

A folder a replica, locked as long as the process lives; a starting replica adopts folders whose lock is free.
A segment is a file of lines: the CRC-32 of a record, a blank, the record as JSON. A rotten line is put aside alone.
"""

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from control_plane.metrics import Metrics
from control_plane.tables import history
from control_plane.tables.history import Prediction

log = logging.getLogger(__name__)

LOCK = "lock"
ASIDE = "quarantine"
SEGMENT_BYTES = 4 * 2**20
_SEGMENT = re.compile(r"\d{8}\.log")
_BEGINNING = re.compile(rb"[0-9a-f]{8} \{")


class SpoolUnavailable(Exception):
    """The disk cannot hold the records; nothing was acknowledged."""


class Spool:
    """One replica's folder under `root`."""

    def __init__(self, root: Path, replica: str, *, max_bytes: int, metrics: Metrics) -> None:
        self._root = root
        self._folder = root / replica
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._lock: int | None = None
        self._segment: int | None = None  # the open file
        self._segment_size = 0
        self._number = 0
        self._appending = asyncio.Lock()
        self._putting_aside = asyncio.Lock()

    def open(self) -> None:
        """Take this replica's folder."""
        for _ in range(3):  # another replica may be adopting what an earlier one of this name left
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self._lock = _try_lock(self._folder)
            if self._lock is not None:
                break
        else:
            raise SpoolUnavailable(f"Another process uses the spool folder {self._folder}.")
        self._number = max((int(file.stem) for file in _segments(self._folder)), default=0)
        self._measure()

    def close(self) -> None:
        self._end_segment()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def append(self, rows: Sequence[Prediction]) -> None:
        """Write the rows and wait until they are on the disk.

        Raises:
            SpoolUnavailable: They are not; nothing of them stays behind.
        """
        async with self._appending:
            await asyncio.to_thread(self._append, rows)
            self._metrics.spooled.inc(len(rows))
            self._measure()

    async def works(self) -> bool:
        """Whether the disk holds again what is written to it."""
        try:
            await asyncio.to_thread(_write_and_forget, self._folder / "check")
        except OSError:
            return False
        return self._size() < self._max_bytes

    async def take(self) -> list[Path]:
        """Every segment that is complete: our own (the open one ends here) and those of replicas that are gone."""
        async with self._appending:
            return await asyncio.to_thread(self._take)

    @property
    def held_bytes(self) -> int:
        """What waits in it to be brought home."""
        return self._size()

    async def read(self, segment: Path) -> tuple[list[Prediction], list[bytes]]:
        """The segment's good records, and its rotten lines."""
        return await asyncio.to_thread(_read, segment)

    async def quarantine(self, segment: Path, lines: Sequence[bytes]) -> None:
        log.error("records put aside", extra={"segment": str(segment), "records": len(lines)})
        self._metrics.quarantined.inc(len(lines))
        file = self._root / ASIDE / f"{segment.parent.name}-{segment.name}"
        async with self._putting_aside:
            await asyncio.to_thread(_put_aside, file, lines)

    async def count_aside(self, meant: Callable[[bytes], bool]) -> int:
        """How many lines that were put aside are meant."""
        return await asyncio.to_thread(lambda: sum(meant(line) for file in self._aside() for line in _lines(file)))

    async def forget_aside(self, meant: Callable[[bytes], bool]) -> None:
        """Take the lines that are meant out of those that were put aside."""
        async with self._putting_aside:
            for file in self._aside():
                await asyncio.to_thread(_without, file, meant)

    async def remove(self, segment: Path) -> None:
        """Forget a segment whose records have all landed."""
        await asyncio.to_thread(_remove, segment)
        self._measure()

    @property
    def is_empty(self) -> bool:
        return not _segments(self._folder)

    def _aside(self) -> list[Path]:
        return sorted(self._root.glob(f"{ASIDE}/*.log"))

    def _measure(self) -> None:
        self._metrics.spool_bytes.set(self._size())

    def _size(self) -> int:
        size = 0
        for file in _segments(self._folder):
            with contextlib.suppress(FileNotFoundError):  # it landed meanwhile
                size += file.stat().st_size
        return size

    def _append(self, rows: Sequence[Prediction]) -> None:
        data = b"".join(encode(row) for row in rows)
        try:
            if self._size() + len(data) > self._max_bytes:
                raise SpoolUnavailable("The spool is full.")
            if self._segment is None or self._segment_size >= SEGMENT_BYTES:
                self._begin_segment()
        except OSError as error:
            self._end_segment()
            raise SpoolUnavailable(str(error)) from error
        segment = self._segment
        assert segment is not None  # noqa: S101 - begun above
        try:
            _write_all(segment, data)
            os.fsync(segment)
        except OSError as error:
            # After a failed fsync the kernel may call lost pages clean: this file is never written again.
            try:
                os.ftruncate(segment, self._segment_size)
            except OSError:
                log.exception("a refused record may stay in the spool")
            self._end_segment()
            raise SpoolUnavailable(str(error)) from error
        self._segment_size += len(data)

    def _begin_segment(self) -> None:
        self._end_segment()
        self._number += 1
        path = self._folder / f"{self._number:08d}.log"
        self._segment = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._segment_size = 0
        _sync_folder(self._folder)

    def _end_segment(self) -> None:
        if self._segment is not None:
            os.close(self._segment)
            self._segment = None

    def _take(self) -> list[Path]:
        self._end_segment()
        segments = _segments(self._folder)
        for folder in sorted(self._root.iterdir()):
            if folder in (self._folder, self._root / ASIDE) or not folder.is_dir():
                continue
            lock = _try_lock(folder)
            if lock is None:
                continue
            try:
                segments += [self._adopt(segment) for segment in _segments(folder)]
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()
            except OSError:
                log.exception("a folder of a replica that is gone cannot be adopted")
            finally:
                os.close(lock)
        return segments

    def _adopt(self, segment: Path) -> Path:
        self._number += 1
        log.info("adopting a segment", extra={"segment": str(segment)})
        own = self._folder / f"{self._number:08d}.log"
        try:
            segment.rename(own)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(segment, own)  # another file system: a replica may have a disk of its own
            segment.unlink()
        _sync_folder(self._folder)
        return own


def encode(row: Prediction) -> bytes:
    text = history.to_json(row).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Prediction:
    """One line back to its row.

    Raises:
        ValueError, TypeError, KeyError: The line is not what was written.
    """
    checksum, _, text = line.partition(b" ")
    if len(checksum) != 8 or int(checksum, 16) != zlib.crc32(text):
        raise ValueError("the checksum does not fit")
    return history.from_json(text)


def _read(segment: Path) -> tuple[list[Prediction], list[bytes]]:
    rows, rotten = [], []
    for line in segment.read_bytes().split(b"\n"):
        if not line:
            continue
        good = _decoded(line)
        if good is None:
            # When the byte that rotted is a line's end, a whole record stands behind it.
            begins = [start.start() for start in _BEGINNING.finditer(line) if start.start() > 0]
            good = next((found for begin in begins if (found := _decoded(line[begin:]))), None)
            rotten.append(line)
        if good is not None:
            rows.append(good)
    return rows, rotten


def _decoded(line: bytes) -> Prediction | None:
    try:
        return decode(line)
    except (ValueError, TypeError, KeyError):
        return None


def _segments(folder: Path) -> list[Path]:
    """Ours alone, oldest first; whatever else lies there is left alone."""
    return sorted(file for file in folder.glob("*.log") if _SEGMENT.fullmatch(file.name) and file.is_file())


def _copy(source: Path, target: Path) -> None:
    fresh = target.with_suffix(".new")
    with source.open("rb") as old, fresh.open("wb") as new:
        shutil.copyfileobj(old, new)
        new.flush()
        os.fsync(new.fileno())
    fresh.rename(target)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _write_and_forget(path: Path) -> None:
    try:
        with path.open("wb") as file:
            file.write(bytes(65536))
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)


def _put_aside(path: Path, lines: Sequence[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"\n".join(lines) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _lines(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().split(b"\n") if line]


def _without(file: Path, meant: Callable[[bytes], bool]) -> None:
    lines = _lines(file)
    kept = [line for line in lines if not meant(line)]
    if len(kept) == len(lines):
        return
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    if kept:
        _put_aside(fresh, kept)
        fresh.rename(file)
    else:
        file.unlink()
    _sync_folder(file.parent)


def _remove(segment: Path) -> None:
    segment.unlink(missing_ok=True)
    _sync_folder(segment.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _try_lock(folder: Path) -> int | None:
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_ino != (folder / LOCK).stat().st_ino:  # somebody adopted the folder meanwhile
            raise FileNotFoundError
    except (BlockingIOError, FileNotFoundError):
        os.close(handle)
        return None
    return handle
