"""What the core's proof concludes from what it saw."""

from pathlib import Path

from tests.checker.record import Operation
from tests.proofs.core_lines.postgres_away import _slow_afterwards
from tests.proofs.core_lines.spool_disk import _use_after_failure

FILE = "/s/spool/r/00000001.log"


def answered(ended_at: float, seconds: float) -> Operation:
    return Operation("ab" * 32, 200, "ok", seconds, ended_at=ended_at)


def test_requests_that_wait_together_for_the_first_time_out_are_no_fault() -> None:
    assert _slow_afterwards([answered(13.0, 3.0), answered(13.1, 2.9), answered(13.2, 2.5), answered(14, 0.1)]) == []


def test_a_request_that_waits_again_is_a_fault() -> None:
    assert len(_slow_afterwards([answered(13.0, 3.0), answered(20.0, 3.0)])) == 1


def test_a_file_that_is_used_after_its_sync_failed_is_seen(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    write, sync = f'7 write(20<{FILE}>, "x", 1) = 1', f"7 fsync(20<{FILE}>) = -1 EIO (Input/output error) (INJECTED)"
    trace.write_text(f"{write}\n{sync}\n")
    assert _use_after_failure(trace) == (1, [])
    trace.write_text(f"{write}\n{sync}\n{write}\n")
    assert _use_after_failure(trace) == (1, [FILE])
