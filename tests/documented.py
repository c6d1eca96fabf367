"""Runs every command of the documents in the order of docs/commands.md and compares what it prints.

`python -m tests.documented` runs them and writes what they printed into the page where it says something else.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.changing import Changing, changing
from tests.proofs.stack import clean_environment
from tests.versions import exchanged
from weedwatch.commands.program import app

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "commands.md"
SOURCE = ROOT / "model_store/sources/plants/1"
SECONDS = 300
ENVIRONMENT = {"WEEDWATCH_WORKERS": "2"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[|;&(]\s*)(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(weedwatch(?: [^|;&#`\n]+|$))")
_CODE = re.compile(r"\s+# exit code (\d+)$")
_VARIES = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\bww_\w{8}_[\w-]{43}|(?<=\bkey )\w{8}|^\w{8}(?= +(valid|revoked))", re.MULTILINE), "KEY"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[0-9:.Z+]*"), "WHEN"),
    (re.compile(r"\d{8}T\d{6}Z"), "BACKUP"),
    (re.compile(r"localhost:\d+"), "localhost:PORT"),
    (re.compile(r"\d+(\.\d+)?(?= ?(ms|s|MB|bytes)\b)"), "N"),
    (re.compile(r"(?<=processing_time_ms)\W+[\d.]+"), " N"),
    (re.compile(r"\d+\.\d{3,}"), "N"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Step:
    """One command, or one program in Python, of the page: what it should print and how it should end."""

    command: str
    expected: str
    code: int = 0
    is_python: bool = False


@dataclass(frozen=True)
class Ran:
    step: Step
    code: int
    printed: str

    @property
    def fault(self) -> str | None:
        if self.code != self.step.code:
            return f"{self.step.command}: ended with {self.code} instead of {self.step.code}: {self.printed[-500:]}"
        if not agrees(self.step.expected, self.printed):
            return f"{self.step.command}: printed {self.printed[:500]!r} instead of {self.step.expected[:500]!r}"
        return None


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: str) -> list[str]:
    """Every command of a document: in blocks the lines that run one, elsewhere inline code."""
    found: list[str] = []
    for language, block in _FENCE.findall(page):
        lines = [line for line in block.splitlines() if language != "console" or line.startswith("$ ")]
        if language not in ("python", "json", "toml"):
            found += [command for line in lines for command in pieces(line.removeprefix("$ ").strip())]
    inline = re.findall(r"`([^`\n]+)`", _FENCE.sub("", page))
    return found + [
        command for text in inline if re.match(r"(\.venv/bin/)?weedwatch ", text) for command in pieces(text)
    ]


def pieces(line: str) -> list[str]:
    found = [each.strip() for each in _COMMAND.findall(_CODE.sub("", line))]
    return [each for each in found if "…" not in each]  # which is none, but several


def shown() -> set[str]:
    return {command for file in documents() for command in commands(file.read_text())}


def run_by(page: str) -> set[str]:
    return {command for step in steps(page) if not step.is_python for command in pieces(step.command)}


def programs() -> set[str]:
    """Every command that there is, such as `models ls`."""
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    return {
        f"{prefix}{command.name or (command.callback.__name__ if command.callback else '')}"
        for prefix, group in groups
        if group is not None
        for command in group.registered_commands
    }


def without_example(page: str) -> set[str]:
    ran = run_by(page)
    return {name for name in programs() if not any(f"{each} ".startswith(f"weedwatch {name} ") for each in ran)}


def steps(page: str) -> Iterator[Step]:
    """Of the page's blocks, in order. What a Python program prints stands in the block after it."""
    blocks = _FENCE.findall(page)
    for number, (language, block) in enumerate(blocks):
        if language == "python":
            following = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            yield Step(block, following[1] if following[0] == "text" else "", is_python=True)
        elif language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                code = _CODE.search(line)
                yield Step(_CODE.sub("", line), expected, int(code[1]) if code else 0)


