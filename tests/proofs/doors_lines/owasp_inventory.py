"""Item 9: nothing answers that the document does not name, and nothing listens that is not on the list."""

from itertools import product

import psutil

from tests.hostile.access import ACCESS
from tests.outsider import BROADCAST, Door, doors
from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, none_of

FULL_GUESSES = 5000
BEFORE = ("", "/api", "/api/v1", "/v1", "/v2", "/v3", "/internal", "/models", "/history", "/keys")
WORDS = (
    "admin", "actuator", "env", "debug", "debug/pprof", "console", "shell", "status", "info.php", "phpinfo", "config",
    "configuration", "settings", "users", "user", "login", "logout", "token", "tokens", "auth", "oauth", "oauth2",
    "session", "sessions", "graphql", "graphiql", "playground", "swagger", "swagger.json", "swagger-ui", "openapi",
    "openapi.yaml", "schema", "api-docs", ".git/config", ".git/HEAD", ".env", ".htaccess", ".svn/entries", ".DS_Store",
    "server-status", "server-info", "wp-login.php", "cgi-bin/test", "backup", "backup.sql", "dump", "dump.sql", "db",
    "database", "sql", "test", "tests", "tmp", "temp", "log", "logs", "trace", "traces", "heapdump", "threaddump",
    "profile", "profiler", "metrics/all", "prometheus", "stats", "statistics", "health/all", "healthz", "readyz",
    "livez", "ping", "version", "versions", "workers", "predictions", "predictions/plants", "explanations", "workflows",
    "wfpredict", "register", "unregister", "scale", "upload", "uploads", "download", "files", "static", "assets",
    "export", "import", "report", "reports", "audit/all", "events", "queue", "jobs", "tasks", "cron", "reload",
    "shutdown", "restart", "stop", "kill", "exec", "eval", "run", "proxy", "fetch", "webhook", "hooks", "feedback",
)  # fmt: skip
BEHIND = ("", "/", ".json", "/1", "?debug=1")
METHODS = ("GET", "POST", "DELETE")


def run(ground: Ground) -> list[Figure]:
    wanted, faults = ground.context.count(FULL_GUESSES), []
    guesses = list(product(BEFORE, WORDS, BEHIND))
    chosen = [guesses[number * len(guesses) // wanted] for number in range(wanted)]
    for number, parts in enumerate(chosen):
        method, target = METHODS[number % 10 % 3], f"{parts[0]}/{parts[1]}{parts[2]}"
        reply = ground.ask(method, target, ground.admin)
        if reply.status not in (404, 405) and not _is_listed(ground, method, target, reply.status):
            faults.append(f"{method} {target}: {reply.status}")
    listed = {f"{method} {path}" for method, path in ground.operations}
    routes = sorted(set(ACCESS) ^ listed)
    beside = [each for each in routes if not each.startswith("GET /") or each in listed]
    front = ground.place.stack.front
    assert front is not None
    found = doors(psutil.Process(front.pid))
    unlisted = [
        f"{door.kind} {door.address} {door.port} {door.process}" for door in found if not _expected(ground, door)
    ]
    return [
        none_of("guessed paths that answer and are not listed", faults, wanted, ground.context.say),
        none_of(
            "operations of the document without a row in the policy, or the other way",
            beside,
            len(listed),
            ground.context.say,
        ),
        none_of("listening sockets that are not on the list", unlisted, len(found), ground.context.say),
    ]


def _is_listed(ground: Ground, method: str, target: str, status: int) -> bool:
    """A row of the policy with something in its places, or the way to one (307)."""
    path = target.partition("?")[0]
    return ground.operation(method, target) is not None or (
        status == 307 and any(ground.operation(each, path.rstrip("/")) for each in METHODS)
    )


def _expected(ground: Ground, door: Door) -> bool:
    if door.kind == "unix":
        return door.address.startswith("/")  # test_outsider.py asks each of them as another user
    return (door.kind, door.address) == ("tcp", BROADCAST) or (door.address, door.port) == (
        "127.0.0.1",
        ground.place.stack.port,
    )
