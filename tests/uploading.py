"""Uploads versions to a running service and waits for what becomes of them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from minisign import KeyPair

from tests.changing import MODEL, Changing
from tests.hostile.versions import Hostile, form_of_zeros, signature_of

SECONDS = 900.0
BOUNDARY = "zeros-and-nothing-else"
ENDED = ("ready", "refused")


@dataclass(frozen=True)
class Uploading:
    """`keys` sign what is uploaded; None: the service takes unsigned uploads."""

    place: Changing
    keys: KeyPair | None = None

    def send(self, files: Mapping[str, bytes], version: str | None = None, signed: str = "right") -> httpx2.Response:
        parts = {name: (name, content) for name, content in files.items()}
        content = files["archive" if "archive" in files else "model"]
        if self.keys is not None and signed != "none":
            parts["signature"] = ("s", signature_of(content if signed == "right" else content + b"x", self.keys))
        data = {"version": version} if version else {}
        return self._post(files=parts, data=data)

    def send_zeros(self, size: int, version: str, signature: bytes) -> httpx2.Response:
        fields = {"version": version.encode(), "signature": signature}
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self._post(content=form_of_zeros(size, fields, BOUNDARY), headers=headers)

    def _post(self, **request: Any) -> httpx2.Response:
        headers = {**self.place.admin, **request.pop("headers", {})}
        return self.place.http.post(f"{MODEL}/versions", headers=headers, timeout=SECONDS, **request)

    def version(self, version: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each for each in self.place.facts()["versions"] if each["version"] == version)
        return found

    def ended(self, version: str) -> dict[str, Any]:
        """The version, ready or refused."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if (found := self.version(version))["state"] in ENDED:
                    return found
            except (httpx2.TransportError, AssertionError):  # a control plane that is just being killed
                pass
            time.sleep(0.1)
        raise AssertionError(f"Version {version} is still {self.version(version)} after {SECONDS:g} s.")

    def refusal(self, case: Hostile) -> str | None:
        """What is wrong with how a hostile version was met; None when it was refused for the right reason."""
        answer = self.send(case.files, case.version, case.signed)
        return self.met(case.name, case.says, case.version, answer)

    def met(self, name: str, says: str, version: str, answer: httpx2.Response) -> str | None:
        if answer.status_code != 202:
            return f"{name}: answered {answer.status_code} {answer.text[:200]}"
        ended = self.ended(version)
        if ended["state"] != "refused" or says not in (ended["reason"] or ""):
            return f"{name}: {ended['state']}, {ended['reason']}"
        return None
