"""nginx itself, with the edge's own files, on loopback and without an engine.

The edge's directives are newer than the nginx of most machines: it is Debian's newest, unpacked beside the system with
the libraries that it was built for.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.composing import ROOT
from observability.debian import alone_with, unpack
from standalone.ports import free_ports

FOLDER = ROOT / ".tools" / "nginx"
PACKAGES = ("nginx", "libc6", "libcrypt1", "libpcre2-8-0", "libssl3t64", "zlib1g", "libzstd1")
SUITES = ("forky", "sid")
SECONDS = 60
LIMITS = {"EDGE_SIGN_IN_ORIGIN": "", "EDGE_REQUESTS_PER_SECOND": "50", "EDGE_BURST": "200", "EDGE_CONNECTIONS": "25"}
MIME_TYPES = "types { text/html html; text/css css; image/svg+xml svg; application/json json; }\n"


def program() -> list[str]:
    """The words that run it."""
    with alone_with(FOLDER):
        if not (FOLDER / "usr" / "sbin" / "nginx").exists():
            unpack(PACKAGES, SUITES, FOLDER)
    (loader,) = FOLDER.glob("usr/lib/*/ld-linux*")
    return [str(loader), "--library-path", str(loader.parent), str(FOLDER / "usr" / "sbin" / "nginx")]


@contextmanager
def edge(folder: Path) -> Iterator[tuple[int, int, int]]:
    """The edge, with nobody behind it; gives its ports for HTTP, HTTPS and Prometheus."""
    plain, secure, watched, nobody = free_ports(4)
    (folder / "certificates").mkdir()
    made = [sys.executable, "-m", "control_plane.web.self_signed", str(folder / "certificates"), "localhost"]
    subprocess.run(made, cwd=ROOT, check=True, capture_output=True, timeout=SECONDS)
    changes = {
        "/tmp/": f"{folder}/",  # first: what follows may lie below it
        "/etc/nginx": str(folder / "etc"),
        "/usr/share/nginx/html/ui": str(ROOT / "ui"),
        "/usr/share/nginx/html": str(folder / "html"),
        "root /usr/share/nginx;": f"root {ROOT / 'deploy' / 'nginx'};",
        "/certificates": str(folder / "certificates"),
        "listen 8080": f"listen 127.0.0.1:{plain}",
        "listen 8443": f"listen 127.0.0.1:{secure}",
        "listen 9113": f"listen 127.0.0.1:{watched}",
        "control-plane:8000 resolve": f"127.0.0.1:{nobody}",
        "${EDGE_HTTPS_PORT}": str(secure),
        **{f"${{{name}}}": value for name, value in LIMITS.items()},
    }
    for source in (ROOT / "deploy" / "nginx").rglob("*"):
        if source.suffix in {".conf", ".template"}:
            text = source.read_text()
            for before, after in changes.items():
                text = text.replace(before, after)
            name = source.relative_to(ROOT / "deploy" / "nginx").as_posix()
            target = folder / "etc" / name.replace("templates/", "conf.d/").removesuffix(".template")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    (folder / "etc" / "mime.types").write_text(MIME_TYPES)
    (folder / "html").mkdir()
    (folder / "html" / "ui").symlink_to(ROOT / "ui")
    with (folder / "said").open("wb") as said:
        command = [*program(), "-e", str(folder / "error.log"), "-c", str(folder / "etc" / "nginx.conf")]
        process = subprocess.Popen([*command, "-g", "daemon off; master_process off;"], stdout=said, stderr=said)
    try:
        until = time.monotonic() + SECONDS
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, (folder / "said").read_text() + (folder / "error.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield plain, secure, watched
    finally:
        process.terminate()
        process.wait(SECONDS)
