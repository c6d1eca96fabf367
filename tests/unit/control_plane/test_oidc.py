"""No token but the provider's own access tokens for this service gets in, whatever a token or a provider says."""

import asyncio
import base64
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from control_plane.access import oidc, provider
from control_plane.access.oidc import Issuer, issuer_from, scope_map
from control_plane.errors import ProviderUnavailable, Unauthorized
from control_plane.settings import Settings
from tests.issuer.issuing import AUDIENCE, Key, claims, new_key, part

ALGORITHMS = ("RS256", "ES256", "EdDSA")
KEYS = {each: new_key(f"key-{each}", each) for each in ALGORITHMS}
FOREIGN = new_key("key-RS256")  # another key under a name that is known
OTHER = new_key("nobody-knows-it")
NOW = int(time.time())

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Site:
    """A provider's documents, answered as bytes; `asked` counts."""

    port: int = 0
    keys: list[Key] = field(default_factory=lambda: [*KEYS.values()])
    write: Write | None = None
    described: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def document(self, path: str) -> bytes:
        if path == "/jwks":
            return json.dumps({"keys": [key.public_jwk for key in self.keys]}).encode()
        places = {"jwks_uri": "/jwks", "authorization_endpoint": "/auth", "token_endpoint": "/token"}
        described = {"issuer": self.url, **{name: self.url + place for name, place in places.items()}}
        return json.dumps(described | self.described).encode()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked.append(path)
            if self.write and path == "/jwks":
                await self.write(writer)
            else:
                await respond(writer, self.document(path))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def respond(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()


@asynccontextmanager
async def site(**facts: Any) -> AsyncIterator[Site]:
    made = Site(**facts)
    async with await asyncio.start_server(made.answer, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


def issuer_of(where: Site) -> Issuer:
    return Issuer(
        where.url,
        AUDIENCE,
        algorithms=ALGORITHMS,
        leeway_seconds=30,
        scopes_claim="scope",
        scopes=scope_map("weedwatch:predict=predict,biologist=predict+read"),
    )


@contextmanager
def refused(error: type[Exception] = Unauthorized) -> Iterator[None]:
    with pytest.raises(error) as caught:
        yield
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_good_token_says_who_and_what(algorithm: str) -> None:
    async with site() as where:
        token = KEYS[algorithm].sign(claims(where.url, scope="biologist openid unknown"))
        verified = await issuer_of(where).verify(token)
    assert verified.subject == "ada"
    assert verified.scopes == {"predict", "read"}


@pytest.mark.parametrize(
    ("claim", "value"), [("scp", "biologist x"), ("permissions", ["biologist"]), ("a.roles", {"roles": ["biologist"]})]
)
async def test_words_come_from_the_claim_that_the_settings_name(claim: str, value: object) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        issuer._claim = claim
        token = KEYS["ES256"].sign(claims(where.url, **{claim.partition(".")[0]: value}))
        assert (await issuer.verify(token)).scopes == {"predict", "read"}


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: str = "") -> str:
    return f"{part(header)}.{part(body)}.{signature}"


def with_public_key_as_secret(good: dict[str, Any]) -> str:
    pem = (
        KEYS["RS256"]
        .private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    signed = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'key-RS256'})}.{part(good)}"
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(algorithm.sign(signed.encode(), pem)).rstrip(b"=").decode()
    return f"{signed}.{signature}"


def zero(algorithm: str, good: dict[str, Any]) -> str:
    """Zeros as the signature: what a careless ECDSA takes for any message."""
    head = KEYS[algorithm].sign(good).rpartition(".")[0]
    return f"{head}.{base64.urlsafe_b64encode(bytes(64)).rstrip(b'=').decode()}"


def exchanged(token: str, claims: dict[str, Any]) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part(claims)}.{signature}"


RSA = KEYS["RS256"]


