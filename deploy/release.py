"""One version everywhere: `python3 -m deploy release begin 0.2.0`, then, of its tag, `… release notes v0.2.0`.

A release is a tag vX.Y.Z. The version stands in pyproject.toml and control_plane/version.py, what changed in
CHANGELOG.md; a tag that they do not agree with is refused. Standard library only.
"""

from __future__ import annotations

import argparse
import re
from datetime import datetime, timezone
from pathlib import Path

from deploy.errors import CannotDeploy

SUMMARY = "begin a release, or check a tag and print what changed"

ROOT = Path(__file__).resolve().parents[1]
VERSION = r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
CHANGELOG = "CHANGELOG.md"
PLACES = {
    "pyproject.toml": re.compile(rf'^(version = ")({VERSION})(")$', re.MULTILINE),
    "control_plane/version.py": re.compile(rf'^(VERSION = ")({VERSION})(")$', re.MULTILINE),
}
_HEADING = re.compile(r"^## (?P<name>.+)$", re.MULTILINE)
_RELEASED = re.compile(rf"({VERSION}) - (\d{{4}}-\d\d-\d\d)")


def sections(changelog: str) -> dict[str, str]:
    """What each heading says, newest first: `Unreleased`, then `0.2.0 - 2026-11-26`."""
    found = list(_HEADING.finditer(changelog))
    ends = [each.start() for each in found[1:]] + [len(changelog)]
    return {
        each["name"].strip(): changelog[each.end() : end].strip()
        for each, end in zip(found, ends)  # noqa: B905
    }


def released(changelog: str) -> dict[str, str]:
    """What changed, by version."""
    return {
        match[1]: text for name, text in sections(changelog).items() if (match := _RELEASED.fullmatch(name)) is not None
    }


def faults_of(changelog: str) -> list[str]:
    """Of its form: the headings, their order, and that none is empty."""
    names = list(sections(changelog))
    faults = [] if names[:1] == ["Unreleased"] else ["The first section must be Unreleased."]
    faults += [f"“{name}” must read 1.2.3 - YYYY-MM-DD." for name in names[1:] if not _RELEASED.fullmatch(name)]
    numbers = [tuple(map(int, version.split("."))) for version in released(changelog)]
    if numbers != sorted(set(numbers), reverse=True):
        faults.append("The newest version must come first.")
    return faults + [f"Nothing is said of {version}." for version, text in released(changelog).items() if not text]


def versions(root: Path) -> dict[str, str]:
    """What each place says."""
    found = {name: pattern.search((root / name).read_text()) for name, pattern in PLACES.items()}
    return {name: match[2] if match else "none" for name, match in found.items()}


def notes(root: Path, tag: str) -> str:
    """What changed in the version of this tag.

    Raises:
        CannotDeploy: The tag, the version and the changelog do not fit each other.
    """
    if not re.fullmatch(f"v{VERSION}", tag):
        raise CannotDeploy(f"{tag!r} is no tag of a release; write v1.2.3.")
    wanted = tag[1:]
    wrong = [f"{name} says {version}" for name, version in versions(root).items() if version != wanted]
    text = released((root / CHANGELOG).read_text()).get(wanted)
    if text is None:
        wrong.append(f"{CHANGELOG} has no section “{wanted} - YYYY-MM-DD”")
    elif not text:
        wrong.append(f"{CHANGELOG} says nothing of {wanted}")
    if wrong:
        raise CannotDeploy(f"{tag} cannot be released: {'; '.join(wrong)}.")
    return text or ""


def begin(root: Path, version: str, day: str) -> list[str]:
    """Write the version everywhere; what was unreleased is its section. Gives the files that were changed."""
    if not re.fullmatch(VERSION, version):
        raise CannotDeploy(f"{version!r} is no version; write 1.2.3.")
    changelog = (root / CHANGELOG).read_text()
    if not sections(changelog).get("Unreleased"):
        raise CannotDeploy(f"Nothing is unreleased in {CHANGELOG}.")
    if version in released(changelog):
        raise CannotDeploy(f"{version} is released already.")
    (root / CHANGELOG).write_text(changelog.replace("## Unreleased\n", f"## Unreleased\n\n## {version} - {day}\n", 1))
    for name, pattern in PLACES.items():
        text, count = pattern.subn(rf"\g<1>{version}\g<3>", (root / name).read_text())
        if count != 1:
            raise CannotDeploy(f"{name} has no version to change.")
        (root / name).write_text(text)
    return [CHANGELOG, *PLACES]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("act", choices=("begin", "notes"), help="write a new version; say what changed in a tag's")
    parser.add_argument("version", help="begin: 1.2.3; notes: v1.2.3")


def run(options: argparse.Namespace) -> int:
    if options.act == "notes":
        print(notes(ROOT, options.version))
    else:
        changed = begin(ROOT, options.version, datetime.now(timezone.utc).strftime("%Y-%m-%d"))  # noqa: UP017
        print(f"Changed: {', '.join(changed)}. Look at them and commit; once that is on main, tag v{options.version}.")
    return 0
