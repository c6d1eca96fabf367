"""One JSON object per line, with the request id of whoever logs."""

import contextlib
import io
import json
import logging
import logging.handlers
import os
import re
import sys
import threading
from collections import deque
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

GATHER_SECONDS = 0.2
MOST_GATHERED = 10_000
FLUSH_SECONDS = 2.0
LOG_BYTES = 20 * 2**20
LOG_FILES = 5
BUFFER_BYTES = 2**18  # what is gathered fits in, so that a reader finds no half of a line

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""32 hex digits: of the caller's trace, or the request id's own."""
address: ContextVar[str | None] = ContextVar("address", default=None)
"""Of who sent the request; for the audit."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# A word of a path that may be a credential which somebody put there by mistake: long, of mixed letters and digits.
_RANDOM = re.compile(r"(?=[\w.~-]*[a-z])(?=[\w.~-]*[A-Z])(?=[\w.~-]*\d)[\w.~-]{20,}", re.ASCII)
_ENCODER = json.JSONEncoder(default=str, ensure_ascii=False)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "module": record.module,
            "function": record.funcName,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _ENCODER.encode(line)


def without_credentials(path: str) -> str:
    """A path for the log; keys, tokens and passwords in it are cut after four characters."""
    return _RANDOM.sub(lambda found: f"{found[0][:4]}…", path)


class Gathered(logging.Handler):
    """Gathers lines and has them written together a few times a second, by a thread; from a warning on at once.

    Written one by one, among all else, they cost a request three times as much. And whoever reads the output may stop:
    then the thread waits and the service does not. What is too much is dropped and counted. A process that is killed
    takes the lines of its last fifth of a second along.
    """

    def __init__(self, target: logging.Handler, seconds: float = GATHER_SECONDS) -> None:
        super().__init__()
        self.lock = None  # appending needs none, and nobody may wait for who writes
        self.dropped = 0
        self._target = target
        self._seconds = seconds
        self._gathered: deque[logging.LogRecord | threading.Event] = deque()
        self._any, self._now = threading.Event(), threading.Event()
        threading.Thread(target=self._write_again_and_again, name="log lines", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._gathered) >= MOST_GATHERED:
            self.dropped += 1
            return
        # What belongs to the moment: by the time it is written others are at work.
        if record.args:
            record.msg, record.args = record.getMessage(), None
        if (current := request_id.get()) is not None:
            vars(record).setdefault("request_id", current)
        if (trace := trace_id.get()) is not None:
            vars(record).setdefault("trace_id", trace)
        self._gathered.append(record)
        if not self._any.is_set():  # to set it costs twenty times as much as to ask
            self._any.set()
        if record.levelno >= logging.WARNING:
            self._now.set()

    def flush(self) -> None:
        """Have all lines that were handed in before this call written, and what was dropped told; waits for that.

        Not for ever, since the reader may have stopped.
        """
        written = threading.Event()
        self._gathered.append(written)
        self._any.set()
        self._now.set()
        written.wait(FLUSH_SECONDS)

    def _write_again_and_again(self) -> None:
        told = 0
        while self._any.wait():
            self._now.wait(self._seconds)
            self._any.clear()
            self._now.clear()
            while self._gathered:
                line = self._gathered.popleft()
                if isinstance(line, threading.Event):
                    told = self._finish(told)
                    line.set()
                else:
                    self._target.handle(line)
            told = self._finish(told)

    def _finish(self, told: int) -> int:
        """Write how many were dropped since `told`, and have it all leave; gives what is told now."""
        dropped = self.dropped
        if dropped > told:
            self._target.handle(_dropped(dropped - told))
        with contextlib.suppress(OSError, ValueError):  # of a full disk, or a reader that has gone
            self._target.flush()
        return dropped


def _dropped(count: int) -> logging.LogRecord:
    fields = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING", "module": "logs"}
    return logging.makeLogRecord({**fields, "msg": "log lines were dropped: nobody took them", "count": count})


def dropped() -> int:
    """Lines that this process could not write."""
    return sum(each.dropped for each in logging.getLogger().handlers if isinstance(each, Gathered))


class Output(logging.StreamHandler[TextIO]):
    """Standard output. Lines leave with `flush`, many together; the standard handler makes a system call for each."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(self.format(record) + self.terminator)
        except Exception:
            self.handleError(record)


class RotatingFile(logging.handlers.RotatingFileHandler):
    """Counts what it writes. The standard one formats every line twice and asks the disk before each.

    Lines leave with `flush`, many together.
    """

    _written = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
            if self._written + len(line) > self.maxBytes:
                self.doRollover()
            self._written += len(line)
            self.stream = self.stream or self._open()
            self.stream.write(line)
        except Exception:
            self.handleError(record)

    def _open(self) -> io.TextIOWrapper:
        opened = Path(self.baseFilename).open("a", BUFFER_BYTES, self.encoding, self.errors)  # noqa: SIM115 - for long
        self._written = opened.seek(0, os.SEEK_END)
        return opened


def configure(*, level: str, folder: Path | None) -> None:
    """Send all logs to `folder`/control_plane.jsonl (rotated), or to standard output when it is None; OFF: nowhere."""
    if level == "OFF":
        logging.disable()
        return
    handler: logging.Handler
    if folder is None:
        handler = Output(sys.stdout)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFile(
            folder / "control_plane.jsonl",
            maxBytes=LOG_BYTES,
            backupCount=LOG_FILES,
            encoding="utf-8",
            errors="replace",
        )
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[Gathered(handler)], force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # readiness says once that the database is away
    logging.captureWarnings(True)
    # What no line tells need not be found out.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
