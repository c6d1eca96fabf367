"""Odd query parameters and form fields around a good picture."""

from collections.abc import Iterator
from urllib.parse import quote

from tests.hostile.contract import OK
from tests.hostile.pictures import encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part

REFUSED = frozenset({"invalid_request", "model_not_found"})
VALUES: dict[str, tuple[str, ...]] = {
    "top_k": ("-1", "0", "101", "1e3", "abc", "", "٣", "9" * 5000, "1\x00", "null", "3;3"),
    "model": ("../../etc/passwd", "plants/../..", "", "x" * 300, "plants\x00", "plants%0d%0aX: 1", "ネ"),
    "version": ("-1", "../1", "999999", "", "1.0\r\nX: 1", "latest"),
    "latitude": ("nan", "inf", "-91", "1e400", "north", ""),
    "longitude": ("181", "-inf", "0x10", "1,5"),
    "consent": ("maybe", "", "2", "on", "\x00"),
    "subject": ("s" * 3000, "\x00", "\ud7ff\U0010ffff", "'; drop table predictions; --", "\r\nX: 1"),
    "unknown": ("1",),
    "__proto__": ("1",),
}


def parameters() -> Iterator[Hostile]:
    picture = encoded("JPEG")
    for name, values in VALUES.items():
        for value in values:
            title, allowed = f"{name}={value[:20]!r}", REFUSED | {OK}
            yield hostile(title, picture, allowed, target=f"/predict?{name}={quote(value)}")
            field = form(part(value.encode(), field=name, filename=None), part(picture))
            yield hostile(f"{title}, field", field, allowed, content_type=MULTIPART)
    for target in (
        "/predict?top_k=3&top_k=4",
        "/predict?%ff=%fe",
        "/predict?top_k[]=1",
        "/predict?" + "a=1&" * 2000,
        "/predict?=&&=",
    ):
        yield hostile(target[:30], picture, REFUSED | {OK}, target=target)
    yield hostile("other path", picture, {"not_found"}, target="/predict/../../etc/passwd")
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        yield hostile(method, b"", {"method_not_allowed"}, method=method)
