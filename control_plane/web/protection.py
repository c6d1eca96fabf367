"""The headers that protect whoever shows our answers in a browser: made once, put on every answer."""

Header = tuple[bytes, bytes]

ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    # Pages of other origins cannot embed an answer. Those of the CORS list ask with CORS, which this does not touch.
    (b"cross-origin-resource-policy", b"same-origin"),
)
# An answer of the API is data: a browser that is made to show it as a page loads and runs nothing.
_UNLESS_SAID: tuple[Header, ...] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cache-control", b"no-store"),
)
OVER_HTTPS: Header = (b"strict-transport-security", b"max-age=31536000")


def protect(headers: list[Header], *, https: bool = False) -> None:
    """Add to an answer's headers what protects it; a page says its own policy and how long it may be kept."""
    said = {name for name, _ in headers}
    headers.extend(ALWAYS)
    headers.extend(each for each in _UNLESS_SAID if each[0] not in said)
    if https:
        headers.append(OVER_HTTPS)
