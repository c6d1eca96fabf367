"""Forms that break the rules of multipart, or only bend them."""

from collections.abc import Iterator

from tests.hostile.contract import OK, PICTURE_REFUSALS
from tests.hostile.pictures import encoded
from tests.hostile.request import BOUNDARY, MULTIPART, Hostile, form, hostile, part

ANY = PICTURE_REFUSALS | {OK}


def multipart() -> Iterator[Hostile]:
    picture = encoded("JPEG")
    whole = form(part(picture))
    yield from _boundaries(whole)
    yield from _headers(picture)
    yield from _many(picture)


def _boundaries(whole: bytes) -> Iterator[Hostile]:
    yield hostile("no boundary", whole, PICTURE_REFUSALS, content_type="multipart/form-data")
    yield hostile("empty boundary", whole, PICTURE_REFUSALS, content_type="multipart/form-data; boundary=")
    yield hostile("other boundary", whole, PICTURE_REFUSALS, content_type="multipart/form-data; boundary=zzz")
    long = "multipart/form-data; boundary=" + "b" * 10_000
    yield hostile("boundary of 10 000 letters", whole, PICTURE_REFUSALS, content_type=long)
    yield hostile("wrong charset", whole, ANY, content_type=MULTIPART + "; charset=klingon")
    yield hostile("utf-16 charset", whole, ANY, content_type=MULTIPART + "; charset=utf-16")
    yield hostile("missing end", whole[: -len(BOUNDARY) - 6], ANY, content_type=MULTIPART)
    yield hostile("cut in the middle", whole[: len(whole) // 2], PICTURE_REFUSALS, content_type=MULTIPART)
    yield hostile("preamble and epilogue", b"hello\r\n" + whole + b"bye", ANY, content_type=MULTIPART)
    yield hostile("line feeds only", whole.replace(b"\r\n", b"\n"), ANY, content_type=MULTIPART)
    yield hostile("not multipart inside", b"image=abc", PICTURE_REFUSALS, content_type=MULTIPART)
    kind = "application/x-www-form-urlencoded"
    yield hostile("urlencoded form", b"image=abc", PICTURE_REFUSALS, content_type=kind)


def _headers(picture: bytes) -> Iterator[Hostile]:
    start = f"--{BOUNDARY}\r\n".encode()
    endless = start + b"X-Long: " + b"a" * 1_000_000
    yield hostile("endless header", endless, PICTURE_REFUSALS, content_type=MULTIPART)
    many = start + b"".join(b"X-%d: 1\r\n" % number for number in range(20_000))
    yield hostile("20 000 headers", many, PICTURE_REFUSALS, content_type=MULTIPART)
    bare = start + b"\r\n" + picture + b"\r\n" + f"--{BOUNDARY}--\r\n".encode()
    yield hostile("part without disposition", bare, PICTURE_REFUSALS, content_type=MULTIPART)
    for name, filename in {
        "path": "../../../etc/passwd",
        "null": "a\x00.jpg",
        "long": "x" * 4000 + ".jpg",
        "right-to-left": "\u202egpj.exe",
        "quote": 'a\\"b.jpg',
    }.items():
        yield hostile(f"file name: {name}", form(part(picture, filename=filename)), ANY, content_type=MULTIPART)
    base64 = part(picture).replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    yield hostile("says base64", form(base64), ANY, content_type=MULTIPART)
    declared = form(part(picture, kind="text/html"))
    yield hostile("part declared text/html", declared, ANY, content_type=MULTIPART)


def _many(picture: bytes) -> Iterator[Hostile]:
    fields = [part(b"x", field=f"f{number}", filename=None) for number in range(5000)]
    yield hostile("5000 fields", form(*fields, part(picture)), ANY, content_type=MULTIPART)
    files = [part(b"x", field=f"f{number}") for number in range(2000)]
    yield hostile("2000 files", form(*files, part(picture)), ANY, content_type=MULTIPART)
    yield hostile("two pictures", form(part(picture), part(picture)), ANY, content_type=MULTIPART)
    both = form(part(picture), part(picture, field="file"))
    yield hostile("image and file", both, ANY, content_type=MULTIPART)
    yield hostile("form in a form", form(part(form(part(picture)))), PICTURE_REFUSALS, content_type=MULTIPART)
    note = part(b"n" * 2_000_000, field="subject", filename=None)
    yield hostile("subject of 2 MB", form(note, part(picture)), ANY, content_type=MULTIPART)
