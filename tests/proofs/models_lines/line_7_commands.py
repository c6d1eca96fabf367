"""Line 7: every command that the documents show runs, and prints what they say."""

from tests import documented
from tests.changing import changing
from tests.proofs.harness import Context
from tests.proofs.results import Figure, none_of


def run(context: Context) -> list[Figure]:
    page = documented.PAGE.read_text()
    with changing(context.root, **documented.ENVIRONMENT) as place:
        ran = []
        for each in documented.run_page(place, page):
            ran.append(each)
            context.say(f"$ {each.step.command}" if not each.step.is_python else "a program in Python")
    shown = documented.shown()
    return [
        none_of(
            "commands of the documents that do not run",
            sorted(shown - documented.run_by(page)),
            len(shown),
            context.say,
        ),
        none_of(
            "commands that do not print what the page says, or end otherwise",
            [each.fault for each in ran if each.fault],
            len(ran),
            context.say,
        ),
        none_of(
            "commands of the program without an example",
            sorted(documented.without_example(page)),
            len(documented.programs()),
            context.say,
        ),
    ]
