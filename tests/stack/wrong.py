"""Each check of `probing` on two tiny stacks: one where all is right, and one with something wrong for each."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.proofs.results import Figure, is_true, none_of
from tests.proofs.stack import free_port
from tests.stack import probing
from tests.stack.docker import Docker
from tests.stack.subject import Subject, look

FOLDER = Path(__file__).parent / "tiny"
RIGHT = (FOLDER / "compose.yaml",)
WRONG = (*RIGHT, FOLDER / "wrong.yaml")
UP_SECONDS = 180.0
MUST_FIND: Mapping[str, Sequence[str]] = {
    "users": ("edge:",),
    "roots": ("control-plane-1: its root", "control-plane-1: a file below / gave written"),
    "limits": (
        "postgres: declares no limit of memory",
        "postgres: declares no limit of pids",
        "postgres: declares no limit of cpus",
    ),
    "rights": ("redis: does not drop", "redis: `"),
    "published": ("torchserve: its port 8081 is offered",),
    "reachable": (
        *(f"front: torchserve answers at port {port}" for port in (8080, 8081, 8082)),
        "front: control-plane:8000 gave no name",
        "data: leads to other networks",
    ),
    "names": ("front: control-plane is nowhere", "data: postgres is"),
    "secrets": ("postgres: the planted one stands in `docker inspect`", "redis: the planted one stands in a command"),
}
"""Check → how sentences begin that it must give."""
MAY_FIND: Mapping[str, Sequence[str]] = {
    "secrets": ("redis: the planted one stands in `docker inspect`",),
}


@contextlib.contextmanager
def tiny(docker: Docker, files: Sequence[Path]) -> Iterator[Subject]:
    """A tiny stack that runs, and is gone afterwards."""
    secret = secrets.token_urlsafe(32)
    variables = {"TINY_SECRET": secret, "TINY_PORT": str(free_port()), "TINY_WRONG_PORT": str(free_port())}
    own = Docker({**docker.environment, **variables})
    options = [word for path in files for word in ("--file", str(path))]
    try:
        own.run("compose", *options, "up", "--detach", "--build", "--wait", seconds=UP_SECONDS)
        yield look(own, FOLDER, files, {"the planted one": secret})
    finally:
        own.run("compose", *options, "down", "--volumes", "--rmi=local", "--timeout=2", seconds=UP_SECONDS)


def overlooked(found: Mapping[str, Sequence[str]]) -> list[str]:
    """What the checks should have said of the wrong stack and did not."""
    return [
        f"{check} did not say: {begin} …"
        for check, sentences in MUST_FIND.items()
        for begin in sentences
        if not any(each.startswith(begin) for each in found[check])
    ]


def made_up(found: Mapping[str, Sequence[str]]) -> list[str]:
    """What they said of it that is not so."""
    return [
        f"{check}: {sentence}"
        for check, sentences in found.items()
        for sentence in sentences
        if not sentence.startswith((*MUST_FIND[check], *MAY_FIND.get(check, ())))
    ]


def figures(docker: Docker, say: Callable[[str], None]) -> list[Figure]:
    """Whether the checks find nothing where all is right, and what is wrong where something is."""
    with tiny(docker, RIGHT) as right:
        found = [f"{check}: {sentence}" for check, faults in probing.faults(right).items() for sentence in faults]
        sound = none_of("faults found in a tiny stack that has none", found, len(right.running), say)
    with tiny(docker, WRONG) as wrong:
        faults = probing.faults(wrong)
    expected = sum(map(len, MUST_FIND.values()))
    return [
        sound,
        is_true("every check of them has something to find", set(MUST_FIND) == set(probing.CHECKS)),
        none_of("planted faults that were overlooked", overlooked(faults), expected, say),
        none_of("faults found that nobody planted", made_up(faults), expected, say),
    ]
