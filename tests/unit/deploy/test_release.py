"""A tag, the version and the changelog say the same, or there is no release."""

import re
import subprocess
from pathlib import Path

import pytest

from control_plane.version import VERSION
from deploy import __main__ as deploy
from deploy import release
from deploy.errors import CannotDeploy

ROOT = Path(__file__).parents[3]
CHANGELOG = """# Changelog

## Unreleased

### Added
- Something new.

## 0.1.0 - 2026-01-02

- The beginning.
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "control_plane").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "weedwatch"\nversion = "0.1.0"\nother = "0.1.0"\n')
    (tmp_path / "control_plane/version.py").write_text('"""Of the service."""\n\nVERSION = "0.1.0"\n')
    return tmp_path


def test_our_changelog_has_the_form_that_a_release_needs() -> None:
    assert release.faults_of((ROOT / "CHANGELOG.md").read_text()) == []


def test_our_version_is_the_same_everywhere() -> None:
    assert set(release.versions(ROOT).values()) == {VERSION}


def test_each_tag_of_ours_has_its_section() -> None:
    listed = subprocess.run(["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tags = {tag[1:] for tag in listed.split() if re.fullmatch(f"v{release.VERSION}", tag)}
    assert tags - set(release.released((ROOT / "CHANGELOG.md").read_text())) == set()


def test_beginning_a_release_writes_its_version_everywhere_and_its_tag_has_notes(tree: Path) -> None:
    release.begin(tree, "0.2.0", "2026-11-26")
    assert set(release.versions(tree).values()) == {"0.2.0"}
    assert 'other = "0.1.0"' in (tree / "pyproject.toml").read_text()
    changelog = (tree / "CHANGELOG.md").read_text()
    assert release.faults_of(changelog) == []
    assert list(release.sections(changelog)) == ["Unreleased", "0.2.0 - 2026-11-26", "0.1.0 - 2026-01-02"]
    assert release.notes(tree, "v0.2.0") == "### Added\n- Something new."


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("v0.3.0", "pyproject.toml says 0.1.0"),
        ("v0.3.0", "no section “0.3.0 - YYYY-MM-DD”"),
        ("0.1.0", "is no tag"),
        ("v0.1", "is no tag"),
        ("v01.0.0", "is no tag"),
        ("v0.1.0-rc1", "is no tag"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(tree: Path, tag: str, said: str) -> None:
    with pytest.raises(CannotDeploy, match=re.escape(said)):
        release.notes(tree, tag)


def test_an_empty_section_is_no_release(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("## Unreleased\n\n## 0.1.0 - 2026-01-02\n")
    with pytest.raises(CannotDeploy, match="says nothing"):
        release.notes(tree, "v0.1.0")
    with pytest.raises(CannotDeploy, match="Nothing is unreleased"):
        release.begin(tree, "0.2.0", "2026-11-26")


@pytest.mark.parametrize("version", ["v0.2.0", "0.2", "next"])
def test_a_version_that_is_none_is_refused(tree: Path, version: str) -> None:
    with pytest.raises(CannotDeploy, match="is no version"):
        release.begin(tree, version, "2026-11-26")


def test_what_is_released_is_not_released_again(tree: Path) -> None:
    with pytest.raises(CannotDeploy, match="released already"):
        release.begin(tree, "0.1.0", "2026-11-26")


@pytest.mark.parametrize(
    ("changelog", "fault"),
    [
        ("# Changelog\n\n## 0.1.0 - 2026-01-02\n\n- x\n", "must be Unreleased"),
        ("## Unreleased\n\n## 0.1.0\n\n- x\n", "must read 1.2.3 - YYYY-MM-DD"),
        ("## Unreleased\n\n## 0.1.0 - 2026-01-02\n\n- x\n\n## 0.2.0 - 2026-01-03\n\n- x\n", "newest version"),
        ("## Unreleased\n\n## 0.1.0 - 2026-01-02\n", "Nothing is said of 0.1.0"),
    ],
)
def test_a_changelog_of_another_form_is_a_fault(changelog: str, fault: str) -> None:
    assert fault in " ".join(release.faults_of(changelog))


def test_the_command_prints_the_notes_or_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main(["release", "notes", "v99.0.0"]) == 1
    assert "v99.0.0 cannot be released: pyproject.toml says" in capsys.readouterr().err
