"""What line 1 asks of the edge: its own answers, TLS, what it packs, its certificates, and when nobody is behind it."""

import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx2

from control_plane.web import self_signed
from tests.proofs.harness import Context
from tests.proofs.results import Figure, is_true, none_of
from tests.stack.project import Project, wait_for

READY_SECONDS = 240.0
RENEWED_SECONDS = 60.0
PACKED_FROM_BYTES = 1000


@dataclass
class Claims:
    """What is claimed of the edge, and which of it was not so."""

    said: int = 0
    faults: list[str] = field(default_factory=list)

    def must(self, name: str, claim: bool) -> None:
        self.said += 1
        if not claim:
            self.faults.append(name)


def answers(context: Context, made: Project) -> list[Figure]:
    said = made.docker.attempt("exec", made.container("edge")["Id"], "nginx", "-t")
    claims = Claims()
    must = claims.must
    with made.client() as http:
        page, redirect = http.get("/"), http.get(f"http://127.0.0.1:{made.http_port}/info?x=1")
        must(
            "http leads to https",
            redirect.status_code == 301
            and redirect.headers["Location"] == f"https://127.0.0.1:{made.https_port}/info?x=1",
        )
        must("the page is there", page.status_code == 200 and "<title>" in page.text)
        for name in ("Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control"):
            must(f"the page has {name}", name in page.headers)
        info = http.get("/info")
        must("the service answers", info.status_code == 200)
        must("HSTS of the service", "Strict-Transport-Security" in info.headers)
        _packed(http, must)
        for path in ("/ui/vendor/preact.js", "/docs", "/redoc", "/openapi.json", "/health/ready"):
            must(f"{path} is there", http.get(path).status_code == 200)
        for path in ("/metrics", "/metrics/torchserve", "/metrics/"):
            closed = http.get(path)
            must(f"{path} is closed", closed.status_code == 403 and closed.json()["code"] == "forbidden")
        must(
            "a body that is too large is refused",
            http.post("/predict", content=b"x" * (35 * 2**20), headers={"Content-Type": "image/jpeg"}).json()["code"]
            == "file_too_large",
        )
        must("TLS 1.3, and HTTP/2 is offered", _agreed(made) == ("TLSv1.3", "h2"))
        must("TLS 1.2 is taken", _agreed(made, ssl.TLSVersion.TLSv1_2) == ("TLSv1.2", "h2"))
        # By the edge: a client that cannot speak it would fail for another reason.
        must("TLS 1.1 is refused", _agreed(made, ssl.TLSVersion.TLSv1_1) == ("refused", "TLSV1_ALERT_PROTOCOL_VERSION"))
        must("admin work is open to operators", http.get("/keys").status_code == 200)
        with _nobody_is_operator(made):
            for method, path in (("GET", "/keys"), ("HEAD", "/audit"), ("DELETE", "/history"), ("GET", "/%6beys")):
                must(f"{method} {path} is closed to others", http.request(method, path).status_code == 403)
            must("the rest is open to others", http.get("/info").status_code == 200)
    return [
        is_true("a renewed certificate is taken up", _renewed(made)),
        is_true("nginx -t", said.returncode == 0, said.stderr.strip().splitlines()[-1]),
        none_of("faults of what the edge answers", claims.faults, claims.said, context.say),
    ]


def _packed(http: httpx2.Client, must: Callable[[str, bool], None]) -> None:
    def packing(path: str, kind: str) -> tuple[str | None, int]:
        """Its encoding, and the bytes of what is in it."""
        answer = http.get(path, headers={"Accept-Encoding": "gzip"})
        must(f"{path} is {kind}", kind in answer.headers["Content-Type"])
        return answer.headers.get("Content-Encoding"), len(answer.content)

    must("scripts are packed", packing("/ui/app.js", "javascript")[0] == "gzip")
    must("style sheets are packed", packing("/ui/app.css", "text/css")[0] == "gzip")
    must("documents are packed", packing("/openapi.json", "application/json")[0] == "gzip")
    encoding, size = packing("/health/live", "application/json")
    must("below a thousand bytes nothing is packed", encoding is None and size < PACKED_FROM_BYTES)


