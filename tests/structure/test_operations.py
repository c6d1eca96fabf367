"""What the operators' page quotes is what the code says, and it leaves out no area."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"
PACKAGES = ("control_plane", "deploy", "standalone", "handlers", "quarantine")


@cache
def sentences() -> list[str]:
    """Every text in the code; what is put into one stands as `‹›`."""
    found = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
                elif isinstance(node, ast.JoinedStr):
                    found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "‹›" for p in node.values))
    return found


def is_said(quoted: str) -> bool:
    pattern = re.compile(".*".join(map(re.escape, quoted.split("…"))), re.DOTALL)
    return any(pattern.search(each) for each in sentences())


def quoted(page: str) -> list[str]:
    """First cells of the tables whose head is “What it says”, but for what other programs say."""
    found = []
    for table in re.findall(r"^\| What it says \|.*\n\|[-| ]+\n((?:\|.*\n)+)", page, re.MULTILINE):
        for row in table.splitlines():
            cell = row.strip("| ").split(" | ")[0]
            spans = re.findall(r"`([^`]+)`", cell)
            if " says)" not in cell:
                found += [span for span in spans if " " in span]
    return found


def test_each_sentence_of_the_page_is_one_that_the_code_says() -> None:
    said = quoted(PAGE.read_text())
    assert len(said) > 25
    assert [sentence for sentence in said if not is_said(sentence)] == []


@pytest.mark.parametrize("made_up", ["The moon is made of cheese.", "The setting … is lovely: …"])
def test_a_sentence_that_nothing_says_is_found(made_up: str) -> None:
    page = f"| What it says | Why | What to do |\n|---|---|---|\n| `{made_up}` | x | y |\n"
    (one,) = quoted(page)
    assert not is_said(one)


def test_what_another_program_says_is_not_looked_for() -> None:
    page = "| What it says | Why |\n|---|---|\n| `the moon is full` (Docker says) | x |\n"
    assert quoted(page) == []


def test_every_area_has_its_table() -> None:
    headings = " ".join(re.findall(r"^### (.+)$", PAGE.read_text(), re.MULTILINE)).lower()
    areas = "start health memory edge database worker port monitoring logs alerts model permissions credentials"
    assert [area for area in areas.split() if area not in headings] == []