def bad_tokens(good: dict[str, Any], trap: str) -> dict[str, str]:
    """By what is wrong with each. `trap` is a server that nobody may ask."""
    return {
        "empty": "",
        "no token": "ww_not_a_token",
        "alg none": unsigned({"alg": "none", "typ": "at+jwt"}, good),
        "alg NonE, signed": unsigned({"alg": "NonE", "kid": "key-RS256"}, good, "AAAA"),
        "HS256 with the public key": with_public_key_as_secret(good),
        "no alg": unsigned({"kid": "key-RS256"}, good, "AAAA"),
        "alg not allowed": jwt.encode(good, RSA.private, "PS256", {"kid": "key-RS256"}),
        "alg of another key": unsigned({"alg": "ES256", "kid": "key-RS256"}, good, "AAAA"),
        "kid is a path": OTHER.sign(good, kid="../../../../dev/null"),
        "kid is SQL": OTHER.sign(good, kid="x' UNION SELECT 'AA"),
        "kid is a number": unsigned({"alg": "RS256", "kid": 7}, good, "AAAA"),
        "kid unknown": OTHER.sign(good),
        "another key under a known kid": FOREIGN.sign(good),
        "jku": OTHER.sign(good, jku=f"{trap}/keys"),
        "x5u": OTHER.sign(good, x5u=f"{trap}/cert"),
        "jwk inside": OTHER.sign(good, jwk=OTHER.public_jwk),
        "crit": RSA.sign(good, crit=["exp"]),
        "typ of an ID token": RSA.sign(good, typ="id+jwt"),
        "typ of a logout token": RSA.sign(good, typ="logout+jwt"),
        "an ID token": RSA.sign(good | {"nonce": "n"}, typ="JWT"),
        "an ID token by at_hash": RSA.sign(good | {"at_hash": "h"}, typ="JWT"),
        "Keycloak's refresh token": RSA.sign(good | {"typ": "Refresh"}, typ="JWT"),
        "bound to a key": RSA.sign(good | {"cnf": {"jkt": "x"}}),
        "another audience": RSA.sign(good | {"aud": "https://other.example"}),
        "audience that begins alike": RSA.sign(good | {"aud": AUDIENCE + ".evil"}),
        "another issuer": RSA.sign(good | {"iss": trap}),
        "issuer with a slash": RSA.sign(good | {"iss": good["iss"] + "/"}),
        "ended": RSA.sign(good | {"exp": NOW - 3600}),
        "not begun": RSA.sign(good | {"nbf": NOW + 3600}),
        "made in the future": RSA.sign(good | {"iat": NOW + 3600}),
        "end is infinite": RSA.sign(good | {"exp": float("inf")}),
        "end is a list": RSA.sign(good | {"exp": [NOW + 300]}),
        "end is true": RSA.sign(good | {"exp": True}),
        "sub is a number": RSA.sign(good | {"sub": 7}),
        "sub has line ends": RSA.sign(good | {"sub": "ada\nadmin"}),
        "sub is empty": RSA.sign(good | {"sub": ""}),
        "zero signature, RSA": zero("RS256", good),
        "zero signature, EC": zero("ES256", good),
        "no signature": RSA.sign(good).rpartition(".")[0] + ".",
        "claims exchanged": exchanged(RSA.sign(good), good | {"sub": "eve"}),
        "deep header": base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30.AAAA",
        "header is a list": f"{part([])}.{part(good)}.AAAA",
        "four parts": RSA.sign(good) + ".AAAA",
        "encrypted": unsigned({"alg": "RSA-OAEP", "enc": "A256GCM"}, good, "AA.AA"),
        "no text": "\ud800\0.\0.\0",
        "one megabyte": RSA.sign(good | {"pad": "x" * 2**20}),
    } | {
        f"no {name}": RSA.sign({k: v for k, v in good.items() if k != name})
        for name in ("exp", "iat", "iss", "aud", "sub")
    }


async def test_no_bad_token_gets_in_and_none_makes_us_ask_elsewhere() -> None:
    async with site() as where, site() as trap:
        issuer = issuer_of(where)
        good = claims(where.url)
        await issuer.verify(RSA.sign(good))
        tokens = bad_tokens(good, trap.url)
        for name, token in tokens.items():
            with pytest.raises(Unauthorized, match=r"\.$"):
                raise AssertionError(f"{name}: {await issuer.verify(token)}")
        assert trap.asked == []
        assert where.asked.count("/jwks") == 1
        assert len(tokens) >= 24


async def test_a_token_of_a_megabyte_is_refused_before_it_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "hashlib", None)
    async with site() as where:
        with refused():
            await issuer_of(where).verify("x" * 2**20)


async def test_unknown_keys_are_asked_for_once_in_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        await issuer.verify(RSA.sign(claims(where.url)))
        monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))

        async def attempt(number: int) -> None:
            with refused():
                await issuer.verify(unsigned({"alg": "RS256", "kid": f"unknown-{number}"}, claims(where.url), "AAAA"))

        await asyncio.gather(*(attempt(number) for number in range(1000)))
        assert where.asked.count("/jwks") == 2


async def test_a_new_key_is_found_and_a_withdrawn_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    new = new_key("new", "ES256")
    async with site() as where:
        issuer = issuer_of(where)
        old = RSA.sign(claims(where.url))
        await issuer.verify(old)
        where.keys = [new]
        monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))
        fresh = [new.sign(claims(where.url, jti=str(number))) for number in range(20)]
        verified = await asyncio.gather(*(issuer.verify(each) for each in fresh))
        assert {each.subject for each in verified} == {"ada"}
        with refused():
            await issuer.verify(old)  # though it was known


async def test_known_keys_go_on_while_the_provider_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        await issuer.verify(RSA.sign(claims(where.url)))
    monkeypatch.setattr(issuer.provider, "_asked_at", float("-inf"))
    assert (await issuer.verify(KEYS["EdDSA"].sign(claims(where.url)))).subject == "ada"
    with refused():
        await issuer.verify(OTHER.sign(claims(where.url)))


async def test_a_provider_that_was_never_reached_is_nobodys_fault() -> None:
    async with site() as where:
        pass
    issuer = issuer_of(where)
    with refused(ProviderUnavailable):
        await issuer.verify(RSA.sign(claims(where.url)))
    with refused():
        await issuer.verify("nonsense")