def agrees(expected: str, printed: str) -> bool:
    """Times, ids and the like may differ; `…` in what is expected stands for anything."""
    pattern = re.escape(_steady(expected)).replace("…", ".*")
    return re.fullmatch(pattern, _steady(printed), re.DOTALL) is not None


def _steady(text: str) -> str:
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text.strip()


def run_page(place: Changing, page: str) -> Iterator[Ran]:
    folder = prepared(place)
    for step in steps(page):
        yield run(place, folder, step)


def run(place: Changing, folder: Path, step: Step) -> Ran:
    """Standard output; with standard error behind it where it is to fail."""
    environment = clean_environment() | {"NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    environment |= {"WEEDWATCH_STATE_DIR": str(place.stack.state), "WEEDWATCH_MODEL_STORE": str(place.store)}
    environment["PATH"] = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    command = step.command
    if "REQUEST_ID" in command:
        asked = {"limit": "1", "label": "Reynoutria japonica"}
        newest = place.http.get("/history", params=asked).json()["items"][0]["request_id"]
        command = command.replace("REQUEST_ID", newest)
    if "KEY_ID" in command:
        keys = place.http.get("/keys", headers=place.admin).json()["items"]
        command = command.replace("KEY_ID", next(each["id"] for each in keys if each["state"] == "valid"))
    words = [sys.executable, "-c", command] if step.is_python else ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS, check=False,
    )  # fmt: skip
    failed = step.code or done.returncode
    return Ran(step, done.returncode, done.stdout + (done.stderr if failed else ""))


def prepared(place: Changing) -> Path:
    """A folder with what the page names; further versions and a golden set in the store of the service."""
    folder = place.stack.folder / "garden"
    folder.mkdir()
    (folder / "weedwatch.toml").write_text(f'url = "http://localhost:{place.stack.port}"\n')
    (folder / ".weedwatch").mkdir()
    shutil.copy(place.stack.state / "admin-token", folder / ".weedwatch")
    shutil.copy(SOURCE / "samples/knotweed.jpg", folder / "photo.jpg")
    (folder / "walk").mkdir()
    for name in ("fern", "lantana", "water-hyacinth"):
        shutil.copy(SOURCE / f"samples/{name}.jpg", folder / "walk")
    (folder / "notes.txt").write_text("no picture")
    (folder / "notes.mar").write_text("no archive")
    for name in ("model.pth", "class_labels.json", "model_card.json"):
        shutil.copy(SOURCE / name, folder)
    golden = place.store / "sources/plants/1"
    golden.mkdir(parents=True, exist_ok=True)
    (golden / "golden.json").write_text('{"generator": "drawn plants", "seed": 5, "per_class": 4}')
    (golden / "policy.yaml").write_text("p95_ratio_at_most: 20\n")  # the machine may be busy with other things
    place.put("2")
    place.put("3", exchanged("Lantana camara", "Heracleum mantegazzianum"))
    place.put("4")
    shutil.move(place.store / "plants-4.mar", folder)
    return folder


def rewritten(page: str, ran: list[Ran], port: int) -> str:
    """The page, with what was printed where it said something else; how a command ends stays what it was."""
    at = 0
    for each in ran:
        step = each.step
        if step.is_python:
            head = f"```python\n{step.command}```\n\n```text\n"
            at = page.index(head, at) + len(head)
        else:
            line = re.compile(rf"^\$ {re.escape(step.command)}(\s+# exit code \d+)?\n", re.MULTILINE).search(page, at)
            assert line, step
            at = line.end()
        if each.fault and each.code == step.code:
            printed = each.printed.replace(f":{port}", ":8000")
            lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
            page = page[:at] + lines + page[at:].removeprefix(step.expected)
    return page


def main() -> int:
    page = PAGE.read_text()
    with changing(ROOT, **ENVIRONMENT) as place:
        ran = []
        for each in run_page(place, page):
            ran.append(each)
            print(f"$ {each.step.command}\n{each.printed}", flush=True)
        PAGE.write_text(rewritten(page, ran, place.stack.port))
    faults = [each.fault for each in ran if each.code != each.step.code]
    print("\n".join(fault for fault in faults if fault))
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
