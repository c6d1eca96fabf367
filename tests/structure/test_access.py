"""The policy that the service goes by is the one that is written beside the tests."""

from starlette.routing import Route

from control_plane.access.policy import POLICY, Policy, without_policy
from tests.hostile.access import ACCESS


def test_the_policy_is_the_written_one() -> None:
    assert {f"{method} {path}": access for (method, path), access in POLICY.items()} == ACCESS


def test_a_route_without_a_policy_is_found() -> None:
    async def nothing() -> None:
        pass

    assert without_policy([Route("/new", nothing, methods=["POST"]), Route("/health", nothing)]) == ["POST /new"]


def test_a_request_is_judged_by_the_route_that_will_answer_it() -> None:
    policy = Policy(POLICY)
    assert policy.of("POST", "/predict") == "predict"
    assert policy.of("HEAD", "/keys") == "admin"
    assert policy.of("DELETE", "/keys/AAAAAAAA") == "admin"
    assert policy.of("PUT", "/models/plants/versions/2/workers") == "admin"
    assert policy.of("GET", "/models/plants/versions") == "open"  # no route: 404
    assert policy.of("GET", "/keys\n") == "admin"  # the router takes it for /keys
    assert policy.of("DELETE", "/history\n") == "admin"
