"""Item 8: each answer protects a browser, nothing has a default password, and no refusal tells of inside."""

import base64
import re

import psycopg

from tests.hostile.access import ACCESS, NOWHERE
from tests.proofs.doors_lines.owasp_ground import Ground, Reply
from tests.proofs.results import Figure, at_least, is_true, none_of

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "frame-ancestors 'none'",
    "cache-control": "",
}
NEVER = ("server", "x-powered-by", "set-cookie")
PASSWORDS = ("", "admin", "password", "changeme", "weedwatch", "secret", "token", "test", "123456", "root", "postgres")
INSIDE = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|/root/|/home/|/usr/|/tmp/|/proc/|/dev/shm|\bpid[ =:]+\d|"
    r"SELECT |INSERT INTO|UPDATE \w+ SET|psycopg|sqlstate|relation \"|"
    r"org\.pytorch|java\.|\bat [a-z]+\.[a-z]+\.[A-Z]|aiohttp|uvicorn|starlette|pydantic|RuntimeError|Exception|"
    r"ww_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{10}|postgres(ql)?://|unix://"
)


def run(ground: Ground, origin: str) -> list[Figure]:
    unprotected, asked = _unprotected(ground)
    words = [f"{where}: {found}" for where, reply in ground.refused if (found := _inside(ground, reply))]
    return [
        none_of(
            "answers without a header that protects, or with one that tells", unprotected, asked, ground.context.say
        ),
        none_of("origins of six that CORS treats wrong", _origins(ground, origin), 6, ground.context.say),
        none_of("default passwords that are taken", _passwords(ground), 2 * len(PASSWORDS), ground.context.say),
        at_least("refusals of this run that were kept", len(ground.refused), 100),
        none_of(
            "of these, with a trace, path, SQL, class, token or process", words, len(ground.refused), ground.context.say
        ),
        is_true("none of them is a 500", not any(reply.status == 500 for _, reply in ground.refused)),
    ]


def _unprotected(ground: Ground) -> tuple[list[str], int]:
    faults, asked = [], 0
    routes = [tuple(route.format(**NOWHERE).split(" ")) for route in ACCESS if not route.endswith("/events")]
    for method, target in [*routes, ("GET", "/nowhere"), ("TRACE", "/"), ("GET", "/ui/app.js")]:
        for headers in ({}, ground.other):
            reply = ground.ask(method, target, headers)
            asked += 1
            missing = [name for name, part in HEADERS.items() if part not in reply.headers.get(name, "-")]
            telling = [name for name in NEVER if name in reply.headers]
            if missing or telling:
                faults.append(f"{method} {target}: {reply.status} {missing} {telling}")
    return faults, asked


def _inside(ground: Ground, reply: Reply) -> str:
    """What the body tells that it should not; the address that was asked is the client's own."""
    found = INSIDE.search(re.sub(r'"instance": ?"(\\.|[^"\\])*",?', "", reply.text))
    folder = str(ground.place.stack.folder)
    return found[0] if found else folder if folder in reply.text else ""


def _origins(ground: Ground, origin: str) -> list[str]:
    faults = []
    host = origin.removeprefix("https://")
    for each in (origin, f"http://{host}", f"{origin}.evil", f"https://evil{host}", "null", f"{origin}:8443"):
        preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        for method, target, more in (("GET", "/info", ground.other), ("OPTIONS", "/predict", preflight)):
            reply = ground.ask(method, target, {"Origin": each, **more})
            told = reply.headers.get("access-control-allow-origin")
            wrong = told != origin if each == origin else told is not None
            if wrong or reply.headers.get("access-control-allow-credentials"):
                faults.append(f"{method} from {each}: {told}")
    return faults


def _passwords(ground: Ground) -> list[str]:
    taken = []
    for word in PASSWORDS:
        basic = base64.b64encode(f"admin:{word}".encode()).decode()
        for credential in (f"Basic {basic}", f"Bearer {word}"):
            if ground.ask("GET", "/keys", {"Authorization": credential}).status not in (401, 429):
                taken.append(credential)
        try:
            psycopg.connect(
                host="127.0.0.1", port=ground.postgres.port, user="postgres", password=word, dbname="postgres",
                passfile=str(ground.context.folder / "none"), connect_timeout=10,
            ).close()  # fmt: skip
            taken.append(f"PostgreSQL: {word!r}")
        except psycopg.OperationalError:
            pass
    return taken
