"""Files of the edge that are made from the control plane's code, so that both say the same."""

import html
import json
import re

from control_plane.access.policy import POLICY
from control_plane.errors import ERRORS, ErrorKind
from control_plane.web.pages import API_POLICY, HEADERS, UI, WORKER, home_policy
from control_plane.web.protection import ALWAYS, OVER_HTTPS

NOTE = "# Made by `python -m tests.structure.generated`.\n"
SIGN_IN_ORIGIN = "${EDGE_SIGN_IN_ORIGIN}"
"""Where pages may fetch tokens; filled in when the container starts."""
OWN_ERRORS = (
    *("malformed_request", "forbidden", "not_found", "method_not_allowed", "file_too_large", "address_too_long"),
    *("rate_limited", "headers_too_large", "internal_error", "unreachable"),
)
"""What the edge answers by itself."""
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title} · Weedwatch</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto; padding: 0 1rem }}
</style>
<h1>{title}</h1>
<p>{sentence} {remedy}</p>
</html>
"""


def admin_routes() -> str:
    """A map of nginx: method and path → 1, for what needs the scope `admin`. HEAD asks for what GET does."""
    lines = []
    for (method, path), access in POLICY.items():
        if access == "admin":
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))
            methods = "(GET|HEAD)" if method == "GET" else method
            lines.append(f'"~^{methods} {pattern}$" 1;\n')
    return NOTE + "".join(lines)


def policies() -> str:
    """The content security policies of the pages, as variables."""
    named = {
        "home": home_policy((UI / "index.html").read_text("utf-8"), SIGN_IN_ORIGIN),
        "api_pages": API_POLICY,
        "files": WORKER["Content-Security-Policy"],
    }
    return NOTE + "".join(f'map "" $policy_of_{name} {{ default "{policy}"; }}\n' for name, policy in named.items())


def page_headers() -> str:
    return NOTE + "".join(_header(name, value) for name, value in HEADERS.items())


def protection() -> str:
    pairs = [(name.decode().title(), value.decode()) for name, value in (*ALWAYS, OVER_HTTPS)]
    return NOTE + "".join(_header(name, value) for name, value in pairs)


def _header(name: str, value: str) -> str:
    return f'add_header {name} "{value}" always;\n'


def problem(kind: ErrorKind) -> str:
    """As the service says it, but for a request id: the request never was one of its own."""
    body = {
        "type": f"urn:weedwatch:error:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": f"{kind.sentence} {kind.remedy}",
        "request_id": "",
        "retry": kind.retry,
    }
    return json.dumps(body) + "\n"


def page(kind: ErrorKind) -> str:
    return _PAGE.format(**{name: html.escape(getattr(kind, name)) for name in ("title", "sentence", "remedy")})


def files() -> dict[str, str]:
    """Path → text."""
    errors = {f"deploy/nginx/errors/{code}.json": problem(ERRORS[code]) for code in OWN_ERRORS}
    pages = {f"deploy/nginx/errors/{code}.html": page(ERRORS[code]) for code in OWN_ERRORS}
    return {
        "deploy/nginx/admin-routes.conf": admin_routes(),
        "deploy/nginx/templates/policies.conf.template": policies(),
        "deploy/nginx/page-headers.conf": page_headers(),
        "deploy/nginx/protection.conf": protection(),
        **errors,
        **pages,
    }
