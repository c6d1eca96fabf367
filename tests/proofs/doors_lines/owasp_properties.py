"""Item 3: nothing but what a write is documented to take has an effect; nothing undeclared is ever answered."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tests.hostile.request import MULTIPART, form, part
from tests.proofs.doors_lines.owasp_ground import UNKNOWN, Ground, Reply
from tests.proofs.results import Figure, at_least, none_of

ALWAYS = ("role", "roles", "scopes", "scope", "owner", "version", "created_at", "is_admin", "identity", "address")
EVIL: dict[str, Any] = {
    "scopes": ["admin"],
    "created_at": "1970-01-01T00:00:00Z",
    "request_id": UNKNOWN % 7,
    "id": UNKNOWN % 7,
    "owner": "somebody else",
    "confidence": 0.123456,
    "revision": 1,
    "label": "planted",
}
MODEL = "/models/plants"
# What is asked of each write when nothing is pushed into it; a status below 300 is not wanted of all of them.
WRITES: dict[str, dict[str, Any]] = {
    "PATCH /history/{request_id}": {"subject": "objects"},
    "POST /erasures": {"subject": "nobody of this name"},
    "POST /keys": {"name": "pushed", "scopes": ["read"]},
    "POST /keys/{key_id}/rotation": {"overlap_seconds": 86400},
    "POST /models/{name}/versions": {"version": "none"},
    "PUT /models/{name}/versions/{version}/workers": {"workers": None},
    "PUT /models/{name}/rollout": {"stable": "none"},
    "POST /models/{name}/promote": {"version": "none"},
}


def run(ground: Ground) -> list[Figure]:
    fields = sorted({*ALWAYS, *_answered_fields(ground.document)})
    faults, tried = list[str](), 0
    for push in (_into_predict, _into_json, _beside_bodies):
        found = list(push(ground, fields))
        faults += [each for each in found if each]
        tried += len(found)
    strange = [f"{method} {target}: {name}" for method, target, name in undeclared(ground)]
    return [
        at_least("fields of answers that were pushed into writes", len(fields), 60),
        none_of("pushes that changed anything or failed", faults, tried, ground.context.say),
        none_of("fields of answers that are not declared", strange, len(ground.answered), ground.context.say),
    ]


def _answered_fields(document: dict[str, Any]) -> Iterator[str]:
    for schema in document["components"]["schemas"].values():
        yield from schema.get("properties", {})


def _value(name: str) -> Any:
    return EVIL.get(name, "pushed")


def _into_predict(ground: Ground, fields: list[str]) -> Iterator[str | None]:
    """As a parameter, as a part of a form and as a header, all at once."""
    options = set(_options(ground.document))
    given = {"request_id": {"correlation_id"}}  # X-Request-ID is documented as the client's own id
    for name in fields:
        if name in options or name == "image":
            continue
        text = _text(_value(name))
        body = form(part(text.encode(), field=name, filename=None), part(ground.photo))
        headers = {**ground.owner, "Content-Type": MULTIPART, **_headers(name, text)}
        reply = ground.ask("POST", f"/predict?{name}={quote(text)}", headers, body)
        if reply.status == 422:
            yield None
            continue
        said = reply.json()
        record = ground.ask("GET", f"/history/{said.get('request_id')}", ground.owner)
        hidden = ground.ask("GET", f"/history/{said.get('request_id')}", ground.other).status
        took = [key for key, value in said.items() if value == _value(name) and key not in given.get(name, ())]
        fine = reply.status == 200 and record.status == 200 and hidden == 404 and not took
        yield None if fine else f"POST /predict {name}: {reply.status} {took}, {record.status}, {hidden}"


def _options(document: dict[str, Any]) -> Iterator[str]:
    for each in document["paths"]["/predict"]["post"].get("parameters", ()):
        yield each["name"]


def _headers(name: str, text: str) -> dict[str, str]:
    dashed = name.replace("_", "-")
    plain = text.encode("ascii", "ignore").decode()
    return {f"X-{dashed}": plain, f"Weedwatch-{dashed}": plain}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _into_json(ground: Ground, fields: list[str]) -> Iterator[str | None]:
    """Beside what a body holds."""
    key = ground.place.make_key("read", name="pushed into")
    places = {"request_id": ground.record, "key_id": key["id"], "name": "plants", "version": "1"}
    for write, given in WRITES.items():
        method, path = write.split(" ")
        taken = set(_taken(ground, method, path)) | set(given)
        headers = ground.owner if path.startswith(("/history", "/erasures")) else ground.admin
        before = _state(ground)
        for name in fields:
            if name in taken:
                continue
            reply = ground.ask(method, path.format(**places), headers, data={**given, name: _value(name)})
            yield None if reply.status == 422 else f"{write} {name}: {reply.status}"
        if (after := _state(ground)) != before:
            yield f"{write} changed {_differ(before, after)}"


def _taken(ground: Ground, method: str, path: str) -> Iterator[str]:
    body = ground.document["paths"][path][method.lower()].get("requestBody", {})
    for media in body.get("content", {}).values():
        schema = media.get("schema", {})
        if "$ref" in schema:
            schema = ground.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        yield from schema.get("properties", {})


def _beside_bodies(ground: Ground, fields: list[str]) -> Iterator[str | None]:
    """As parameters and headers of writes that a caller may do: they go on as if nothing stood there."""
    before = _state(ground)
    query = "&".join(f"{name}={quote(_text(_value(name)))}" for name in fields if name != "size")
    headers: dict[str, str] = {}
    for name in fields:
        headers |= _headers(name, _text(_value(name)))
    for start in range(0, len(headers), 40):
        some = dict([*headers.items()][start : start + 40])
        calls: list[tuple[str, str, Mapping[str, str], Any, bytes]] = [
            ("PATCH", f"/history/{ground.record}?{query}", ground.owner, {"subject": "objects"}, b""),
            (
                "PUT",
                f"/history/{ground.record}/image?{query}",
                {**ground.owner, "Content-Type": "image/jpeg"},
                None,
                ground.photo,
            ),
            ("PUT", f"{MODEL}/versions/1/workers?{query}", ground.owner, {"workers": 64}, b""),
            ("PUT", f"{MODEL}/rollout?{query}", ground.owner, {"stable": "none"}, b""),
            ("POST", f"/keys?{query}", ground.owner, {"name": "x"}, b""),
        ]
        for method, target, own, data, body in calls:
            status = ground.ask(method, target, {**some, **own}, body, data=data).status
            wanted = 200 if "/history" in target else 403
            yield None if status in (wanted, 422) else f"{method} {target.partition('?')[0]}: {status}"
    after = _state(ground)
    yield None if after == before else f"parameters and headers changed {_differ(before, after)}"


def _state(ground: Ground) -> dict[str, Any]:
    """What a push might have changed, without what moves by itself."""
    model = ground.ask("GET", MODEL, ground.admin).json()
    keys = ground.ask("GET", "/keys", ground.admin).json()["items"]
    steady = ("version", "state", "role", "sha256", "source", "created_by", "created_at", "wanted_workers")
    return {
        "rollout": model["rollout"],
        "versions": [{name: each[name] for name in steady} for each in model["versions"]],
        "keys": [{**each, "last_used_at": None} for each in keys],
        "record": ground.ask("GET", f"/history/{ground.record}", ground.owner).json(),
        "others": ground.ask("GET", "/history?format=csv", ground.other).text,
        "caller": ground.ask("GET", "/access", ground.owner).json()["caller"],
    }


def _differ(before: dict[str, Any], after: dict[str, Any]) -> str:
    return ", ".join(name for name in before if before[name] != after[name])


def undeclared(ground: Ground) -> Iterator[tuple[str, str, str]]:
    """Of every good answer of this run: fields that the document does not know."""
    for method, target, reply in ground.answered:
        found = ground.operation(method, target)
        if found and "json" in reply.headers.get("content-type", ""):
            yield from ((method, target[:80], name) for name in strange(ground.document, found[1], reply))


def strange(document: dict[str, Any], operation: dict[str, Any], reply: Reply) -> Iterator[str]:
    said = operation["responses"].get(str(reply.status))
    if said is None:
        yield f"the status {reply.status}"
        return
    schema = said.get("content", {}).get("application/json", {}).get("schema", {})
    yield from _walk(document, schema, reply.json(), "")


def _walk(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        walks = [list(_walk(document, each, value, where)) for each in schema["anyOf"] if _fits(each, value)]
        yield from min(walks, key=len, default=[f"{where} is none of what it may be"])
    elif isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name in schema["properties"]:
                yield from _walk(document, schema["properties"][name], inner, f"{where}.{name}")
            elif not schema.get("additionalProperties"):
                yield f"{where}.{name}"
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(document, schema.get("items", {}), inner, f"{where}[]")


def _fits(schema: dict[str, Any], value: Any) -> bool:
    """Whether the kind is right; the rest is told by schemathesis."""
    kinds: dict[str, Any] = {"null": type(None), "object": dict, "array": list, "string": str, "boolean": bool}
    kind = schema.get("type", "object" if "$ref" in schema else None)
    if kind in ("number", "integer"):
        return isinstance(value, int | float)
    return kind is None or isinstance(value, kinds[kind])
