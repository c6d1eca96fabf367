"""Each kind of broken promise is caught, and a kept one is not called broken."""

import json
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.checker.judge import faults_in_answers, faults_in_records, faults_in_replays
from tests.checker.kept import read_segment
from tests.checker.record import Kept, Operation, Outcome, Record, read_log, write_log

PICTURE = "ab" * 32
OTHER = "cd" * 32
DONE = Operation(PICTURE, 200, "ok", 0.1, request_id="r1", label="fern", version="1")
REFUSED = Operation(OTHER, 429, "overloaded", 0.01, request_id="r2")
NO_ANSWER = Operation(OTHER, 0, "closed", 0.2)
ROW = Record("r1", "fern", "1", PICTURE)


def test_an_answer_says_whether_it_was_done() -> None:
    outcomes = [DONE.outcome, REFUSED.outcome, NO_ANSWER.outcome, replace(REFUSED, status=503).outcome]
    assert outcomes == [Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN, Outcome.UNKNOWN]


@pytest.mark.parametrize(
    "kept",
    [
        Kept(rows=(ROW,)),
        Kept(spooled=(ROW,)),
        Kept(rows=(ROW,), spooled=(ROW,)),
        Kept(aside=(ROW,)),
        Kept(rows=(ROW, Record("of another client", "x", "1", "ee" * 32))),
    ],
    ids=["in the table", "in the spool", "on its way", "put aside", "beside others"],
)
def test_a_kept_promise_has_no_fault(kept: Kept) -> None:
    assert faults_in_records([DONE, REFUSED, NO_ANSWER], kept) == []


@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        (Kept(), "is lost"),
        (Kept(rows=(ROW, ROW)), "2 times"),
        (Kept(rows=(ROW, replace(ROW, request_id="r9"))), "kept 2 times"),
        (Kept(rows=(replace(ROW, label="lantana"),)), "label answered 'fern', kept 'lantana'"),
        (Kept(rows=(replace(ROW, version="2"),)), "version answered '1', kept '2'"),
        (Kept(rows=(replace(ROW, picture=OTHER),)), "picture answered"),
        (Kept(rows=(ROW, replace(ROW, request_id="r2", picture=OTHER))), "was refused (overloaded) and is kept"),
    ],
    ids=["dropped", "doubled", "doubled by another id", "wrong label", "wrong version", "wrong picture", "refused"],
)
def test_a_planted_defect_in_the_records_is_caught(kept: Kept, fault: str) -> None:
    faults = faults_in_records([DONE, REFUSED], kept)
    assert any(fault in each for each in faults)


def test_a_refused_request_that_is_kept_under_an_unknown_id_is_caught() -> None:
    kept = Kept(rows=(ROW, Record("r7", "fern", "1", OTHER)))
    assert faults_in_records([DONE, REFUSED], kept) == [f"picture {OTHER[:12]} is kept 1 times, at most 0 can be"]


@pytest.mark.parametrize(("times", "faults"), [(0, 0), (1, 0), (2, 1)])
def test_a_request_without_an_answer_is_kept_at_most_once(times: int, faults: int) -> None:
    rows = tuple(Record(f"u{number}", "fern", "1", OTHER) for number in range(times))
    assert len(faults_in_records([NO_ANSWER], Kept(rows=rows))) == faults


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        (replace(DONE, seconds=11.5), "waited 11.5 s"),
        (Operation(PICTURE, 0, "silent", 25.0), "waited 25.0 s"),
        (Operation(PICTURE, 500, "internal_error", 0.1, request_id="r"), "a 500"),
        (Operation(PICTURE, 404, "not_found", 0.1, request_id="r"), "404 not_found"),
        (Operation(PICTURE, 500, "overloaded", 0.1, request_id="r"), "a 500"),
        (replace(DONE, problem="the answer has no request_id"), "no request_id"),
        (NO_ANSWER, "no answer, closed"),
    ],
    ids=["late", "a hang", "a 500", "not allowed", "false status", "without id", "closed"],
)
def test_a_bad_answer_is_caught(operation: Operation, fault: str) -> None:
    assert fault in faults_in_answers([operation])[0]


def test_documented_answers_in_time_have_no_fault() -> None:
    assert faults_in_answers([DONE, REFUSED, replace(DONE, seconds=10.9)]) == []


def test_a_socket_may_close_while_its_process_is_killed_but_not_hang() -> None:
    hang = Operation(PICTURE, 0, "silent", 25.0)
    assert len(faults_in_answers([NO_ANSWER, hang], may_break=True)) == 1


def test_a_replay_of_the_same_key_and_picture_has_no_fault() -> None:
    first = replace(DONE, key="k")
    assert faults_in_replays([first, replace(first, replayed=True)]) == []


@pytest.mark.parametrize("change", [{"key": "other"}, {"picture": OTHER}, {"request_id": "r9"}, {"label": "x"}])
def test_a_replay_of_something_else_is_caught(change: dict[str, str]) -> None:
    first = replace(DONE, key="k")
    assert len(faults_in_replays([first, replace(first, replayed=True, **change)])) == 1  # type: ignore[arg-type]


def line(record: dict[str, str]) -> bytes:
    text = json.dumps(record).encode()
    return b"%08x %s" % (zlib.crc32(text), text)


def test_the_reader_of_segments_counts_rotten_lines(tmp_path: Path) -> None:
    record = {"request_id": "r1", "label": "fern", "version": "1", "image_sha256": PICTURE, "more": "x"}
    good = line(record)
    segment = tmp_path / "00000001.log"
    segment.write_bytes(b"\n".join([good, good.replace(b"fern", b"Fern"), b"\x00" * 99, good[:-4]]))
    assert read_segment(segment) == ([ROW], 3)


def test_a_log_is_the_same_after_reading_it_back(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [DONE, REFUSED])
    assert read_log(tmp_path / "log") == [DONE, REFUSED]
