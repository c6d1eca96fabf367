"""The documents say what the code does."""

import inspect
import re
import subprocess
from pathlib import Path

import pytest

from backup.settings import own_variables
from control_plane import errors
from control_plane.settings import variable_names
from observability import channels
from tests.structure import generated

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r'"(WEEDWATCH_[A-Z_]+|DATABASE_URL|MODEL_PATH|LABELS_PATH|MODEL_ARCHITECTURE|PG_BIN)"')
# What the supervisor tells its children, or the tests tell each other; nobody sets these by hand.
INTERNAL = {"WEEDWATCH_TORCHSERVE_METRICS"}


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[Path, str]:
    return {file: file.read_text(errors="ignore") for file in tracked() if file.suffix not in {".jpg", ".png", ".pth"}}


def test_contributing_lists_what_is_generated() -> None:
    (line,) = [each for each in (ROOT / "CONTRIBUTING.md").read_text().splitlines() if "Generated files" in each]
    folder = "deploy/nginx/"
    listed = re.findall(r"`([^` ]+)`", line.split(" are written by ")[0])
    for name in generated.texts():
        short = name.removeprefix(folder)
        assert any(short == each or (each.endswith("/") and short.startswith(each)) for each in listed), name


@pytest.mark.parametrize("name", sorted(generated.texts()))
def test_a_page_made_from_code_is_current(name: str) -> None:
    assert (ROOT / name).read_text() == generated.texts()[name], "run: python -m tests.structure.generated"


def test_every_setting_stands_in_the_example_file() -> None:
    example = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    used = set(variable_names()) | set(channels.VARIABLES) | set(own_variables())
    for package in ("standalone", "handlers", "training"):
        for file in (ROOT / package).rglob("*.py"):
            used |= set(VARIABLE.findall(file.read_text()))
    assert used - INTERNAL - example == set()
    assert example - used - INTERNAL == set()


def test_every_error_class_has_an_entry_in_the_registry() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.ServingError)]
    assert {each.code for each in classes} <= set(errors.ERRORS)
    assert all(400 <= kind.status <= 599 for kind in errors.ERRORS.values())
    assert all(kind.sentence.endswith(".") and kind.remedy.endswith(".") for kind in errors.ERRORS.values())


def test_locks_carry_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        text = lock.read_text()
        assert "://" not in text
        pinned = re.findall(r"^[A-Za-z0-9_.-]+==", text, re.MULTILINE)
        assert pinned
        assert len(re.findall(r"--hash=sha256:", text)) >= len(pinned)


def test_the_tree_of_the_architecture_page_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    tree = page.split("## 2. The tree")[1].split("```")[1]
    lines = [line for line in tree.strip().splitlines() if not line.startswith(" ")]
    named = [name.rstrip("/") for line in lines for name in (line.split()[:1] if "  " in line else line.split())]
    assert named
    assert [name for name in named if not list(ROOT.glob(name))] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for file, text in texts().items():
        if file.suffix == ".md":
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                if not (file.parent / target).exists():
                    broken.append(f"{file.relative_to(ROOT)}: {target}")
    assert broken == []


def test_make_alone_lists_every_command() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in [
        "setup",
        "run",
        "stop",
        "test",
        "check",
        "lock",
        "archive",
        "train-demo",
        "prove",
        "prove-spine",
        "clean",
    ]:
        assert f"make {command} " in listed


def test_the_readme_lists_the_commands_that_make_lists() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    readme = (ROOT / "README.md").read_text()
    shown = [line for line in readme.splitlines() if line.startswith("  make ")]
    assert shown
    assert set(shown) <= set(listed.splitlines())
