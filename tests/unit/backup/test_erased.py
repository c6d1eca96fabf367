"""The list of erasures only grows, and is read as it was written."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from backup import erased
from backup.erased import Certificate, Erased
from backup.errors import Damaged
from control_plane.domain.subjects import Tombstone
from control_plane.tables.audit import Head

ONE, OTHER = UUID(int=1), UUID(int=2)
FACTS = {"id": str(ONE), "removed": {"records": 1}}
FIRST = Erased(
    frozenset({Tombstone(ONE, request_id=OTHER), Tombstone(OTHER, subject=b"s" * 32, owner=b"o" * 32)}),
    frozenset({ONE}),
    (Certificate(7, datetime(2026, 1, 1, tzinfo=UTC), "admin", FACTS, b"d" * 32),),
    Head(9, b"h" * 32),
)


def test_it_is_read_as_it_was_written() -> None:
    assert erased.decode(erased.encode(FIRST), "x") == FIRST
    assert erased.decode(erased.encode(Erased()), "x") == Erased()
    assert (FIRST.names_people, Erased().names_people) == (True, False)


def test_lists_add_up() -> None:
    second = Erased(frozenset({Tombstone(OTHER, request_id=ONE)}), frozenset({OTHER}), (), Head(3, b"x" * 32))
    both = FIRST | second
    assert (len(both.tombstones), both.head) == (3, FIRST.head)
    assert both.withdrawn == {ONE, OTHER}
    assert both == second | FIRST
    assert both.without(FIRST).tombstones == second.tombstones
    assert both.without(FIRST).certificates == ()
    assert FIRST | FIRST == FIRST


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", erased.encode(FIRST)[:-9]])
def test_a_list_that_cannot_be_read_is_not_taken_for_an_empty_one(text: bytes) -> None:
    with pytest.raises(Damaged, match="come back"):
        erased.decode(text, "x")
