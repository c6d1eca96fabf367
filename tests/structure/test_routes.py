"""No route and nothing that a route asks for runs in a thread: FastAPI would hop there and back for each."""

from collections.abc import Callable, Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from control_plane.routes import access, health, history, inference_protocol, info, keys, models, predict, status


def asked(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for each in dependant.dependencies:
        yield from asked(each)


def is_asynchronous(call: object) -> bool:
    return iscoroutinefunction(call) or isasyncgenfunction(call)


def test_routes_and_their_dependencies_are_coroutines() -> None:
    routes = [
        route
        for module in (predict, history, models, health, info, status, inference_protocol, keys, access)
        for route in module.router.routes
    ]
    calls = [call for route in routes if isinstance(route, APIRoute) for call in asked(route.dependant)]
    assert len(calls) > len(routes) > 5
    assert [call for call in calls if not is_asynchronous(call) and not is_asynchronous(type(call).__call__)] == []
