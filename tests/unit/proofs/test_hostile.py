"""Hostile requests are the same in every run, and each names the answers it may get."""

import io

import pytest
from PIL import Image

from control_plane.errors import ERRORS
from tests.hostile.bombs import png_bomb, webp_bomb
from tests.hostile.contract import DOCUMENTED, OK
from tests.hostile.families import families
from tests.hostile.mutations import mutated
from tests.hostile.pictures import CONTENT_TYPES, encoded
from tests.hostile.request import as_chunks, form, hostile, part


def test_judged_codes_are_the_documented_ones() -> None:
    assert {code: kind.status for code, kind in ERRORS.items()} == DOCUMENTED


QUICK = sorted(set(families(2)) - {"sizes", "bombs"})


@pytest.mark.parametrize("family", QUICK)
def test_every_request_of_a_family_allows_documented_codes_only(family: str) -> None:
    requests = list(families(2)[family]())
    assert requests
    for request in requests:
        assert request.allowed
        assert request.allowed <= {*DOCUMENTED, OK} - {"internal_error"}


@pytest.mark.parametrize("family", QUICK)
def test_names_of_a_family_are_distinct(family: str) -> None:
    names = [request.name for request in families(2)[family]()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_mutation_is_the_same_for_the_same_number(kind: str) -> None:
    assert mutated(kind, 5) == mutated(kind, 5)
    assert mutated(kind, 5) != mutated(kind, 6)
    assert mutated(kind, 5) != mutated(kind, 5, seed=2)


@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_picture_before_its_mutation_is_valid(kind: str) -> None:
    if kind != "HEIF":
        with Image.open(io.BytesIO(encoded(kind))) as picture:
            picture.load()
            assert picture.size == (160, 120)


@pytest.mark.parametrize(("data", "side"), [(png_bomb(50_000, 50_000), 50_000), (webp_bomb(), 16_384)])
def test_bomb_declares_its_pixels_in_a_small_file(data: bytes, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (side, side)
    assert len(data) < 1_000_000


def test_request_is_sent_whole() -> None:
    request = hostile("a", form(part(b"x" * 600_000)), {OK})
    assert b"".join(request.pieces()) == request.head + request.body
    assert f"Content-Length: {len(request.body)}".encode() in request.head


def test_chunked_body_ends_with_an_empty_chunk() -> None:
    assert as_chunks(b"abc") == b"3\r\nabc\r\n0\r\n\r\n"
