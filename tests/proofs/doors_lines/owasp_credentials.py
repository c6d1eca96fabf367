"""Item 2: no credential that is worth nothing gets in, however many are tried; keys are kept as digests alone."""

import threading
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.issuer.issuing import claims
from tests.issuer.site import Site
from tests.issuer.tokens import RSA, bad_tokens, unsigned
from tests.proofs.doors_lines.owasp_ground import Ground
from tests.proofs.results import Figure, at_most, is_true, none_of

FULL_TRIES = 1000
LOCKED_AFTER = 20
BETWEEN_FETCHES_SECONDS = 30.0
LARGEST_HEADER = 60_000


def run(ground: Ground, provider: Site, trap: Site) -> list[Figure]:
    return [*_tokens(ground, provider, trap), *_unknown_keys(ground, provider), *_wrong_keys(ground), *_at_rest(ground)]


def _tokens(ground: Ground, provider: Site, trap: Site) -> list[Figure]:
    good = claims(provider.url)
    taken = ground.ask("GET", "/info", {"Authorization": f"Bearer {RSA.sign(good)}"})
    faults, tokens = [], bad_tokens(good, trap.url)
    for name, token in tokens.items():
        text = token.encode("utf-8", "replace").decode("latin-1").replace("\0", "%00").strip()
        status = ground.ask("GET", "/info", {"Authorization": f"Bearer {text}"}).status
        # One that is larger than any header may be is refused as a header.
        if status not in ((401,) if len(text) < LARGEST_HEADER else (0, 401, 413, 422, 431)):
            faults.append(f"{name}: {status}")
    return [
        is_true("a good token is taken", taken.status == 200, str(taken.status)),
        none_of("bad tokens that were not answered 401", faults, len(tokens), ground.context.say),
        none_of("places that a bad token made the service ask", trap.asked, len(tokens), ground.context.say),
    ]


def _unknown_keys(ground: Ground, provider: Site) -> list[Figure]:
    """All at once: each names a key that the provider might have made since."""
    tries, before, started = ground.context.count(FULL_TRIES), provider.asked.count("/jwks"), time.monotonic()
    good, statuses = claims(provider.url), list[int]()

    def ask(numbers: range) -> None:
        own = Ground(ground.context, ground.place, ground.postgres, b"", {}, {}, "")
        for number in numbers:
            token = unsigned({"alg": "RS256", "kid": f"unknown-{number}"}, good, "AAAA")
            reply = own.ask("GET", "/info", {"Authorization": f"Bearer {token}"}, address=f"10.200.{number}.1")
            statuses.append(reply.status)
        own.close()

    threads = [threading.Thread(target=ask, args=(range(start, tries, 4),)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed = 1 + (time.monotonic() - started) // BETWEEN_FETCHES_SECONDS
    wrong = [str(status) for status in statuses if status != 401]
    return [
        none_of("tokens of unknown keys that were not answered 401", wrong, tries, ground.context.say),
        at_most(f"times that {tries} of them made it fetch keys", provider.asked.count("/jwks") - before, allowed),
    ]


def _wrong_keys(ground: Ground) -> list[Figure]:
    """From one address, guessed for a key that exists."""
    made = ground.place.make_key("read", name="guessed")["key"]
    tries, statuses = ground.context.count(FULL_TRIES, at_least=50), []
    for number in range(tries):
        headers = {"Authorization": f"Bearer {made[:12]}{number:043d}"}
        statuses.append(ground.ask("GET", "/info", headers, address="10.99.0.1").status)
    faults = [str(status) for status in statuses if status not in (401, 429)]
    figures = [
        none_of("wrong keys that got in, or were answered neither 401 nor 429", faults, tries, ground.context.say)
    ]
    tried = statuses.index(429) if 429 in statuses else tries
    elsewhere = ground.ask("GET", "/info", {"Authorization": f"Bearer {made}"}, address="10.99.0.2")
    return [
        *figures,
        at_most("tries until the address was locked out", tried, LOCKED_AFTER),
        is_true("the key's holder goes on elsewhere", elsewhere.status == 200),
    ]


def _at_rest(ground: Ground) -> list[Figure]:
    """The secrets of keys, looked for in every table and in every file that the service wrote."""
    made = ground.place.make_key("read", name="kept")
    ground.ask("GET", "/info", {"Authorization": f"Bearer {made['key']}"})
    admin = ground.admin["Authorization"].removeprefix("Bearer ")
    secrets = [made["key"].rpartition("_")[2].encode(), admin.encode()]
    places = dict(_kept(ground))
    hits = [where for where, content in places.items() if any(secret in content for secret in secrets)]
    found = made["id"].encode() in places["table keys"]
    return [
        is_true("the key's name is found where keys are kept", found),
        none_of(
            "tables, files and command lines with the secret of a key or token", hits, len(places), ground.context.say
        ),
    ]


def _kept(ground: Ground) -> Any:
    with psycopg.connect(ground.postgres.url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT'.encode()) as copy:
                yield f"table {name}", b"".join(bytes(block) for block in copy)
    secret = {"admin-token", "first-key", "key-secret"}  # where they are meant to be, for their owner alone
    for file in ground.place.stack.folder.rglob("*"):
        if file.is_file() and not file.is_symlink() and file.name not in secret and file.stat().st_size < 2**26:
            yield str(file.relative_to(ground.place.stack.folder)), _read(file)
    for process in psutil.process_iter():
        try:
            yield f"command line of {process.pid}", " ".join(process.cmdline()).encode()
        except psutil.Error:
            continue


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
