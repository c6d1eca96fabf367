"""Away from a terminal a start prints one line per finished step, and a sign of life every few seconds."""

import pytest

from standalone.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_finished_step_gives_its_number_outcome_and_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    progress.begin(1, "PostgreSQL")
    clock.now += 1.7

    progress.finish(1, "ready")

    assert capsys.readouterr().out.split() == ["[1/5]", "PostgreSQL", "ready", "1.7", "s"]


def test_a_long_step_shows_that_it_lives_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    progress.begin(2, "model archive")
    progress.note(2, "Exported model.onnx")
    for _ in range(110):
        clock.now += 0.1
        progress.tick()

    assert capsys.readouterr().out.count("waiting for model archive") == 2


def test_a_short_step_shows_nothing_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    progress.begin(3, "TorchServe")
    for _ in range(10):
        clock.now += 0.1
        progress.tick()

    assert capsys.readouterr().out == ""
