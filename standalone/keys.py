"""Credentials of a run that asks for them: the admin token, and the first API key."""

import ipaddress
import json

from standalone.errors import CannotRun
from standalone.http import request
from standalone.settings import ROOT, Settings

NAME = "first key"
SCOPES = ("predict", "read", "locations", "feedback", "jobs", "train", "admin")


def check_auth(settings: Settings) -> None:
    """See that a run which the network reaches asks for a credential.

    Raises:
        CannotRun: It does not.
    """
    if settings.auth == "off" and not is_loopback(settings.host):
        raise CannotRun(
            f"WEEDWATCH_HOST is {settings.host}, and WEEDWATCH_AUTH is off: whoever reaches this machine could use all "
            "of it. Set WEEDWATCH_AUTH=keys, and `make run` makes a key and prints it; or leave WEEDWATCH_HOST out."
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def credential(settings: Settings) -> str:
    """The admin token where a credential is asked for, else nothing. The control plane made it when it started."""
    if settings.auth == "off":
        return ""
    named = settings.environment.get("WEEDWATCH_ADMIN_TOKEN_FILE")
    file = ROOT / named if named else settings.state_dir / "admin-token"
    try:
        return file.read_text("utf-8").strip()
    except OSError as problem:
        raise CannotRun(f"The admin token cannot be read from {file} ({problem.strerror}).") from None


async def first_key(settings: Settings) -> str:
    """Make the first API key, with all scopes; empty when there is one already or none is asked for.

    Raises:
        CannotRun: It could not be made.
    """
    if settings.auth != "keys":
        return ""
    token = credential(settings)
    known = await request("/keys", at=settings.own_url, token=token)
    if known is not None and known.status == 200 and known.json().get("items"):
        return ""
    made = None
    if known is not None and known.status == 200:
        body = json.dumps({"name": NAME, "scopes": SCOPES}).encode()
        made = await request("/keys", at=settings.own_url, body=body, content_type="application/json", token=token)
    if made is None or made.status != 201:
        last = made or known
        detail = last.json().get("detail", last.status) if last else "no answer in time"
        raise CannotRun(f"The first API key could not be made: {detail}\n  Logs: {settings.logs}")
    return str(made.json()["key"])
