"""No command stands in the documents of which nobody says whether it runs."""

import pytest

from tests import marked
from tests.marked import Block

BLOCKS = marked.all_blocks()


def test_every_block_of_commands_says_what_runs_it_or_why_nothing_does() -> None:
    assert len(BLOCKS) > 30
    assert [block.fault for block in BLOCKS if block.fault] == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("```sh\nmake run\n```\n", "says neither"),
        ("```\nmake run\n```\n", "says neither"),
        ("<!-- not run: no -->\n```sh\nmake run\n```\n", "is no reason"),
        ("<!-- run by: tests/nowhere.py -->\n```sh\nmake run\n```\n", "there is no tests/nowhere.py"),
        ("<!-- run by: tests/marked.py -->\n```sh\nmake brew\n```\n", None),
        ("<!-- run by: tests/marked.py -->\n```sh\nmake no-such-thing\n```\n", "is like `make no-such-thing`"),
        ("<!-- run by: tests/acceptance/test_commands.py -->\n```sh\nweedwatch dance\n```\n", "like `weedwatch dance`"),
        ("<!-- run by: tests/acceptance/test_commands.py -->\n```sh\nweedwatch status\n```\n", None),
        ("<!-- every block is run by: tests/marked.py -->\n# T\n\n```sh\nkubectl get\n```\n", None),
        ("<!-- not run: it needs\nanother machine -->\n\n   ```sh\n   make run\n   ```\n", None),
    ],
)
def test_a_mark_that_says_too_little_is_a_fault(page: str, said: str | None) -> None:
    (block,) = marked.blocks("page.md", page)
    assert (said in block.fault) if said and block.fault else block.fault == said


def test_what_is_no_command_needs_no_mark() -> None:
    page = "```\na drawing ──►\n  make run   a list\n```\n```python\nmake run\n```\n```yaml\nmake: x\n```\n"
    assert list(marked.blocks("page.md", page)) == []


def test_commands_are_lines_without_their_comments_and_results() -> None:
    assert Block("p", "$ weedwatch open  # exit code 0\nhttp://localhost\n").commands == ["weedwatch open"]
    assert Block("p", "# why\nmake a \\\n  B=1\n").commands == ["make a    B=1"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("A=1 make deploy TAG=0.2.0", ["deploy", "TAG"]),
        ("git fetch --tags && git checkout v1", ["fetch"]),
        ("curl -F image=@x http://localhost:8000/predict?top_k=1", ["/predict"]),
        (".venv/bin/python -m backup make --to X", ["backup", "make"]),
        ("python3 -m deploy", ["deploy"]),
        ("docker compose ps", ["docker"]),
    ],
)
def test_a_command_is_known_by_its_own_words(command: str, words: list[str]) -> None:
    assert marked.telling_words(command) == words
