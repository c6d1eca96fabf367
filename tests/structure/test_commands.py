"""The page of commands shows all that there are, and the other documents show none that it does not run."""

from tests import documented

PAGE = documented.PAGE.read_text()


def test_every_command_of_the_documents_is_run_by_the_page_of_commands() -> None:
    assert documented.shown() - documented.run_by(PAGE) == set()


def test_every_command_has_an_example() -> None:
    assert len(documented.programs()) > 15
    assert documented.without_example(PAGE) == set()


def test_commands_are_found_in_blocks_and_in_sentences() -> None:
    page = """Say `weedwatch status`, or `.venv/bin/weedwatch models ls`; `weedwatch` alone is a name.

```
# a comment
WEEDWATCH_URL=x .venv/bin/weedwatch predict a.jpg  # exit code 3
cat a.jpg | weedwatch predict -
```

```console
$ weedwatch open
weedwatch is what it printed
```
"""
    assert documented.commands(page) == [
        "weedwatch predict a.jpg",
        "weedwatch predict -",
        "weedwatch open",
        "weedwatch status",
        "weedwatch models ls",
    ]


def test_what_varies_may_differ_and_nothing_else() -> None:
    expected = "took 3 ms, request 01a1fa7e-6df2-75ba-b66e-0fb7baa2ac5b: … at http://localhost:8000"
    assert documented.agrees(
        expected, "took 17.5 ms, request 01a1fa7e-ffff-75ba-b66e-0fb7baa2ac5b: a\nb at http://localhost:7\n"
    )
    assert not documented.agrees("Ready.", "Not ready.")
    assert not documented.agrees("", "anything")


def test_what_was_printed_is_written_where_the_page_says_something_else() -> None:
    page = "```console\n$ a\nold\n$ b  # exit code 3\n$ a\nsame …\n```\n\n```python\nx\n```\n\n```text\n```\n"
    ran = [
        documented.Ran(step, code, printed)
        for step, code, printed in zip(
            documented.steps(page), (0, 3, 0, 0), ("new\n", "at :77 \n", "same 1\n", "y\n"), strict=True
        )
    ]
    assert documented.rewritten(page, ran, 77) == (
        "```console\n$ a\nnew\n$ b  # exit code 3\nat :8000\n$ a\nsame …\n```\n\n```python\nx\n```\n\n```text\ny\n```\n"
    )
