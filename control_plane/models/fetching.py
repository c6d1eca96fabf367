"""An archive from a URL that the operator allows, to a file."""

import posixpath
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import fsspec

from control_plane.errors import InvalidRequest
from control_plane.models.receiving import too_large

BLOCK_BYTES = 2**20
READ_SECONDS = 30.0


class NotFetched(Exception):
    """It could not be had; the sentence says why."""


def check_allowed(url: str, prefixes: Sequence[str]) -> None:
    """Raises InvalidRequest unless the URL lies below one of the prefixes, with nothing in it that leads out again."""
    if not prefixes:
        raise InvalidRequest("Versions are not taken from URLs here: WEEDWATCH_MODEL_URLS names no prefix.")
    parts = urlsplit(url)
    path = unquote(parts.path)
    is_plain = (
        "::" not in url and "\\" not in url and not parts.query and not parts.fragment and "@" not in parts.netloc
    )
    is_straight = posixpath.normpath(path) == path and "%" not in path and url.isprintable()
    below = any(url.startswith(prefix.rstrip("/") + "/") and urlsplit(prefix).scheme for prefix in prefixes)
    if not (is_plain and is_straight and below):
        raise InvalidRequest("The URL does not lie below a prefix that WEEDWATCH_MODEL_URLS names.")


def fetch(url: str, target: Path, *, prefixes: Sequence[str], max_bytes: int, timeout_seconds: float) -> None:
    """Blocks; call it in a thread. The prefixes are checked again: settings may have changed since it was asked for.

    Raises:
        NotFetched: It is not there, too large, or did not come in time.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        check_allowed(url, prefixes)
        if urlsplit(url).scheme == "file":
            _refuse_links_out(url, prefixes)
        size = 0
        with fsspec.open(url, "rb", **_options(url)) as source, target.open("wb") as file:
            while block := source.read(BLOCK_BYTES):
                size += len(block)
                if size > max_bytes:
                    raise too_large(max_bytes)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"not there after {timeout_seconds:g} s")
                file.write(block)
    except Exception as error:  # each protocol has errors of its own
        raise NotFetched(f"The archive could not be had from its URL: {_words(error)}") from error


def _options(url: str) -> dict[str, Any]:
    """A server that is allowed must not send us to one that is not."""
    return {"allow_redirects": False, "block_size": 0} if urlsplit(url).scheme in ("http", "https") else {}


def _refuse_links_out(url: str, prefixes: Sequence[str]) -> None:
    real = Path(unquote(urlsplit(url).path)).resolve()
    roots = [Path(unquote(urlsplit(each).path)).resolve() for each in prefixes if urlsplit(each).scheme == "file"]
    if not any(real.is_relative_to(root) for root in roots):
        raise InvalidRequest("The URL leads out of the prefixes that WEEDWATCH_MODEL_URLS names.")


def _words(error: Exception) -> str:
    detail = getattr(error, "detail", None) or str(error) or type(error).__name__
    return str(detail)[:300]
