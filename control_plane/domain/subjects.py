"""Whose record it is, without saying who: keyed digests of subjects and owners.

The key is the platform's own (that of the API keys), the same on every replica; who has the database alone cannot try
names. After a change of the key the old one, as long as it is known, still finds what was digested with it.
"""

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

_ID = re.compile(rb'"request_id":"([0-9a-fA-F-]{36})"')
_TEXT = rb'":("(?:[^"\\]|\\.)*")'


@dataclass(frozen=True)
class Tombstone:
    """What was erased and must not come back: one record, or those of a subject with ids below `before`.

    With an owner: only those that are the owner's. Subject and owner are digests.
    """

    before: UUID
    request_id: UUID | None = None
    subject: bytes | None = None
    owner: bytes | None = None


class Subjects:
    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys`: the newest first."""
        self._keys = keys

    def digest(self, name: str) -> bytes:
        return _digest(self._keys[0], name)

    def digests(self, name: str | None) -> frozenset[bytes]:
        """With every key that is known."""
        return frozenset() if name is None else frozenset(_digest(key, name) for key in self._keys)

    def covers(self, stone: Tombstone, request_id: UUID | None, subject: str | None, owner: str | None) -> bool:
        """Whether a record was erased; one whose id cannot be read counts as old."""
        if stone.request_id is not None:
            return request_id == stone.request_id
        owners = self.digests(owner)
        return (
            (request_id is None or request_id < stone.before)
            and stone.subject in self.digests(subject) | owners
            and (stone.owner is None or stone.owner in owners)
        )

    def covers_line(self, stones: Sequence[Tombstone], line: bytes) -> bool:
        """The same of a line of the spool, which may be rotten: what can be read of it counts."""
        found = _ID.search(line)
        subject, owner = _text(line, b'"subject'), _text(line, b'"owner')
        return any(self.covers(stone, UUID(found[1].decode()) if found else None, subject, owner) for stone in stones)


def _digest(key: bytes, name: str) -> bytes:
    return hmac.digest(key, b"subject\0" + name.encode("utf-8", "surrogatepass"), "sha256")


def _text(line: bytes, name: bytes) -> str | None:
    found = re.search(name + _TEXT, line)
    if found is None:
        return None
    try:
        text: str = json.loads(found[1])
    except ValueError:
        return None
    return text
