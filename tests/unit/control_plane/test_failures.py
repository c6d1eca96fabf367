"""What went wrong with a version is kept in few sentences, newest first; the handler's log says why a load failed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from control_plane.telemetry.failures import KEPT, KEPT_VERSIONS, Failures, load_failures

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = ("plants", "2")
NAMED = {"model": "plants", "version": "2"}


def test_the_newest_comes_first_and_the_same_again_only_gets_its_newer_time() -> None:
    failures = Failures()
    failures.note(KEY, "first", NOON)
    failures.note(KEY, "second", NOON + timedelta(seconds=1))
    failures.note(KEY, "second", NOON + timedelta(seconds=2))
    assert failures.of(KEY) == ["2026-05-01 12:00:02 UTC: second", "2026-05-01 12:00:00 UTC: first"]
    assert failures.of(("plants", "1")) == []


def test_what_is_kept_is_bounded() -> None:
    failures = Failures()
    for number in range(2 * KEPT):
        failures.note(KEY, f"error {number}")
    assert len(failures.of(KEY)) == KEPT
    for number in range(KEPT_VERSIONS):
        failures.note(("plants", f"other {number}"), "error")
    assert failures.of(KEY) == []


def test_loads_that_failed_are_found_among_other_and_broken_lines(tmp_path: Path) -> None:
    said = {"timestamp": NOON.isoformat(), "event": "load_failed", "error": "OSError: gone", **NAMED}
    lines = [
        "no json",
        json.dumps({"event": "predicted"}),
        json.dumps(said),
        '{"event": "load_failed"}',
        '"load_failed"',
    ]
    log = tmp_path / "handler.log"
    log.write_text("\n".join(lines))
    (failed,) = load_failures(log)
    assert (failed.key, failed.at) == (KEY, NOON)
    assert failed.sentence == "Version 2 cannot be loaded: OSError: gone"


def test_the_line_of_an_older_archive_is_read_too(tmp_path: Path) -> None:
    log = tmp_path / "handler.log"
    log.write_text(json.dumps({"ts": NOON.isoformat(), "event": "load_failed", "error": "OSError: gone", **NAMED}))
    assert [(failed.key, failed.at) for failed in load_failures(log)] == [(KEY, NOON)]


def test_without_a_log_nothing_is_known(tmp_path: Path) -> None:
    assert load_failures(None) == load_failures(tmp_path / "none.log") == []
