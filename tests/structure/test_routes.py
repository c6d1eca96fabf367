"""No route and nothing that a route asks for runs in a thread: FastAPI would hop there and back for each."""

from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from control_plane.routes import health, history, inference_protocol, info, predict, status


def asked(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for each in dependant.dependencies:
        yield from asked(each)


def test_routes_and_their_dependencies_are_coroutines() -> None:
    routes = [
        route
        for module in (predict, history, health, info, status, inference_protocol)
        for route in module.router.routes
    ]
    calls = [call for route in routes if isinstance(route, APIRoute) for call in asked(route.dependant)]
    assert len(calls) > len(routes) > 5
    assert [
        call for call in calls if not iscoroutinefunction(call) and not iscoroutinefunction(type(call).__call__)
    ] == []
