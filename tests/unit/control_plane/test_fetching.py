"""Which URLs a version may come from."""

import pytest

from control_plane.errors import InvalidRequest
from control_plane.models.fetching import check_allowed

ALLOWED = ("https://models.example/weeds/", "file:///srv/models", "s3://bucket/models/")


@pytest.mark.parametrize(
    "url", ["https://models.example/weeds/1/plants.mar", "file:///srv/models/plants-2.mar", "s3://bucket/models/a.mar"]
)
def test_below_a_prefix(url: str) -> None:
    check_allowed(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "https://models.example/other/plants.mar",
        "https://models.example/weeds/../other/plants.mar",
        "https://models.example/weeds/%2e%2e/other/plants.mar",
        "https://models.example/weeds/%252e%252e/plants.mar",
        "https://models.example.evil/weeds/plants.mar",
        "https://models.example/weeds",
        "http://models.example/weeds/plants.mar",
        "https://somebody@models.example/weeds/plants.mar",
        "https://models.example/weeds/plants.mar?to=elsewhere",
        "simplecache::https://models.example/weeds/plants.mar",
        "file:///srv/models/../../etc/passwd",
        "file:///srv/models-of-others/plants.mar",
        "file:///srv/models/a\\b.mar",
        "/srv/models/plants.mar",
        "",
    ],
)
def test_not_below_a_prefix(url: str) -> None:
    with pytest.raises(InvalidRequest, match="WEEDWATCH_MODEL_URLS"):
        check_allowed(url, ALLOWED)


def test_nothing_is_allowed_by_default() -> None:
    with pytest.raises(InvalidRequest, match="names no prefix"):
        check_allowed("file:///srv/models/plants.mar", ())
