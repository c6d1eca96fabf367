"""Files that are two things at once: what is read must be the picture or nothing."""

import io
import zipfile
from collections.abc import Iterator

from tests.hostile.contract import OK, PICTURE_REFUSALS, UNREADABLE
from tests.hostile.pictures import encoded
from tests.hostile.request import MULTIPART, Hostile, form, hostile, part


def polyglots() -> Iterator[Hostile]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("../../run.sh", "#!/bin/sh\n")
    picture = encoded("JPEG")
    for name, data, allowed in (
        ("JPEG then ZIP", picture + archive.getvalue(), UNREADABLE | {OK}),
        ("ZIP then JPEG", archive.getvalue() + picture, UNREADABLE),
        ("GIF and JavaScript", b"GIF89a/*" + encoded("GIF")[8:] + b"*/=1;alert(1)", PICTURE_REFUSALS | {OK}),
        ("PDF then JPEG", b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj\n" + picture, UNREADABLE),
        ("JPEG then PDF", picture + b"\n%PDF-1.7\n%%EOF", UNREADABLE | {OK}),
        ("JPEG then PHP", picture + b"<?php system($_GET['c']); ?>", UNREADABLE | {OK}),
        ("JPEG then JPEG", picture + encoded("PROGRESSIVE"), UNREADABLE | {OK}),
        ("PNG inside JPEG's name", encoded("PNG"), UNREADABLE | {OK}),
        ("ELF", b"\x7fELF\x02\x01\x01" + bytes(500), UNREADABLE),
    ):
        yield hostile(name, data, allowed)
        yield hostile(f"{name}, form", form(part(data)), allowed, content_type=MULTIPART)
