"""Ids of traces: what is taken from a caller, what is ours, and which are recorded."""

import random
import re
import subprocess
import sys

import pytest
import uuid_utils.compat as uuid

from control_plane.tables.database import described, statement
from control_plane.telemetry import tracing

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def test_a_later_version_of_traceparent_may_say_more() -> None:
    for value in (b"01-%s-%s-01", b"a0-%s-%s-01-more"):
        sent = tracing.read(value % (TRACE, SPAN))
        assert sent is not None
        assert str(sent) == f"00-{TRACE.decode()}-{SPAN.decode()}-01"
    assert tracing.read(b"01-%s-%s-01more" % (TRACE, SPAN)) is None


def test_whatever_somebody_sends_what_is_passed_on_is_well_formed() -> None:
    chance = random.Random(1)
    good = b"00-%s-%s-01" % (TRACE, SPAN)
    taken = 0
    for _ in range(20_000):
        value = bytearray(good)
        for _ in range(chance.randrange(3)):
            place = chance.randrange(len(value) + 1)
            value[place : place + chance.randrange(3)] = bytes(
                chance.choice(b"0123456789abcdefABg-\n\x00\xff ") for _ in range(chance.randrange(3))
            )
        sent = tracing.read(bytes(value))
        taken += sent is not None
        assert sent is None or WELL_FORMED.fullmatch(str(sent))
    assert 2000 < taken < 18_000


def test_our_own_is_well_formed_and_named_by_the_request() -> None:
    for _ in range(1000):
        minted = uuid.uuid7()
        assert WELL_FORMED.fullmatch(tracing.own(minted))
        assert tracing.own(minted).split("-")[1] == minted.hex


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_share_of_request_ids_that_is_recorded_is_the_one_asked_for(share: float) -> None:
    count = 20_000
    recorded = sum(tracing.falls_within(uuid.uuid7().hex, share) for _ in range(count))
    spread = 4 * (count * share * (1 - share)) ** 0.5
    assert abs(recorded - share * count) <= spread


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("\n  INSERT INTO predictions SELECT 1", "INSERT predictions"),
        ("SELECT a\n FROM keys WHERE id = %(id)s", "SELECT keys"),
        ("update model_versions SET a = 1", "UPDATE model_versions"),
        ("SELECT pg_advisory_lock(1)", "SELECT"),
        ("", "SQL"),
    ],
)
def test_a_statement_is_named_by_its_verb_and_table(sql: str, name: str) -> None:
    assert statement(sql) == name
    assert described(name)["db.query.summary"] == name


def test_without_a_collector_the_sdk_is_not_even_loaded() -> None:
    program = (
        "import sys; from control_plane.app import create_app; from control_plane.settings import Settings; "
        "create_app(Settings(database_url='postgresql://a:b@127.0.0.1:1/c', state_dir=sys.argv[1])); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', "
        "'control_plane.telemetry.spans', 'requests', 'google'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "/tmp/weedwatch-nothing-traced"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.stdout.strip() == "[]", ran.stderr
