"""Tokens that must let nobody in, and the keys that sign them."""

import base64
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from tests.issuer.issuing import AUDIENCE, new_key, part

ALGORITHMS = ("RS256", "ES256", "EdDSA")
KEYS = {each: new_key(f"key-{each}", each) for each in ALGORITHMS}
FOREIGN = new_key("key-RS256")  # another key under a name that is known
OTHER = new_key("nobody-knows-it")
RSA = KEYS["RS256"]
NOW = int(time.time())


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
