"""The policy: what each route asks of who calls it. A route without a line here stops the start."""

from collections.abc import Sequence
from typing import Literal

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount, compile_path

from control_plane.domain.callers import Scope

Access = Literal["open", "any"] | Scope
"""`open`: everybody. `any`: any valid credential. Else the scope that the credential must have."""

POLICY: dict[tuple[str, str], Access] = {
    ("GET", "/"): "open",
    ("GET", "/docs"): "open",
    ("GET", "/redoc"): "open",
    ("GET", "/openapi.json"): "open",
    ("GET", "/access"): "open",
    ("GET", "/health"): "open",
    ("GET", "/health/live"): "open",
    ("GET", "/health/ready"): "open",
    ("GET", "/health/detailed"): "read",
    ("GET", "/metrics"): "read",
    ("GET", "/metrics/torchserve"): "read",
    ("GET", "/monitoring"): "open",
    ("GET", "/status/series"): "read",
    ("GET", "/status/alerts"): "read",
    ("GET", "/info"): "any",
    ("GET", "/info/example"): "any",
    ("POST", "/predict"): "predict",
    ("GET", "/history"): "read",
    ("DELETE", "/history"): "admin",
    ("GET", "/history/{request_id}"): "read",
    ("PATCH", "/history/{request_id}"): "predict",
    ("GET", "/history/{request_id}/image"): "read",
    ("PUT", "/history/{request_id}/image"): "predict",
    ("GET", "/models"): "read",
    ("GET", "/models/{name}"): "read",
    ("POST", "/models/{name}/versions"): "admin",
    ("DELETE", "/models/{name}/versions/{version}"): "admin",
    ("PUT", "/models/{name}/versions/{version}/workers"): "admin",
    ("PUT", "/models/{name}/rollout"): "admin",
    ("POST", "/models/{name}/promote"): "admin",
    ("POST", "/models/{name}/rollback"): "admin",
    ("POST", "/models/{name}/versions/{version}/evaluate"): "admin",
    ("GET", "/models/{name}/versions/{version}/evidence"): "read",
    ("GET", "/models/{name}/operations/{number}"): "read",
    ("GET", "/models/{name}/operations/{number}/events"): "read",
    ("DELETE", "/models/{name}/operations/{number}"): "admin",
    ("GET", "/v2"): "open",
    ("GET", "/v2/health/live"): "open",
    ("GET", "/v2/health/ready"): "open",
    ("GET", "/v2/models/{name}"): "any",
    ("GET", "/v2/models/{name}/ready"): "any",
    ("POST", "/v2/models/{name}/infer"): "predict",
    ("GET", "/v2/models/{name}/versions/{version}"): "any",
    ("GET", "/v2/models/{name}/versions/{version}/ready"): "any",
    ("POST", "/v2/models/{name}/versions/{version}/infer"): "predict",
    ("DELETE", "/history/{request_id}"): "predict",
    ("POST", "/erasures"): "predict",
    ("GET", "/erasures/{number}"): "predict",
    ("GET", "/audit"): "admin",
    ("GET", "/audit/verification"): "admin",
    ("GET", "/keys"): "admin",
    ("POST", "/keys"): "admin",
    ("GET", "/keys/{key_id}"): "admin",
    ("DELETE", "/keys/{key_id}"): "admin",
    ("POST", "/keys/{key_id}/rotation"): "admin",
}

UI = "/ui"  # static files, open to everybody


class Policy:
    """Finds what a request needs, by the same rules as the router finds its route."""

    def __init__(self, policy: dict[tuple[str, str], Access]) -> None:
        self._plain = {key: access for key, access in policy.items() if "{" not in key[1]}
        # All of them: the router's patterns take more than the path that is written, as a line end behind it.
        self._patterns = [(method, compile_path(path)[0], access) for (method, path), access in policy.items()]

    def of(self, method: str, path: str) -> Access:
        """What no line names is no route: open, so that it is answered 404 or 405."""
        method = "GET" if method == "HEAD" else method
        if (access := self._plain.get((method, path))) is not None:
            return access
        return next((a for m, pattern, a in self._patterns if m == method and pattern.match(path)), "open")


def without_policy(routes: Sequence[BaseRoute]) -> list[str]:
    """The routes that the policy says nothing of."""
    missing = [
        f"{method} {route.path}"
        for route in iter_route_contexts(routes)
        if not isinstance(route.original_route, Mount)
        for method in sorted((route.methods or set()) - {"HEAD"})
        if (method, route.path) not in POLICY
    ]
    return missing + [f"all below {each.path}" for each in routes if isinstance(each, Mount) and each.path != UI]