@contextmanager
def _nobody_is_operator(made: Project) -> Iterator[None]:
    listed = made.folder / "deploy" / "nginx" / "operators.conf"
    before = listed.read_text()
    try:
        listed.write_text("# nobody\n")
        made.compose("restart", "edge")
        wait_for(READY_SECONDS, partial(_is_up, made))
        yield
    finally:
        listed.write_text(before)
        made.compose("restart", "edge")
        wait_for(READY_SECONDS, partial(_is_up, made))


def _is_up(made: Project) -> bool:
    try:
        with made.client() as http:
            return http.get("/health/live").status_code == 200
    except httpx2.HTTPError:
        return False


def _renewed(made: Project) -> bool:
    where = ("127.0.0.1", made.https_port)
    before = ssl.get_server_certificate(where, timeout=30)
    remove = "import pathlib; [each.unlink() for each in pathlib.Path('/certificates').iterdir()]"
    once = ("run", "--rm", "-T", "--no-deps")
    made.compose(*once, "--entrypoint", "python", "certificate", "-c", remove)
    made.compose(*once, "certificate")
    vars(made).pop("trust", None)
    return bool(wait_for(RENEWED_SECONDS, lambda: ssl.get_server_certificate(where, timeout=30) != before))


def _agreed(made: Project, only: ssl.TLSVersion | None = None) -> tuple[str, str | None]:
    """Version of TLS and protocol that the edge agrees to with one that speaks `only` this version; else why not."""
    context = ssl.create_default_context(
        cadata=made.compose("exec", "-T", "edge", "cat", "/certificates/fullchain.pem")
    )
    context.set_alpn_protocols(["h2", "http/1.1"])
    if only is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is an old version is the question
            context.minimum_version = context.maximum_version = only
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        with (
            socket.create_connection(("127.0.0.1", made.https_port), 30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return str(secure.version()), secure.selected_alpn_protocol()
    except ssl.SSLError as problem:
        return "refused", problem.reason


def unreachable(context: Context, made: Project) -> Figure:
    """What the edge answers while no replica runs: to browsers a page, to programs a document."""
    claims = Claims()
    replicas = ("control-plane-1", "control-plane-2")
    with made.client() as http:
        made.compose("stop", "--timeout", "60", *replicas)
        for method, path in (("GET", "/info"), ("POST", "/predict")):
            page, document = (
                http.request(method, path, headers={"Accept": kind}) for kind in ("text/html", "application/json")
            )
            for answer, kind in ((page, "text/html"), (document, "application/problem+json")):
                claims.must(
                    f"{method} {path}: 503 as {kind}, with a time to come back",
                    answer.status_code == 503
                    and answer.headers["Content-Type"].startswith(kind)
                    and answer.headers.get("Retry-After") == "5",
                )
            claims.must(f"{method} {path}: the page says why", "<h1>Service unreachable</h1>" in page.text)
            claims.must(f"{method} {path}: the document has the code", '"code": "unreachable"' in document.text)
        claims.must("pages are there without a replica", http.get("/").status_code == 200)
    return none_of("faults of what the edge answers while no replica runs", claims.faults, claims.said, context.say)


@contextmanager
def own_certificate(made: Project) -> Iterator[bytes]:
    """In a folder that `.env` names, as an operator puts one there; gives it as DER."""
    folder, settings = made.folder / "own-certificate", made.folder / ".env"
    folder.mkdir()
    self_signed.make(folder, "localhost")
    for file in folder.iterdir():
        file.chmod(0o444)  # the edge is a user of its own
    before = settings.read_text()
    settings.write_text(f"{before}WEEDWATCH_EDGE_CERTIFICATES=./{folder.name}\n")
    try:
        yield ssl.PEM_cert_to_DER_cert((folder / self_signed.CHAIN).read_text())
    finally:
        settings.write_text(before)
