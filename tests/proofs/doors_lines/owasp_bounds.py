"""Item 4: whatever is asked for too much of is refused as documented, and the memory stays where it was."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import quote

from tests.hostile.multipart import multipart
from tests.hostile.parameters import parameters
from tests.hostile.request import Hostile
from tests.hostile.sizes import sizes
from tests.proofs.doors_lines.owasp_ground import UNKNOWN, Ground
from tests.proofs.judge import fault_in
from tests.proofs.memory import resident
from tests.proofs.results import Figure, at_most, none_of
from tests.proofs.wire import exchange

ANSWER_SECONDS = 30.0
GROWTH_MIB = 150.0
BOUND = (408, 413, 422, 429, 431)
OF_A_FAMILY = 200


def run(ground: Ground) -> list[Figure]:
    before = resident(ground.place.stack)["control plane"]
    faults, asked = list[str](), 0
    for name, call in {**_lists(), **_bodies(ground), **_headers(ground)}.items():
        method, target, headers, body = call
        reply = ground.ask(method, target, {**ground.admin, **headers}, body)
        asked += 1
        # Whoever still sends a megabyte of headers when the connection ends may miss the refusal.
        if reply.status not in BOUND and not (reply.status == 0 and "MB" in name):
            faults.append(f"{name}: {reply.status}")
    hostile, wrong = 0, []
    for family in (parameters, multipart, sizes):
        for request in islice(family(), ground.context.count(OF_A_FAMILY * 10, at_least=OF_A_FAMILY)):
            hostile += 1
            fault = fault_in(
                exchange(ground.place.stack.port, _shown(ground, request), ANSWER_SECONDS), request.allowed
            )
            if fault:
                wrong.append(f"{request.name}: {fault}")
    grown = resident(ground.place.stack)["control plane"] - before
    return [
        none_of("requests beyond a bound that were not refused as such", faults, asked, ground.context.say),
        none_of(
            "odd parameters, forms and sizes with a key that were answered wrong", wrong, hostile, ground.context.say
        ),
        at_most("memory that the control plane kept of all that", grown, GROWTH_MIB, "MiB"),
    ]


def _shown(ground: Ground, request: Hostile) -> Iterator[bytes]:
    credential = f"Authorization: {ground.owner['Authorization']}\r\n\r\n".encode()
    return replace(request, head=request.head.removesuffix(b"\r\n") + credential).pieces()


Call = tuple[str, str, dict[str, str], bytes]


def _lists() -> dict[str, Call]:
    queries = {
        "page of 0": "limit=0",
        "page of 201": "limit=201",
        "page of 10^30": f"limit={10**30}",
        "page of -1": "limit=-1",
        "cursor of 10 000": "cursor=" + "A" * 10_000,
        "cursor of nothing": "cursor=%00",
        "confidence of 2": "min_confidence=2",
        "confidence nan": "min_confidence=nan",
        "year 99999": "since=99999-01-01T00:00:00Z",
        "label of 201": "label=" + "x" * 201,
        "search of 201": "q=" + "x" * 201,
        "search with a NUL": "q=%00",
        "format nobody knows": "format=xml",
    }
    return {name: ("GET", f"/history?{query}", {}, b"") for name, query in queries.items()}


def _bodies(ground: Ground) -> dict[str, Call]:
    keys: dict[str, Any] = {
        "key name of 201": b'{"name": "%s"}' % (b"x" * 201),
        "key name of 2 MB": b'{"name": "%s"}' % (b"x" * 2_000_000),
        "key name empty": b'{"name": ""}',
        "key name with a NUL": b'{"name": "a\\u0000"}',
        "no scopes": b'{"name": "a", "scopes": []}',
        "scope nobody knows": b'{"name": "a", "scopes": ["root"]}',
        "key for ever": b'{"name": "a", "expires_in_days": 1e308}',
        "key until infinity": b'{"name": "a", "expires_in_days": Infinity}',
        "key for less than nothing": b'{"name": "a", "expires_in_days": -1}',
        "rate of 10^9": b'{"name": "a", "limits": {"rate": 1e9}}',
        "deep JSON": b'{"name": ' + b"[" * 100_000,
        "a number of 100 000 digits": b'{"name": "a", "expires_in_days": ' + b"9" * 100_000 + b"}",
        "not UTF-8": b'{"name": "\xff"}',
        "half a surrogate": b'{"name": "\\ud800"}',
        "no JSON": b"name=a",
    }
    json = {"Content-Type": "application/json"}
    record = f"/history/{ground.record}"
    return {
        **{name: ("POST", "/keys", json, body) for name, body in keys.items()},
        "subject of 201": ("PATCH", record, json, b'{"subject": "%s"}' % (b"x" * 201)),
        "amendment of 2 MB": ("PATCH", record, json, b'{"subject": "%s"}' % (b"x" * 2_000_000)),
        "latitude of 91": ("PATCH", record, json, b'{"latitude": 91, "longitude": 0}'),
        "workers of 65": ("PUT", "/models/plants/versions/1/workers", json, b'{"workers": 65}'),
        "workers of 10^30": ("PUT", "/models/plants/versions/1/workers", json, b'{"workers": 1%s}' % (b"0" * 30)),
        "percent of 101": (
            "PUT",
            "/models/plants/rollout",
            json,
            b'{"stable": "1", "canary": "2", "canary_percent": 101}',
        ),
        "reason of 1001": ("POST", "/models/plants/promote", json, b'{"version": "2", "reason": "%s"}' % (b"x" * 1001)),
        "URL of 2001": ("POST", "/models/plants/versions", json, b'{"version": "2", "url": "%s"}' % (b"x" * 2001)),
        "model name of 201": ("GET", "/models/" + "x" * 201, {}, b""),
        "record id of 5000": ("GET", "/history/" + "1" * 5000, {}, b""),
        "key id of 5000": ("GET", "/keys/" + "A" * 5000, {}, b""),
        "key id with a quote": ("GET", "/keys/" + quote("AAAAAA'A"), {}, b""),
        "top_k of 101": ("POST", "/predict?top_k=101", {"Content-Type": "image/jpeg"}, ground.photo),
        "picture of an unknown record": ("PATCH", f"/history/{UNKNOWN % 1}x", json, b"{}"),
    }


def _headers(ground: Ground) -> dict[str, Call]:
    return {
        "a header of 1 MB": ("GET", "/info", {"X-Long": "x" * 1_000_000}, b""),
        "300 headers": ("GET", "/info", {f"X-{number}": "y" for number in range(300)}, b""),
        "a target of 100 KB": ("GET", "/info?" + "a" * 100_000, {}, b""),
        "an Idempotency-Key of 256": (
            "POST", "/predict", {"Content-Type": "image/jpeg", "Idempotency-Key": "k" * 256}, ground.photo,
        ),
    }  # fmt: skip
