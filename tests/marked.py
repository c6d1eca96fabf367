"""Every block of commands in the documents says what runs it, or why nothing does.

In the line above the block: `<!-- run by: tests/… -->` or `<!-- not run: why -->`. On a page whose blocks are all run
by the same test: `<!-- every block is run by: tests/… -->`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import documented

ROOT = Path(__file__).resolve().parents[1]
HERE = "tests/proofs/stack_lines/line_7_docs.py"  # runs its blocks as they stand, in a clean clone

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (run by|not run): ((?:(?!-->).)+?) -->\s*\Z", re.DOTALL)
_PAGE = re.compile(r"<!-- every block is run by: (\S+) -->")
_PROGRAMS = (
    "make|git|curl|docker|python3?|weedwatch|scripts/\\S+|\\.venv/bin/\\S+|psql|pg_dump|createuser|createdb|kubectl|"
    "kustomize|jq|grep|ssh|sops|age|age-keygen|vault|brew|apt|apt-get|sudo|wsl|install|minisign|amtool|nc|openssl|"
    "export|gunicorn|certbot|helm|chmod|export|cp|mv|head|tar"
)
_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{_PROGRAMS})(?: |$)")
_SETS = re.compile(r"""[A-Z_]+=("[^"]*"|'[^']*'|\S*)""")  # a variable, and runs nothing
_START = {True: "", False: r"(?<![\w-])"}  # a path may have anything before it
_OTHER_LANGUAGES = {"python", "json", "toml", "yaml", "text", "logql", "promql", "sql", "mermaid", "ini", "nginx", "js"}


@dataclass(frozen=True)
class Block:
    """Commands of one page, and what is said of who runs them."""

    page: str
    text: str
    kind: str = ""  # "run by", "not run", or nothing
    said: str = ""

    @property
    def commands(self) -> list[str]:
        """A line that goes on in the next one is one command; comments are none."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        lines = [re.sub(r"\s+# .*$", "", line).strip() for line in lines]
        return [line for line in lines if line and line[0] != "#" and not _SETS.fullmatch(line)]

    @property
    def files(self) -> list[str]:
        return re.split(r",\s*", self.said) if self.kind == "run by" else []

    @property
    def fault(self) -> str | None:
        """What is wrong with its mark."""
        first = f"{self.page}: `{self.commands[0] if self.commands else ''}`"
        if not self.kind:
            return f"{first} says neither what runs it nor why nothing does (tests/marked.py)"
        if self.kind == "not run":
            return None if len(self.said.split()) >= 3 else f"{first}: “{self.said}” is no reason"
        for name in self.files:
            if not (ROOT / name).is_file():
                return f"{first}: there is no {name}"
        missing = [each for each in self.commands if not any(runs(ROOT / name, each) for name in self.files)]
        return f"{first}: nothing in {self.said} is like `{missing[0]}`" if missing else None


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(name: str, page: str) -> Iterator[Block]:
    """Those that hold commands. Without a language a block does if a line begins with a program."""
    whole = _PAGE.search(page)
    for found in _FENCE.finditer(page):
        indent, language, text = found.groups()
        text = "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        is_shell = language in ("sh", "bash", "console", "shell")
        if language in _OTHER_LANGUAGES or not (is_shell or any(map(_COMMAND.match, text.splitlines()))):
            continue
        mark = _MARK.search(page[: found.start()])
        if mark:
            yield Block(name, text, mark[1], " ".join(mark[2].split()))
        elif whole:
            yield Block(name, text, "run by", whole[1])
        else:
            yield Block(name, text)


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks(str(page.relative_to(ROOT)), page.read_text())]


def runs(file: Path, command: str) -> bool:
    """Whether the file holds what tells this command from others: words of its own, not its values."""
    name = str(file.relative_to(ROOT))
    if name == HERE:
        return True
    if name == "tests/acceptance/test_commands.py":
        return set(documented.pieces(command)) <= documented.run_by(documented.PAGE.read_text())
    text = file.read_text()
    return all(
        re.search(rf"{_START[word[0] == '/']}{re.escape(word)}(?![\w-])", text) for word in telling_words(command)
    )


def telling_words(command: str) -> list[str]:
    """`make x N=1` → x and N; `git a b` → a; `curl …/a/ID/b` → /b; `python -m a b` → a and b; else the program."""
    command = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", command)
    if target := re.match(r"make ([a-z-]+)", command):
        return [target[1], *re.findall(r" ([A-Z_]+)=", command)]
    if work := re.match(r"git (?:-\S+ )*([a-z]+)", command):
        return [work[1]]
    if command.startswith("curl"):
        found = re.search(r"https?://[^/\s]+(/[^?'\"\s]*)", command)
        return re.findall(r"/[a-z_]+", found[1])[-1:] if found else ["curl"]
    if module := re.match(r"\S*python3? -m (\w+)(?: ([a-z]\w*))?", command):
        return [each for each in module.groups() if each]
    return [Path(command.split()[0]).name]
