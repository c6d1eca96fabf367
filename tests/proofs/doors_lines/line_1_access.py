"""Line 1: every route × every kind of caller, against a written policy."""

import base64
import json
import time
from typing import Any

import httpx2

from tests.closed import Closed, bearer, closed, with_provider
from tests.hostile.access import ACCESS, SCOPES, Cell, Who, cells
from tests.issuer.issuing import claims, new_key
from tests.proofs.harness import Context
from tests.proofs.results import Figure, is_true, none_of
from tests.proofs.samples import samples
from tests.proofs.wire import get

PAGES = ("/", "/docs", "/redoc", "/openapi.json", "/monitoring")
STREAMS = {"GET /models/{name}/operations/{number}/events"}  # an OpenAPI document cannot describe them
BODIES: dict[str, dict[str, Any]] = {"DELETE": {"params": {"before": "1970-01-01T00:00:00Z"}}}


def run(context: Context) -> list[Figure]:
    with closed(context.root) as place:
        callers = who_calls(place)
        routes = _routes(place)
        return [
            _walk(context, "cells of route × caller that are not as the policy says", place.http, callers),
            _tokens(context, place),
            is_true("routes of the service and of the policy are the same", routes == set(ACCESS), _differ(routes)),
            *_other_owner(context, place),
        ]


def _walk(context: Context, what: str, http: httpx2.Client, callers: list[Who]) -> Figure:
    walked = [(cell, _ask(http, cell)) for cell in cells(callers)]
    wrong = [
        f"{cell.method} {cell.target} by {cell.who.name}: {answer.status_code}, not {cell.status or 'let in'}"
        for cell, answer in walked
        if not _is_right(cell, answer)
    ]
    return none_of(what, wrong, len(walked), context.say)


def _tokens(context: Context, place: Closed) -> Figure:
    """The same where an OpenID provider signs: its own tokens, and those that look like them."""
    with with_provider(place.stack) as (signed, provider):
        key = provider.keys[0]
        good = claims(provider.url, scope="weedwatch:read")
        bad = {
            "for another service": key.sign(good | {"aud": "https://other.example"}),
            "that has ended": key.sign(good | {"exp": good["iat"] - 3600}),
            "of another provider": key.sign(good | {"iss": "https://login.example"}),
            "with alg=none": _token({"alg": "none", "kid": key.kid}, good),
            "signed with another key": new_key(key.kid).sign(good),
            "that is an ID token": key.sign(good | {"nonce": "n"}, typ="JWT"),
        }
        callers = [
            *(Who(f"a token {what}", bearer(token), None) for what, token in bad.items()),
            Who("a token without a word", bearer(key.sign(good | {"scope": "openid"})), frozenset()),
            Who("a token with read", bearer(key.sign(good)), frozenset({"read"})),
            Who("a token with predict", bearer(provider.token("weedwatch:predict")), frozenset({"predict"})),
        ]
        return _walk(context, "cells of route × token that are not as the policy says", signed.http, callers)


def who_calls(place: Closed) -> list[Who]:
    """Everybody of the policy: nobody, each scope, and credentials that are worth nothing."""
    revoked = place.make_key(*SCOPES, name="revoked")
    assert place.http.delete(f"/keys/{revoked['id']}", headers=place.admin).status_code == 204
    expired = place.make_key(*SCOPES, name="expired", expires_in_days=1e-6)
    time.sleep(0.2)
    other = place.make_key("read", name="other")["key"]
    worthless = {
        "no credential": {},
        "an expired key": bearer(expired["key"]),
        "a revoked key": bearer(revoked["key"]),
        "a key with another secret": bearer(f"{other[:12]}{'A' * 43}"),
        "a key that never was": bearer(f"ww_AAAAAAAA_{'A' * 43}"),
        "a token with alg=none": bearer(_token({"alg": "none"}, {"sub": "x", "scope": "weedwatch:admin"})),
        "two credentials at once": {"Authorization": f"Bearer {other}, Bearer {other}"},
        "a name and a password": {"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()},
    }
    return [
        *(Who(name, headers, None) for name, headers in worthless.items()),
        *(Who(f"a key with {scope}", place.headers(scope, name=scope), frozenset({scope})) for scope in SCOPES),
        Who("the admin token", place.admin, frozenset(SCOPES)),
    ]


def _token(header: dict[str, str], body: dict[str, Any]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, body)]
    return ".".join([*parts, ""])


def _ask(http: httpx2.Client, cell: Cell) -> httpx2.Response:
    more = BODIES.get(cell.method, {}) if cell.target == "/history" else {}
    return http.request(cell.method, cell.target, headers=dict(cell.who.headers), **more)


def _is_right(cell: Cell, answer: httpx2.Response) -> bool:
    if cell.status is None:
        return answer.status_code not in (401, 403) and answer.status_code < 500
    challenged = cell.status != 401 or answer.headers.get("www-authenticate") == "Bearer"
    return answer.status_code == cell.status and challenged and "traceback" not in answer.text.lower()


def _routes(place: Closed) -> set[str]:
    """What the service says that it has, and its pages."""
    document = place.http.get("/openapi.json").json()
    documented = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    pages = {f"GET {path}" for path in PAGES if get(place.stack.port, path).status in (200, 307)}
    return documented | pages | STREAMS


def _differ(routes: set[str]) -> str:
    return ", ".join(sorted(routes ^ set(ACCESS))) or f"{len(routes)} routes"


def _other_owner(context: Context, place: Closed) -> list[Figure]:
    """Somebody else's record is as one that never was: the same status, the same body."""
    photo = next(iter(samples(context.root).values()))
    mine, theirs = place.headers("predict", "read", name="mine"), place.headers("predict", "read", name="theirs")
    record = place.predict(photo, mine, consent=True).json()["request_id"]
    asks: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "", {}),
        ("GET", "/image", {}),
        ("PATCH", "", {"json": {"subject": "taken"}}),
        ("PUT", "/image", {"content": photo}),
    ]
    faults = []
    for method, below, more in asks:
        theirs_says, unknown_says = (
            place.http.request(method, f"/history/{each}{below}", headers=theirs, **more)
            for each in (record, record[:-4] + ("0000" if record[-4:] != "0000" else "1111"))
        )
        mine_says = place.http.request(method, f"/history/{record}{below}", headers=mine, **more)
        if (theirs_says.status_code, _body(theirs_says)) != (404, _body(unknown_says)) or mine_says.status_code != 200:
            faults.append(f"{method} {below}: {theirs_says.status_code}, own {mine_says.status_code}")
    listed = place.http.get("/history", headers=theirs).json()["items"]
    table = place.http.get("/history", params={"format": "csv"}, headers=theirs).text
    if listed or record in table:
        faults.append("it stands in another owner's list")
    if [each["request_id"] for each in place.http.get("/history", headers=mine).json()["items"]] != [record]:
        faults.append("it does not stand in its owner's list")
    return [none_of("ways to somebody else's record", faults, len(asks) + 2, context.say)]


def _body(answer: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    return body | {"request_id": None}
