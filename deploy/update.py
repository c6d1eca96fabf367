"""`make deploy TAG=…` and `make rollback`: other images of the control plane, without a failed request.

A further replica with the new image is healthy before one of the old ones is asked to end, and each new one before the
next. A replica that is not ready does not listen, so the edge passes it over; one that ends answers what it has begun.
"""

from __future__ import annotations

import argparse
import contextlib

from deploy import fetch
from deploy.composing import REPLICAS, SURGE, compose, has_image, running, setting, write_env
from deploy.errors import CannotDeploy

SUMMARY = "replace the replicas of the control plane by those of another tag, one after the other"
HEALTHY_SECONDS = 180
LOG_LINES = 50
TAG, PREVIOUS = "WEEDWATCH_TAG", "WEEDWATCH_PREVIOUS_TAG"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tag", help="of the new images, which must be here or in the registry that WEEDWATCH_REGISTRY names"
    )


def run(options: argparse.Namespace) -> int:
    present = setting(TAG, "latest")
    change(present, options.tag)
    # The same once more, as when a deployment is run again: there is nothing new to go back to.
    previous = present if options.tag != present else setting(PREVIOUS, present)
    write_env({TAG: options.tag, PREVIOUS: previous})
    print(f"The control plane runs {options.tag}; `make rollback` goes back to {previous}.")
    print("The edge and TorchServe keep running as they are; `make up` takes them along, with a pause of some seconds.")
    return 0


def change(old: str, new: str) -> None:
    """Replace the replicas.

    Raises:
        CannotDeploy: The new ones do not become healthy; then the old ones run as before.
    """
    _get(new)
    replicas = [name for name in REPLICAS if name in running()]
    if not replicas:
        raise CannotDeploy("No replica of the control plane runs. `make up` starts the stack.")
    replaced: list[str] = []
    try:
        _start(SURGE, new)
        for name in replicas:
            replaced.append(name)
            _start(name, new)
    except CannotDeploy as problem:
        print(f"{problem}\nGoing back to {old}.")
        if stuck := [name for name in replaced if not _goes_back(name, old)]:
            raise CannotDeploy(
                f"The images of {new} do not become healthy, and {', '.join(stuck)} did not come back with {old}. "
                f"Look at it now: docker compose logs {stuck[0]}"
            ) from problem
        raise CannotDeploy(f"The images of {new} do not become healthy; {old} runs as before.") from problem
    finally:
        compose("--profile", "update", "rm", "--stop", "--force", SURGE, seconds=300)


def _get(tag: str) -> None:
    """Never by the bare name: that would be taken from Docker Hub, whoever owns the name there.

    Raises:
        CannotDeploy: The images are not here, and no registry is named, or it lacks them.
    """
    image = f"weedwatch/control-plane:{tag}"
    if has_image(image):
        return
    if not setting(fetch.REGISTRY, ""):
        raise CannotDeploy(f"There is no image {image} here. `make fetch TAG={tag}` gets it.")
    print(f"{image} is not here; looking into the registry.", flush=True)
    fetch.run(argparse.Namespace(tag=tag))


def _goes_back(service: str, tag: str) -> bool:
    """Whether it did; the others are tried all the same."""
    try:
        _start(service, tag)
    except CannotDeploy as problem:
        print(problem)
        return False
    return True


def _start(service: str, tag: str) -> None:
    print(f"{service}: {tag} …", flush=True)
    wait = ("--detach", "--wait", "--wait-timeout", str(HEALTHY_SECONDS))
    try:
        compose(
            "--profile", "update", "up", *wait, "--no-deps", "--no-build", service,
            environment={TAG: tag}, seconds=HEALTHY_SECONDS + 120,
        )  # fmt: skip
    except CannotDeploy:
        _print_log(service)
        raise


def _print_log(service: str) -> None:
    """Now: going back replaces the container, and its log goes with it."""
    print(f"The last lines of {service}:", flush=True)
    with contextlib.suppress(CannotDeploy):
        compose("--profile", "update", "logs", "--tail", str(LOG_LINES), service, seconds=60)
