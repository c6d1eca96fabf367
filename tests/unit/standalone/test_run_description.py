"""One run at a time holds a state folder, and what an earlier one left is removed."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from standalone.leftovers import created_at, private_name, repair
from standalone.runfile import Run, read_run, take_lock, write_run


def test_a_second_run_does_not_get_the_lock_until_the_first_lets_go(tmp_path: Path) -> None:
    first = take_lock(tmp_path)
    assert first is not None
    assert take_lock(tmp_path) is None

    os.close(first)

    second = take_lock(tmp_path)
    assert second is not None
    os.close(second)


def test_a_description_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = Run(front=1, supervisor=2, status="ready", private="/tmp/weedwatch-x", ports={"postgres": 5})

    write_run(tmp_path, run)

    assert read_run(tmp_path) == run


def test_a_torn_description_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"front": 1')

    assert read_run(tmp_path) is None


def test_private_folders_have_paths_short_enough_for_sockets() -> None:
    assert len(str(private_name() / ".ts.sock.9000")) < 80


def test_repair_removes_the_private_folder_and_the_description(tmp_path: Path) -> None:
    private = tmp_path / "weedwatch-0"
    (private / "models").mkdir(parents=True)
    write_run(tmp_path, Run(front=1, private=str(private)))

    repair(tmp_path)

    assert not private.exists()
    assert read_run(tmp_path) is None


def test_repair_never_removes_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    other = tmp_path / "photos"
    other.mkdir()
    write_run(tmp_path, Run(front=1, private=str(other)))

    repair(tmp_path)

    assert other.exists()


def test_repair_ends_a_child_that_survived_but_no_process_that_has_its_number_by_now(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; time.sleep(99)"]
    survivor, stranger = subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)
    threading.Thread(target=survivor.wait, daemon=True).start()  # a child of ours stays a zombie until it is waited for
    try:
        children = {"a": (survivor.pid, created_at(survivor.pid)), "b": (stranger.pid, 1.0)}
        write_run(tmp_path, Run(front=1, children=children))
        ended = subprocess.run([sys.executable, "-c", REPAIR, str(tmp_path)], timeout=120, check=False)

        assert ended.returncode == 0
        assert survivor.wait(60) != 0
        time.sleep(0.1)
        assert stranger.poll() is None
    finally:
        for process in (survivor, stranger):
            process.kill()
            process.wait(60)


REPAIR = """
import sys
from pathlib import Path
from standalone import leftovers
leftovers.GRACE_SECONDS = 0.1
leftovers.end.__defaults__ = (0.1,)
leftovers.repair(Path(sys.argv[1]))
"""
