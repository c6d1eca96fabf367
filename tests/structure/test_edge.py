"""What the edge's configuration must say, and what only shows when something is refused or somebody reads its log."""

import json
import re

import pytest

from deploy.composing import ROOT

NGINX = ROOT / "deploy" / "nginx"


def mapped(text: str, source: str, target: str) -> list[str]:
    """The lines of a map of nginx."""
    found = re.search(
        rf'^\s*map "?{re.escape(source)}"? {re.escape(target)} {{\n(.*?)^\s*}}', text, re.DOTALL | re.MULTILINE
    )
    assert found is not None, target
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize(("seconds", "milliseconds"), [
    ("0.000", 0), ("0.005", 5), ("0.015", 15), ("0.120", 120), ("0.999", 999), ("1.000", 1000), ("12.345", 12345),
])  # fmt: skip
def test_the_time_of_a_request_is_a_number_of_json(seconds: str, milliseconds: int) -> None:
    lines = mapped((NGINX / "nginx.conf").read_text(), "$request_time", "$request_milliseconds")
    text = "0"
    for line in lines:
        pattern, value = line.removesuffix(";").rsplit(" ", 1)
        if pattern.startswith("~") and (found := re.search(pattern[1:], seconds)):
            text = re.sub(r"\$(\d)", lambda group, found=found: found[int(group[1])], value)  # type: ignore[misc]
            break
    assert json.loads(text) == milliseconds


@pytest.mark.parametrize(("source", "target"), [
    ("$request_method $uri", "$is_admin_work"), ("$is_admin_work$is_operator", "$is_closed"),
])  # fmt: skip
def test_the_page_of_a_refusal_is_not_refused_itself(source: str, target: str) -> None:
    """nginx asks again for the error's page: what it remembered of the first address would close that too (500)."""
    text = (NGINX / "templates" / "weedwatch.conf.template").read_text()
    assert "volatile;" in mapped(text, source, target)


def test_a_long_answer_that_is_taken_slowly_leaves_room_for_bodies() -> None:
    """nginx's own limit is 1 GB an answer, which is all of the memory that both wait in."""
    text = (NGINX / "templates" / "weedwatch.conf.template").read_text()
    assert re.search(r"^    proxy_max_temp_file_size 16m;$", text, re.MULTILINE)
