"""Where a transaction ends is seen in PostgreSQL's bytes, also when they come in pieces."""

import pytest

from tests.faults.pgwire import SYNC, Replies, Requests

IN_TRANSACTION, IDLE = b"Z\x00\x00\x00\x05T", b"Z\x00\x00\x00\x05I"
COMMIT, INSERT = b"C\x00\x00\x00\x0bCOMMIT\x00", b"C\x00\x00\x00\x0fINSERT 0 1\x00"


@pytest.mark.parametrize("reply", [COMMIT + IDLE, b"2n" + INSERT + IDLE, INSERT + INSERT + IDLE])
def test_a_reply_that_confirms_a_commit_is_seen(reply: bytes) -> None:
    assert Replies().confirms_commit(reply)
    watcher = Replies()
    assert [watcher.confirms_commit(reply[at : at + 1]) for at in range(len(reply))].count(True) == 1


@pytest.mark.parametrize("reply", [INSERT + IN_TRANSACTION, b"C\x00\x00\x00\x0dSELECT 1\x00" + IDLE, b"E...", IDLE])
def test_other_replies_are_none(reply: bytes) -> None:
    assert not Replies().confirms_commit(reply)


@pytest.mark.parametrize("sent", [b"Q\x00\x00\x00\x0bCOMMIT\x00", b'B..{"image_sha256":"ab"}E' + SYNC])
def test_a_wish_to_commit_is_seen_when_it_is_complete(sent: bytes) -> None:
    watcher = Requests()
    assert not watcher.asks_for_commit(sent[:-3])
    assert watcher.asks_for_commit(sent[-3:])
    assert not watcher.asks_for_commit(b"Q....SELECT 1\x00" + SYNC)
