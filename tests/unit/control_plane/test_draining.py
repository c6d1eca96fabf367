"""While a service ends it says so, and nobody new gets a connection."""

import socket
import time
from types import SimpleNamespace
from typing import Any, cast

from control_plane import draining
from control_plane.draining import Ending
from control_plane.metrics import Metrics
from control_plane.predictions.readiness import REASONS, Readiness

ABOUT_A_TRY = 0.3


def test_it_is_not_ready_while_it_ends() -> None:
    ending, none = Ending(), cast("Any", None)
    fleet, recorder = SimpleNamespace(stable=None, absence="No model."), SimpleNamespace(can_record=True)
    readiness = Readiness(
        predictor=none, fleet=cast("Any", fleet), database=none, recorder=cast("Any", recorder), metrics=Metrics(),
        probe_seconds=1, ending=ending,
    )  # fmt: skip
    assert list(readiness.told()) == ["no_model"]
    ending.begun = True
    assert list(readiness.told()) == ["stopping", "no_model"]
    assert "draining" in readiness.reasons()[0]
    assert set(readiness.told()) <= set(REASONS)


def test_a_connection_that_was_made_can_be_taken_and_no_new_one_begins() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as late:
        with socket.create_connection(listener.getsockname()) as early:
            assert draining.let_no_new_one_begin(listener)
            late.setblocking(False)
            late.connect_ex(listener.getsockname())
            assert draining.has_unread(listener.fileno())
            taken, _ = listener.accept()
            with taken:
                early.sendall(b"still here")
                assert taken.recv(100) == b"still here"
        time.sleep(ABOUT_A_TRY)
        assert not draining.has_unread(listener.fileno())
