"""`python3 -m deploy COMMAND`."""

from __future__ import annotations

import argparse
import sys

from deploy import alerts, building, fetch, pin, release, rollback, secret_files, up, update, verify
from deploy.errors import CannotDeploy

# A command is a module with SUMMARY, add_options(parser) and run(options), which gives the exit status.
COMMANDS = {
    "images": building,
    "fetch": fetch,
    "secrets": secret_files,
    "up": up,
    "alerts": alerts,
    "update": update,
    "rollback": rollback,
    "pin": pin,
    "release": release,
    "verify": verify,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m deploy", description="The images and the stack.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.add_options(command)
        command.set_defaults(run=module.run)
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
    except CannotDeploy as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
