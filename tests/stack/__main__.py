"""`python -m tests.stack`: an `engine` to try the stack on, the `standins` of its images, and `stop`."""

import argparse
import os
import sys
from pathlib import Path

from tests.proofs.harness import state_folder
from tests.stack import engine, standins
from tests.stack.docker import Docker, DockerFailed


def main() -> int:
    options = _parser().parse_args()
    try:
        if options.command == "engine":
            show(engine.keep(options.folder))
        elif options.command == "standins":
            standins.build(engine.keep(options.folder), say=lambda line: print(line, flush=True))
        else:
            engine.end(engine.Place(options.folder))
    except (engine.NoEngine, standins.CannotBuild, DockerFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def show(docker: Docker) -> None:
    """Print what a shell needs to use this engine: `eval "$(python -m tests.stack engine)"`."""
    for name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH"):
        if docker.environment.get(name) != os.environ.get(name):
            print(f"export {name}='{docker.environment[name]}'")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.stack", description="A Docker Engine and stand-in images.")
    parts = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("engine", "start one if none answers, keep it, and print the environment to use it"),
        ("standins", "build the images that are missing"),
        ("stop", "end the engine that was started"),
    ):
        part = parts.add_parser(name, help=about)
        part.add_argument("--folder", type=Path, default=state_folder() / "docker", help="where it keeps its data")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
