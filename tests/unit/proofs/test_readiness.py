"""The judges of readiness, of outages and of the printed command catch what is not true."""

import math

import pytest

from tests.hostile.contract import OK
from tests.proofs.ledger import Entry
from tests.proofs.readiness import Outage, Sample, false_hopes, lies, outage, seconds_until_said
from tests.proofs.spine_lines.line_1_fresh_start import printed_curl_line
from tests.proofs.wire import Answer

GOOD = Answer(200, OK, 0.1)
AWAY = Answer(503, "model_not_loaded", 0.1)


def test_ready_with_a_failing_prediction_is_a_lie() -> None:
    samples = [Sample(0, False, AWAY), Sample(1, True, AWAY), Sample(2, True, GOOD), Sample(3, None, AWAY)]
    assert len(lies(samples)) == 1


def test_ready_said_late_is_measured() -> None:
    assert seconds_until_said([Sample(0, False, AWAY), Sample(1, False, GOOD), Sample(4, True, GOOD)]) == 3


def test_ready_said_first_is_no_delay() -> None:
    assert seconds_until_said([Sample(1, True, GOOD)]) == 0


def test_ready_never_said_is_not_a_number() -> None:
    assert math.isnan(seconds_until_said([Sample(1, False, GOOD)]))


def test_outage_reaches_from_the_last_good_answer_to_the_next() -> None:
    entries = [Entry(1, GOOD), Entry(2, GOOD), Entry(3, AWAY), Entry(9, GOOD), Entry(9.5, GOOD)]
    assert outage(entries, fault_at=2.5) == Outage(2, 9)


def test_outage_that_begins_after_a_last_good_answer_is_found() -> None:
    entries = [Entry(2, GOOD), Entry(2.6, GOOD), Entry(8, GOOD)]
    assert outage(entries, fault_at=2.5) == Outage(2.6, 8)


def test_ready_said_in_the_middle_of_an_outage_is_caught() -> None:
    samples = [Sample(3, True), Sample(8, True), Sample(8.5, False), Sample(19.5, True), Sample(21, True)]
    assert false_hopes(samples, Outage(2, 20)) == ["ready 6.0 s into an outage"]


def test_curl_line_is_found_inside_a_coloured_frame() -> None:
    line = "curl -F image=@a.jpg http://localhost:8000/predict"
    assert printed_curl_line(f"Started\n\x1b[1m│  {line}   │\x1b[0m\nStop: Ctrl-C") == line


def test_output_without_a_curl_line_is_an_error() -> None:
    with pytest.raises(RuntimeError):
        printed_curl_line("Started")
