"""A run that asks for keys makes the first one, and no secret is found in anything that it says or keeps."""

import asyncio
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from standalone.keys import first_key
from standalone.settings import read_settings
from tests.acceptance.conftest import ROOT
from tests.planted import hits, whole
from tests.proofs.stack import Stack, running
from tests.waiting import eventually


@dataclass(frozen=True)
class Closed:
    """A service in mode keys, with secrets of the operator's in files."""

    stack: Stack
    http: httpx2.Client
    admin: str
    key: str
    planted: dict[str, str]


@pytest.fixture(scope="module")
def closed() -> Iterator[Closed]:
    folder = Path(tempfile.mkdtemp(prefix="ww-"))
    folder.chmod(0o755)
    given = {name: secrets.token_urlsafe(32) for name in ("admin token", "key secret")}
    files = {name: folder / name.replace(" ", "-") for name in given}
    for name, secret in given.items():
        files[name].touch(mode=0o600)
        files[name].write_text(secret + "\n")
    environment = {
        "WEEDWATCH_AUTH": "keys",
        "WEEDWATCH_ADMIN_TOKEN_FILE": str(files["admin token"]),
        "WEEDWATCH_KEY_SECRET_FILE": str(files["key secret"]),
    }
    try:
        with running(Stack(ROOT, folder, environment=environment)) as stack:
            eventually(lambda: "Stop  " in stack.output(), 120)
            (key,) = re.findall(r"^  Key       (ww_\w{8}_[\w-]+)$", stack.output(), re.MULTILINE)
            password = (stack.state / "postgres" / "password").read_text().strip()
            planted = given | {"database password": password, "API key": key.split("_", 2)[2]}
            with httpx2.Client(base_url=f"http://127.0.0.1:{stack.port}", timeout=60) as http:
                yield Closed(stack, http, given["admin token"], key, planted)
    finally:
        shutil.rmtree(folder)


def test_the_first_start_prints_a_prediction_and_a_key_with_a_line_that_works(closed: Closed) -> None:
    output = closed.stack.output()
    curl = next(line.split("Try", 1)[1].strip() for line in output.splitlines() if "  Try  " in line)
    answer = subprocess.run(["/bin/sh", "-c", curl], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert " -> " in output
    assert closed.key in curl
    assert '"request_id"' in answer.stdout
    assert closed.http.get("/history").status_code == 401
    assert closed.http.get("/history", headers={"Authorization": f"Bearer {closed.key}"}).status_code == 200


def test_a_later_start_makes_no_key_and_prints_none(closed: Closed) -> None:
    environment = {
        "WEEDWATCH_STATE_DIR": str(closed.stack.state),
        "WEEDWATCH_PORT": str(closed.stack.port),
        **closed.stack.environment,
    }
    with ThreadPoolExecutor(1) as thread:  # the browser of other tests keeps a loop running in this one
        made = thread.submit(lambda: asyncio.run(first_key(read_settings(environment)))).result()
    again = subprocess.run(
        [sys.executable, "-m", "standalone", "run"], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip

    assert made == ""
    assert "Ready in" in again.stdout
    assert 'curl -H "Authorization: Bearer $KEY" -F image=@' in again.stdout
    assert "ww_" not in again.stdout
    keys = closed.http.get("/keys", headers={"Authorization": f"Bearer {closed.admin}"}).json()["items"]
    assert [each["name"] for each in keys] == ["first key"]


def test_no_secret_is_found_in_anything_that_it_says_or_keeps(closed: Closed, photo: bytes) -> None:
    wrong = secrets.token_urlsafe(32)
    planted = closed.planted | {"wrong token": wrong}

    found = hits(closed.stack, planted, [whole(each) for each in drive(closed, photo, wrong)], closed.admin)

    assert found == dict.fromkeys(found, 0)
    # The search finds what is there: a word that is in all of it.
    control = hits(closed.stack, {"model": "plants"}, [b"plants"], closed.admin)
    assert all(control[place] for place in LOOKED_AT)


LOOKED_AT = ("answers", "pages", "logs", "state folder", "private folder", "database dump")


def drive(closed: Closed, photo: bytes, wrong: str) -> Iterator[httpx2.Response]:
    """Good and bad requests, with each secret also where it does not belong."""
    http, image = closed.http, {"Content-Type": "image/jpeg"}
    own = {"Authorization": f"Bearer {closed.key}"}
    yield http.post("/predict", content=photo, headers={**image, **own})
    yield http.post("/predict", content=b"no picture", headers={**image, **own})
    yield http.post("/keys", json={"name": "other"}, headers=own)
    for secret in (wrong, f"ww_12345678_{wrong}", closed.key, closed.admin, closed.planted["database password"]):
        yield http.get("/history", headers={"Authorization": f"Basic {secret}"})
        yield http.get("/history", headers={"Authorization": f"Bearer {secret}x"})
        yield http.get("/history", headers={"X-API-Key": secret, "Cookie": f"key={secret}"})
        yield http.get("/history", params={"api_key": secret, "access_token": secret, "limit": secret}, headers=own)
        yield http.post("/predict", params={"token": secret}, content=photo, headers=image)
        yield http.post("/keys", json={"name": "x", "scopes": [secret], "token": secret}, headers=own)
        yield http.post("/keys", content=f'{{"name": "{secret}', headers={"Content-Type": "application/json", **own})
        yield http.post("/predict", data={"top_k": secret, "token": secret}, files={"image": photo}, headers=own)
        yield http.post(
            "/v2/models/plants/infer", json={"inputs": secret, "parameters": {"token": secret}}, headers=own
        )
        yield http.get(f"/keys/{secret}", headers=own)
        yield http.get(f"/history/{secret}", headers=own)
        yield http.get(f"/nowhere/{secret}", headers=own)
        yield http.request(secret[:20].upper().replace("_", "-"), "/predict", headers=own)
