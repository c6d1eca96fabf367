"""What each route asks of its callers, kept apart from the code that it judges; and who might call.

`open`: everybody. `any`: any valid credential. Else the scope that is needed; admin may do all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SCOPES = ("predict", "read", "locations", "feedback", "jobs", "train", "admin")

ACCESS: dict[str, str] = {
    "GET /": "open",
    "GET /docs": "open",
    "GET /redoc": "open",
    "GET /openapi.json": "open",
    "GET /access": "open",
    "GET /monitoring": "open",
    "GET /health": "open",
    "GET /health/live": "open",
    "GET /health/ready": "open",
    "GET /v2": "open",
    "GET /v2/health/live": "open",
    "GET /v2/health/ready": "open",
    "GET /info": "any",
    "GET /info/example": "any",
    "GET /v2/models/{name}": "any",
    "GET /v2/models/{name}/ready": "any",
    "GET /v2/models/{name}/versions/{version}": "any",
    "GET /v2/models/{name}/versions/{version}/ready": "any",
    "GET /health/detailed": "read",
    "GET /metrics": "read",
    "GET /metrics/torchserve": "read",
    "GET /status/series": "read",
    "GET /status/alerts": "read",
    "GET /history": "read",
    "GET /history/{request_id}": "read",
    "GET /history/{request_id}/image": "read",
    "GET /models": "read",
    "GET /models/{name}": "read",
    "GET /models/{name}/versions/{version}/evidence": "read",
    "GET /models/{name}/operations/{number}": "read",
    "GET /models/{name}/operations/{number}/events": "read",
    "POST /predict": "predict",
    "POST /v2/models/{name}/infer": "predict",
    "POST /v2/models/{name}/versions/{version}/infer": "predict",
    "PATCH /history/{request_id}": "predict",
    "PUT /history/{request_id}/image": "predict",
    "DELETE /history/{request_id}": "predict",
    "POST /erasures": "predict",
    "GET /erasures/{number}": "predict",
    "GET /audit": "admin",
    "GET /audit/verification": "admin",
    "DELETE /history": "admin",
    "POST /models/{name}/versions": "admin",
    "DELETE /models/{name}/versions/{version}": "admin",
    "PUT /models/{name}/versions/{version}/workers": "admin",
    "POST /models/{name}/versions/{version}/evaluate": "admin",
    "PUT /models/{name}/rollout": "admin",
    "POST /models/{name}/promote": "admin",
    "POST /models/{name}/rollback": "admin",
    "DELETE /models/{name}/operations/{number}": "admin",
    "GET /keys": "admin",
    "POST /keys": "admin",
    "GET /keys/{key_id}": "admin",
    "DELETE /keys/{key_id}": "admin",
    "POST /keys/{key_id}/rotation": "admin",
}

# Nothing that exists, but for what a test names otherwise: who is let in is told so.
NOWHERE = {
    "name": "plants",
    "version": "none",
    "request_id": "01890000-0000-7000-8000-000000000000",
    "number": "01890000-0000-7000-8000-000000000000",
    "key_id": "AAAAAAAA",
}


@dataclass(frozen=True)
class Who:
    """Somebody who calls: what is shown, and the scopes that it stands for; None: it is worth nothing."""

    name: str
    headers: Mapping[str, str]
    scopes: frozenset[str] | None


@dataclass(frozen=True)
class Cell:
    """One route for one caller; `status` 401 or 403, or None where the caller is let in."""

    method: str
    target: str
    who: Who
    status: int | None


def cells(callers: list[Who], places: Mapping[str, str] = NOWHERE) -> Iterator[Cell]:
    for route, access in ACCESS.items():
        method, path = route.split(" ")
        for who in callers:
            yield Cell(method, path.format(**places), who, _status(access, who.scopes))


def _status(access: str, scopes: frozenset[str] | None) -> int | None:
    if access == "open":
        return None
    if scopes is None:
        return 401
    return None if access == "any" or scopes & {access, "admin"} else 403
