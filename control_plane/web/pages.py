"""The web pages: the UI at /, its files under /ui, the API's pages; nothing in them comes from a third party."""

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from control_plane.access.policy import POLICY, Access
from control_plane.web.problems import MEDIA_TYPE, PROTOCOL

UI = Path(__file__).parents[2] / "ui"
_COMMON = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
# Both API pages style themselves inline and build workers and pictures from memory; nothing else may load.
API_POLICY = (
    _COMMON + "connect-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src blob:"
)
# Pages are asked for again each time, and answered 304 when nothing changed: an update is seen at once.
HEADERS = {
    "Cache-Control": "no-cache",
    "Permissions-Policy": "geolocation=(self), camera=(self)",
}


def add(app: FastAPI, *, docs: bool = True, connects_to: str | None = None) -> None:
    """The API's own pages only with `docs`; `connects_to`: the provider's origin, where pages fetch their tokens."""
    _describe_errors_as_problems(app)
    if not UI.exists():  # as in the image, whose pages the edge serves: then these addresses are not ours
        return
    app.mount("/ui", _WithHeaders(GZipMiddleware(StaticFiles(directory=UI)), {**HEADERS, **WORKER}))
    home = (UI / "index.html").read_text()
    _add_page(app, "/", home, home_policy(home, connects_to))
    for name in ("docs", "redoc") if docs else ():
        _add_page(app, f"/{name}", (UI / f"{name}.html").read_text(), API_POLICY)


WORKER = {
    "Service-Worker-Allowed": "/",  # its file lies below /ui, the pages that it keeps do not
    # Of the service worker, which asks for the shell's files, and of a picture alone.
    "Content-Security-Policy": _COMMON + "connect-src 'self'; style-src 'self'; img-src 'self'",
}


def home_policy(page: str, connects_to: str | None) -> str:
    """The only inline script is the import map: allowed by its digest."""
    inline = re.findall(r"<script type=\"importmap\">(.*?)</script>", page, re.DOTALL)
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in inline
    )
    connect = " ".join(filter(None, ("'self'", connects_to)))
    return (
        _COMMON + f"connect-src {connect}; script-src 'self' {digests}; style-src 'self'; img-src 'self' blob: data:; "
        "worker-src 'self'; manifest-src 'self'"
    )


def _add_page(app: FastAPI, path: str, page: str, policy: str) -> None:
    headers = {**HEADERS, "Content-Security-Policy": policy}

    @app.get(path, include_in_schema=False)
    async def show() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)


class _WithHeaders:
    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self.app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self.app(scope, receive, send_with_headers)


_CREDENTIAL = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key (`ww_…`), an access token, or the admin token; GET /access says more.",
}


def _describe_access(operation: dict[str, Any], access: Access) -> None:
    if access != "open":
        scope = "any valid credential" if access == "any" else f"the scope `{access}`"
        operation["security"] = [{"credential": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds {scope}.".strip()


def _describe_errors_as_problems(app: FastAPI) -> None:
    """FastAPI describes its own form of validation errors and plain JSON; ours are problems, all of them."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = made_by_fastapi()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _describe_access(operation, POLICY[method.upper(), path])
                responses = operation["responses"]
                responses.pop("422", None)
                for status in ("4XX", "5XX"):
                    content = responses[status]["content"]
                    if not path.startswith(PROTOCOL):
                        content[MEDIA_TYPE] = content.pop("application/json")
        document["components"]["securitySchemes"] = {"credential": _CREDENTIAL}
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
