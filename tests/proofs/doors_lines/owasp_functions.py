"""Item 5: who may not do a thing may not do it by another spelling either."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile.access import ACCESS, NOWHERE, Cell, Who, cells
from tests.proofs.doors_lines.line_1_access import who_calls
from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, is_true, none_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "FOO")
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
REWRITES = ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path")
SPELLINGS: dict[str, Callable[[str], str]] = {
    "slash behind": lambda path: path + "/",
    "two slashes behind": lambda path: path + "//",
    "slash before": lambda path: "/" + path,
    "dot before": lambda path: "/." + path,
    "encoded dot before": lambda path: "/%2e" + path,
    "up and down": lambda path: "/docs/.." + path,
    "up and down, encoded": lambda path: "/docs/%2e%2e" + path,
    "below an open page": lambda path: "/ui/.." + path,
    "below an open page, encoded": lambda path: "/ui/%2e%2e" + path,
    "semicolon": lambda path: path + ";a=1",
    "semicolon before": lambda path: "/;" + path,
    "capitals": str.upper,
    "one capital": lambda path: path[0] + path[1:].capitalize(),
    "first letter encoded": lambda path: f"/%{ord(path[1]):02x}{path[2:]}",
    "all encoded": lambda path: "/" + "".join(f"%{ord(each):02x}" for each in path[1:]),
    "encoded slash before": lambda path: "/%2f" + path[1:],
    "encoded slash behind": lambda path: path + "%2f",
    "encoded twice": lambda path: f"/%25{ord(path[1]):02x}{path[2:]}",
    "line end behind": lambda path: path + "%0a",
    "return behind": lambda path: path + "%0d",
    "NUL behind": lambda path: path + "%00",
    "space behind": lambda path: path + "%20",
    "tab behind": lambda path: path + "%09",
    "question mark behind": lambda path: path + "%3f",
    "hash behind": lambda path: path + "%23",
    "ending": lambda path: path + ".json",
    "backslash": lambda path: path.replace("/", "\\")[1:].join(["/", ""]),
    "wide letter": lambda path: path + "%ef%bc%8f",
    "nothing behind": lambda path: path + "?",
}


def run(ground: Ground) -> list[Figure]:
    callers = who_calls(ground.place)
    low = [each for each in callers if each.scopes is None or not each.scopes & {"admin"}]
    chosen = {"no credential", "an expired key", "a key with predict", "a key with read"}
    few = [each for each in low if each.name in chosen]
    before = _state(ground)
    figures = [_plain(ground, callers), _spelled(ground, few), _by_method(ground, few), _overridden(ground, few)]
    after = _state(ground)
    return [
        *figures,
        is_true("models, keys and records are as before", before == after),
        is_true("the document has no operation without a row", _without_row(ground) == [], str(_without_row(ground))),
    ]


def _state(ground: Ground) -> Any:
    model = ground.ask("GET", "/models/plants", ground.admin).json()
    keys = ground.ask("GET", "/keys", ground.admin).json()["items"]
    record = ground.ask("GET", f"/history/{ground.record}", ground.owner)
    return model["rollout"], [each["id"] for each in keys if not each["revoked_at"]], record.status, record.json()


def _plain(ground: Ground, callers: list[Who]) -> Figure:
    faults, walked = [], 0
    for cell in cells(callers):
        if cell.target == "/history" and cell.method == "DELETE" and cell.status is None:
            cell = Cell(cell.method, f"{cell.target}?before=1970-01-01T00:00:00Z", cell.who, cell.status)  # noqa: PLW2901
        status = ground.ask(cell.method, cell.target, cell.who.headers).status
        walked += 1
        right = status == cell.status if cell.status else status not in (0, 401, 403) and status < 500
        if not right:
            faults.append(f"{cell.method} {cell.target} by {cell.who.name}: {status}, not {cell.status or 'let in'}")
    return none_of("cells of caller × route that are not as the table says", faults, walked, ground.context.say)


def _closed(few: list[Who]) -> Iterator[Cell]:
    """What these may not do, with what exists in the places of the paths."""
    return (cell for cell in cells(few, NOWHERE | {"version": "1"}) if cell.status is not None)


def _spelled(ground: Ground, few: list[Who]) -> Figure:
    faults, walked = [], 0
    for cell in _closed(few):
        for name, spell in SPELLINGS.items():
            status = ground.ask(cell.method, spell(cell.target), cell.who.headers).status
            walked += 1
            if not _is_refused(status):
                faults.append(f"{cell.method} {cell.target}, {name}, by {cell.who.name}: {status}")
    return none_of("other spellings of a path that let somebody in", faults, walked, ground.context.say)


def _is_refused(status: int) -> bool:
    """A way to the right spelling (307) is answered there."""
    return status in (307, 308) or 400 <= status < 500


def _by_method(ground: Ground, few: list[Who]) -> Figure:
    """Every method at every path; what the table has no row for is no route for anybody."""
    faults, walked = [], 0
    rows = {tuple(route.split(" ")) for route in ACCESS}
    for path in sorted({path for _, path in rows}):
        for method in METHODS:
            as_route = "GET" if method == "HEAD" else method
            if (as_route, path) in rows and method != "HEAD":
                continue
            access = ACCESS.get(f"{as_route} {path}", "none")
            for who in few:
                status = ground.ask(method, path.format(**NOWHERE), who.headers).status
                walked += 1
                allowed = access in ("open", "any") or (who.scopes and access in who.scopes)
                if not (_is_refused(status) or (allowed and status < 400)):
                    faults.append(f"{method} {path} by {who.name}: {status}")
    return none_of("methods without a row, and HEAD, that let somebody in", faults, walked, ground.context.say)


def _overridden(ground: Ground, few: list[Who]) -> Figure:
    """A header that names another method or another path changes nothing."""
    faults, walked = [], 0
    for cell in _closed(few):
        if cell.method == "GET":
            continue
        for header in OVERRIDES:
            for method in ("GET", "POST"):
                if f"{method} {cell.target}" in ACCESS and method != "GET":
                    continue
                status = ground.ask(method, cell.target, {**cell.who.headers, header: cell.method}).status
                plain = ground.ask(method, cell.target, cell.who.headers).status
                walked += 1
                if status != plain:
                    faults.append(f"{method} as {cell.method} {cell.target} by {cell.who.name}: {status}, not {plain}")
    for cell in _closed(few):
        for header in REWRITES:
            status = ground.ask("GET", "/health/live", {**cell.who.headers, header: cell.target}).status
            walked += 1
            if status != 200:
                faults.append(f"{header} of {cell.target}: {status}")
    return none_of("headers for another method or path that had an effect", faults, walked, ground.context.say)


def _without_row(ground: Ground) -> list[str]:
    return [f"{method} {path}" for method, path in ground.operations if f"{method} {path}" not in ACCESS]
