"""The few bytes of PostgreSQL's protocol that the faults need: where a transaction is asked to end, and where it has.

It ends by COMMIT, or by a single statement that is a transaction of its own.
"""

import re

SYNC = b"S\x00\x00\x00\x04"
_COMMIT = b"COMMIT\x00"
# Only a statement that carries a whole record in one parameter names a column in its parameters.
_RECORDS = b"image_sha256"
# The command's tag, and directly behind it: ready, in no transaction.
_ENDED = re.compile(rb"C\x00\x00\x00.(?:COMMIT|INSERT 0 \d+)\x00Z\x00\x00\x00\x05I", re.DOTALL)
TAIL = 64


def ends_transaction(reply: bytes) -> bool:
    """Whether the server says in these bytes that something written is committed."""
    return _ENDED.search(reply) is not None


class Requests:
    """Watches one connection's bytes to the server."""

    def __init__(self) -> None:
        self._tail = b""
        self._records = False

    def asks_for_commit(self, data: bytes) -> bool:
        """Whether with these bytes the wish to commit has been said completely."""
        seen = self._tail + data
        self._tail = seen[-TAIL:]
        self._records = self._records or _RECORDS in seen
        if _COMMIT in seen[-TAIL:] or (self._records and seen.endswith(SYNC)):
            self._records, self._tail = False, b""
            return True
        return False


class Replies:
    """Watches one connection's bytes from the server."""

    def __init__(self) -> None:
        self._tail = b""

    def confirms_commit(self, data: bytes) -> bool:
        seen = self._tail + data
        self._tail = seen[-TAIL:]
        if ends_transaction(seen):
            self._tail = b""
            return True
        return False
