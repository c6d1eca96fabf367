"""What may be said of a record later: only what was given changes, and a place is a pair."""

import json

import pytest
from pydantic import ValidationError

from control_plane.contract.history import Amendment


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        ({}, {}),
        ({"consent": True}, {"consent": True}),
        ({"consent": None}, {}),
        ({"latitude": 1, "longitude": 2}, {"latitude": 1.0, "longitude": 2.0}),
        ({"latitude": None, "longitude": None}, {"latitude": None, "longitude": None}),
        ({"subject": None}, {"subject": None}),
    ],
)
def test_only_what_was_given_changes(given: dict[str, object], changes: dict[str, object]) -> None:
    assert Amendment.model_validate_json(json.dumps(given)).changes == changes


@pytest.mark.parametrize(
    "given",
    [
        '{"latitude": 1}',
        '{"latitude": 1, "longitude": null}',
        '{"latitude": 91, "longitude": 0}',
        '{"verdict": "species"}',
        '{"subject": "a\\u0000b"}',
        "[]",
        "",
        "{",
    ],
)
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        Amendment.model_validate_json(given)