async def test_a_token_that_is_known_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async with site() as where:
        issuer = issuer_of(where)
        token = RSA.sign(claims(where.url))
        await issuer.verify(token)
        monkeypatch.setattr(oidc, "time", lambda: time.time() + 331)
        with refused():
            await issuer.verify(token)


async def test_tokens_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "KNOWN_TOKENS", 5)
    async with site() as where:
        issuer = issuer_of(where)
        for number in range(12):
            await issuer.verify(KEYS["EdDSA"].sign(claims(where.url, jti=str(number))))
    assert len(issuer._known) == 5


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    while True:
        writer.write(b"[" * 65536)
        await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


def answered(body: bytes, status: str = "200 OK", *headers: str) -> Write:
    async def write(writer: asyncio.StreamWriter) -> None:
        await respond(writer, body, status, *headers)

    return write


EC = KEYS["ES256"].public_jwk
HOSTILE: dict[str, Write] = {
    "endless": endless,
    "drip": drip,
    "silent": silent,
    "redirect": answered(b"", "302 Found", "Location: http://127.0.0.1:8081/"),
    "not found": answered(b"{}", "404 Not Found"),
    "failed": answered(b"{}", "500 Internal Server Error"),
    "switch": answered(b"", "101 Switching Protocols", "Upgrade: h2c"),
    "empty": answered(b""),
    "bad UTF-8": answered(b'{"keys": ["\xff\xfe"]}'),
    "gzip bomb": answered(gzip.compress(b" " * 10_000_000), "200 OK", "Content-Encoding: gzip"),
    "deep": answered(b"[" * 200_000),
    "a list": answered(b"[]"),
    "no keys": answered(b'{"keys": []}'),
    "keys are text": answered(b'{"keys": "all"}'),
    "a thousand keys": answered(json.dumps({"keys": [EC] * 1000}).encode()),
    "a shared secret": answered(json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "key-RS256"}]}).encode()),
    "broken keys": answered(
        json.dumps(
            {"keys": [7, {}, {"kty": "RSA"}, {**EC, "x": "!"}, {**EC, "kid": []}, {**EC, "crv": "P-0"}]}
        ).encode()
    ),
    "private keys": answered(json.dumps({"keys": [RSA.jwk]}).encode()),
    "keys for encryption": answered(json.dumps({"keys": [RSA.public_jwk | {"use": "enc"}]}).encode()),
    "nonsense": answered(b"", "nonsense"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_keys_let_nobody_in_and_take_no_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "FETCH_SECONDS", 0.5)
    async with site(write=HOSTILE[name]) as where, asyncio.timeout(30):
        with refused(ProviderUnavailable):
            await issuer_of(where).verify(RSA.sign(claims(where.url)))


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://login.example"},
        {"jwks_uri": "http://169.254.169.254/latest/meta-data/"},
        {"jwks_uri": "http://127.0.0.1:8081/models"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[::1"},
        {"jwks_uri": None},
        {"token_endpoint": "https://elsewhere.example/token"},
        {"end_session_endpoint": "javascript:alert(1)"},
    ],
)
async def test_a_description_leads_nowhere_else(described: dict[str, Any]) -> None:
    async with site(described=described) as where:
        with refused(ProviderUnavailable):
            await issuer_of(where).verify(RSA.sign(claims(where.url)))
        assert where.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "address",
    [
        "http://login.example",
        "https://",
        "https://a;b.example",
        "https://a@b.example",
        "https://b.example/?x",
        "ftp://localhost",
        "",
    ],
)
def test_an_issuer_has_to_be_an_address_that_nobody_can_listen_to(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        provider.check_address(address)


@pytest.mark.parametrize("text", ["", "word", "word=", "=predict", "word=predict+fly", "a=predict,,b=read"])
def test_a_map_of_scopes_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="WORD=SCOPE"):
        scope_map(text)


@pytest.mark.parametrize(
    ("issuer", "audience", "scopes", "named"),
    [
        ("", "x", "a=read", "ISSUER"),
        ("https://login.example", "", "a=read", "AUDIENCE"),
        ("http://login.example", "x", "a=read", "ISSUER"),
        ("https://login.example", "x", "read", "SCOPES"),
    ],
)
def test_settings_that_make_no_sense_are_named(issuer: str, audience: str, scopes: str, named: str) -> None:
    settings = Settings(database_url="postgresql://", oidc_issuer=issuer, oidc_audience=audience, oidc_scopes=scopes)
    with pytest.raises(ValueError, match=f"WEEDWATCH_OIDC_{named}"):
        issuer_from(settings)


@pytest.mark.parametrize("algorithms", ["HS256", "none", "RS256,HS512", ""])
def test_a_shared_secret_cannot_be_configured(algorithms: str) -> None:
    with pytest.raises(ValidationError):
        Settings(database_url="postgresql://", oidc_algorithms=algorithms)
