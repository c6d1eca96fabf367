"""Secrets that were planted, looked for in all that a running service says and keeps."""

import base64
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import httpx2
import psutil

from standalone.leftovers import exchange_folder
from standalone.postgres import find_binaries
from tests.proofs.stack import Stack, run_description

SECRET_FILES = ("admin-token", "key-secret", "postgres/password")
"""In the state folder: where the secrets themselves may stand, readable by their owner alone."""
PAGES = ("/info", "/health/detailed", "/health/ready", "/metrics", "/access", "/history", "/keys", "/openapi.json")
# The only process that needs one in its environment: the address of the database.
MAY_KNOW = "control_plane"


def hits(stack: Stack, secrets: Mapping[str, str], answers: Iterable[bytes], admin: str) -> dict[str, int]:
    """How often one of the secrets was found, by place; 0 everywhere is what is wanted.

    Args:
        stack: The running service.
        secrets: By name; a key without its `ww_…_`, since its number is no secret.
        answers: Headers and bodies of answers that clients were given.
        admin: The admin token, for pages that want one.
    """
    forms = [form for secret in secrets.values() for form in _forms(secret)]
    private = run_description(stack)["private"]
    # The dump comes last: what was answered before is in it.
    places: dict[str, Iterable[bytes]] = {
        "answers": answers,
        "pages": _pages(stack, admin),
        "command lines": _of_processes(stack, "cmdline"),
        "environments": _of_processes(stack, "environ"),
        "logs": _files(stack.state / "logs"),
        "state folder": _files(stack.state, but=[stack.state / name for name in ("logs", *SECRET_FILES)]),
        "private folder": [*_files(Path(private)), *_files(exchange_folder(private))],
        "database dump": [dump(stack)],
    }
    return {place: sum(text.count(form) for text in texts for form in forms) for place, texts in places.items()}


def _forms(secret: str) -> list[bytes]:
    """As it is, and as encodings make it that a program may use without a thought."""
    raw = secret.encode()
    # Base64 depends on what stands before: of each of three beginnings, the middle that does not.
    encoded = [base64.b64encode(b"." * shift + raw)[4:-4] for shift in range(3)]
    return [raw, raw.hex().encode(), *encoded]


def _pages(stack: Stack, admin: str) -> Iterator[bytes]:
    headers = {"Authorization": f"Bearer {admin}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", headers=headers, timeout=60) as http:
        for page in PAGES:
            answer = http.get(page)
            assert answer.status_code == 200, f"{page}: {answer.status_code}"
            yield whole(answer)


def whole(answer: httpx2.Response) -> bytes:
    """Headers and body of an answer."""
    return str(answer.headers).encode() + answer.content


def _of_processes(stack: Stack, what: str) -> Iterator[bytes]:
    assert stack.front is not None
    root = psutil.Process(stack.front.pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            if what == "environ" and MAY_KNOW in process.cmdline():
                continue
            yield Path(f"/proc/{process.pid}/{what}").read_bytes()
        except (psutil.Error, OSError):
            continue


def _files(folder: Path, but: Iterable[Path] = ()) -> Iterator[bytes]:
    left_out = set(but)
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(path) / name not in left_out]
        for name in names:
            file = Path(path) / name
            if file not in left_out and file.is_file():
                try:
                    yield file.read_bytes()
                except OSError:
                    continue


def dump(stack: Stack) -> bytes:
    """The embedded database in SQL, all rows of all tables."""
    binaries = find_binaries()
    password = (stack.state / "postgres" / "password").read_text().strip()
    port = str(run_description(stack)["ports"]["postgres"])
    done = subprocess.run(
        [binaries / "pg_dump", "--inserts", "-h", "127.0.0.1", "-p", port, "-U", "weedwatch", "weedwatch"],
        env={"PGPASSWORD": password, "PATH": os.environ["PATH"]}, capture_output=True, timeout=300, check=True,
    )  # fmt: skip
    return done.stdout
