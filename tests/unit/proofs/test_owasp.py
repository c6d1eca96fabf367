"""What line 4 of the proof of the doors looks for, it finds."""

import json
from http.client import HTTPMessage
from typing import Any

import pytest

from tests.proofs.doors_lines.owasp_configuration import INSIDE
from tests.proofs.doors_lines.owasp_ground import Reply
from tests.proofs.doors_lines.owasp_properties import strange

DOCUMENT = {
    "components": {
        "schemas": {
            "Inner": {"type": "object", "properties": {"label": {"type": "string"}}},
            "Outer": {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}},
                    "newest": {"anyOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "null"}]},
                    "facts": {"type": "object", "additionalProperties": True},
                },
            },
        }
    }
}
OPERATION = {
    "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Outer"}}}}}
}


def found(body: Any, status: int = 200) -> list[str]:
    return list(strange(DOCUMENT, OPERATION, Reply(status, HTTPMessage(), json.dumps(body).encode())))


def test_what_is_declared_is_not_strange() -> None:
    assert found({"items": [{"label": "a"}], "newest": None, "facts": {"any": 1}}) == []
    assert found({"newest": {"label": "a"}}) == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"owner": "ada"}, ".owner"),
        ({"items": [{"label": "a"}, {"digest": "x"}]}, ".items[].digest"),
        ({"newest": {"label": "a", "secret": "x"}}, ".newest.secret"),
    ],
)
def test_what_is_not_declared_is_found(body: Any, name: str) -> None:
    assert found(body) == [name]


def test_a_status_that_is_not_declared_is_found() -> None:
    assert found({}, 201) == ["the status 201"]


@pytest.mark.parametrize(
    "text",
    [
        'Traceback (most recent call last):\n  File "/srv/a.py", line 1',
        "no such file: /root/weedwatch/state",
        'relation "keys" does not exist',
        "SELECT id FROM keys",
        "org.pytorch.serve.archive.model.ModelNotFoundException",
        "worker pid=4711 died",
        "ww_3kP9x2aB_" + "x" * 43,
        "ey" + "JhbGciOiJub25lIn0.e30.",
        "postgresql://weedwatch:x@localhost/weedwatch",
    ],
)
def test_words_from_inside_are_found(text: str) -> None:
    assert INSIDE.search(text)


def test_a_sentence_of_ours_is_not_from_inside() -> None:
    assert not INSIDE.search("Send the picture in the multipart field 'image' (or 'file'), or as a raw image/* body.")
