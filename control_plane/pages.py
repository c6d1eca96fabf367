"""The API's pages, served from our own address alone: nothing in them comes from a third party."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from control_plane.problems import MEDIA_TYPE

VENDOR = Path(__file__).parent.parent / "ui" / "vendor"
# Both pages start from an inline script and style themselves inline; nothing else may load or be called.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def add(app: FastAPI) -> None:
    _describe_errors_as_problems(app)
    app.mount("/vendor", StaticFiles(directory=VENDOR, check_dir=False), name="vendor")
    swagger = get_swagger_ui_html(
        openapi_url=str(app.openapi_url),
        title="Weedwatch API",
        swagger_js_url="/vendor/swagger-ui-bundle.js",
        swagger_css_url="/vendor/swagger-ui.css",
        swagger_favicon_url="/vendor/favicon-32x32.png",
    )
    redoc = get_redoc_html(
        openapi_url=str(app.openapi_url),
        title="Weedwatch API",
        redoc_js_url="/vendor/redoc.standalone.js",
        redoc_favicon_url="/vendor/favicon-32x32.png",
        with_google_fonts=False,
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(swagger.body, headers=HEADERS)

    @app.get("/redoc", include_in_schema=False)
    async def reference() -> HTMLResponse:
        return HTMLResponse(redoc.body, headers=HEADERS)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("/docs")


def _describe_errors_as_problems(app: FastAPI) -> None:
    """FastAPI describes its own form of validation errors and plain JSON; ours are problems, all of them."""
    made_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        document = made_by_fastapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                responses = operation["responses"]
                responses.pop("422", None)
                for status in ("4XX", "5XX"):
                    content = responses[status]["content"]
                    content[MEDIA_TYPE] = content.pop("application/json")
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
