"""`python -m observability write [FOLDER]` writes the generated files, `check` says what does not fit together."""

import argparse
from pathlib import Path

from observability import declared, generate, programs
from observability.places import Places


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m observability", description="Dashboards, rules, configuration.")
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write the generated files")
    write.add_argument("folder", nargs="?", type=Path, default=generate.GENERATED)
    write.add_argument("--service", default=Places.service, help="address of the service in links")
    write.add_argument("--grafana", default=Places.grafana, help="address of Grafana in links")
    commands.add_parser("check", help="say which panels and rules use what nobody tells")
    commands.add_parser("fetch", help="get Prometheus and Alertmanager")
    options = parser.parse_args()
    if options.command == "fetch":
        return _fetch()
    if options.command == "write":
        generate.write(options.folder, generate.files(Places(options.service, options.grafana)))
        return 0
    problems = declared.check()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _fetch() -> int:
    try:
        for name in programs.PROGRAMS:
            print(programs.program(name))
    except programs.CannotFetch as problem:
        print(problem)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
