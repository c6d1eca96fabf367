"""One JSON object per line, with the request id of whoever logs."""

import io
import json
import logging
import logging.handlers
import os
import re
import sys
import threading
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

GATHER_SECONDS = 0.2
MOST_GATHERED = 1000
LOG_BYTES = 20 * 2**20
LOG_FILES = 5

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


class Gathered(logging.handlers.MemoryHandler):
    """Gathers lines and has them written together a few times a second; from a warning on at once.

    Written one by one, among all else, they cost a request three times as much. A process that is killed takes those of
    its last fifth of a second along.
    """

    def __init__(self, target: logging.Handler, seconds: float = GATHER_SECONDS) -> None:
        super().__init__(MOST_GATHERED, flushLevel=logging.WARNING, target=target)
        self._seconds = seconds
        self._any = threading.Event()
        threading.Thread(target=self._flush_again_and_again, name="log lines", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        # What belongs to the moment: by the time it is written others are at work.
        if record.args:
            record.msg, record.args = record.getMessage(), None
        if (current := request_id.get()) is not None:
            vars(record).setdefault("request_id", current)
        if (trace := trace_id.get()) is not None:
            vars(record).setdefault("trace_id", trace)
        super().emit(record)
        self._any.set()

    def _flush_again_and_again(self) -> None:
        while self._any.wait():
            self._any.clear()
            time.sleep(self._seconds)
            self.flush()


class RotatingFile(logging.handlers.RotatingFileHandler):
    """Counts what it writes. The standard one formats every line twice and asks the disk before each."""

    _written = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + self.terminator
            if self._written + len(line) > self.maxBytes:
                self.doRollover()
            self._written += len(line)
            self.stream = self.stream or self._open()
            self.stream.write(line)
            self.stream.flush()
        except Exception:
            self.handleError(record)

    def _open(self) -> io.TextIOWrapper:
        opened = super()._open()
        self._written = opened.seek(0, os.SEEK_END)
        return opened


def configure(*, level: str, folder: Path | None) -> None:
    """Send all logs to `folder`/control_plane.jsonl (rotated), or to standard output when it is None; OFF: nowhere."""
    if level == "OFF":
        logging.disable()
        return
    handler: logging.Handler
    if folder is None:
        handler = logging.StreamHandler(sys.stdout)
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
