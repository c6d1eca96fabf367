"""What every request passes through costs no thread: FastAPI calls a plain dependency in one."""

import inspect

from control_plane.web import dependencies


def test_every_dependency_is_a_coroutine_function() -> None:
    own = [
        each
        for _, each in inspect.getmembers(dependencies, inspect.isfunction)
        if each.__module__ == dependencies.__name__
    ]
    plain = [each.__name__ for each in own if not inspect.iscoroutinefunction(each)]
    assert own
    assert not plain
