"""Line 1: a fresh clone, the documented command, the printed curl line; readiness tells the truth throughout."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

from tests.proofs.harness import Context
from tests.proofs.ledger import best_label
from tests.proofs.readiness import lies, sampling, seconds_until_said
from tests.proofs.results import Figure, at_most, for_the_record, is_true, none_of
from tests.proofs.samples import FOLDER, RIGHT_LABELS, samples
from tests.proofs.stack import Stack, clone
from tests.proofs.wire import predict

# Setting up downloads gigabytes where nothing is cached.
FIRST_START_SECONDS = 1500.0
WARM_START_SECONDS = 30.0
SAID_SECONDS = 10.0
AFTERWARDS_SECONDS = 12.0
RIGHT = "Reynoutria japonica"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(context: Context) -> list[Figure]:
    root = clone(context.root, context.folder / "clone")
    stack = Stack(root, context.folder, command=("make", "run"))
    try:
        return _first_start(context, stack) + _warm_starts(context, stack)
    finally:
        stack.stop()


def _first_start(context: Context, stack: Stack) -> list[Figure]:
    picture = samples(context.root)[RIGHT]
    with sampling(stack.port, picture) as said:
        stack.start()
        seconds = stack.wait_until_ready(FIRST_START_SECONDS)
        time.sleep(AFTERWARDS_SECONDS)
    wrong = _wrong_answers_of_curl(context, stack)
    stack.stop()
    return [
        for_the_record("first start, setup included", f"{seconds:.0f} s"),
        none_of("ready said, but the prediction failed", lies(said), sum(s.ready is True for s in said), context.say),
        at_most("ready said after the first good prediction", seconds_until_said(said), SAID_SECONDS, "s"),
        is_true("not ready was said before", any(s.ready is False for s in said)),
        none_of("pictures that the printed curl line names wrong", wrong, len(RIGHT_LABELS), context.say),
    ]


def printed_curl_line(output: str) -> str:
    """The command as the user would copy it.

    Raises:
        RuntimeError: None was printed.
    """
    for line in COLOURS.sub("", output).splitlines():
        if "curl " in line and "http" in line:
            return line[line.index("curl ") :].rstrip(" │|")
    raise RuntimeError("No curl line was printed.")


def _wrong_answers_of_curl(context: Context, stack: Stack) -> list[str]:
    command = _wait_for_curl_line(stack)
    context.say(command)
    printed = next((name for name in RIGHT_LABELS if name in command), None)
    if printed is None:
        return [f"the printed line names no sample of {FOLDER}"]
    wrong = []
    for name, label in RIGHT_LABELS.items():
        said = _label_of(command.replace(printed, name), stack.root)
        if said != label:
            wrong.append(f"{name} was named {said}")
    return wrong


def _wait_for_curl_line(stack: Stack, seconds: float = 60) -> str:
    """The block is printed some moments after the service is ready."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return printed_curl_line(stack.output())
        except RuntimeError:
            time.sleep(0.2)
    return printed_curl_line(stack.output())


def _label_of(command: str, folder: Path) -> str:
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    try:
        return str(json.loads(done.stdout)["predictions"][0]["label"])
    except (ValueError, KeyError, IndexError, TypeError):
        return f"nothing: {done.stdout[:200]} {done.stderr[-200:]}"


def _warm_starts(context: Context, stack: Stack) -> list[Figure]:
    picture, seconds = samples(context.root)[RIGHT], []
    for _ in range(3):
        started = time.monotonic()
        stack.start()
        while best_label(predict(stack.port, picture, 5)) != RIGHT:
            if time.monotonic() - started > 180:
                raise RuntimeError(f"No prediction after 180 s: {stack.output()[-2000:]}")
            time.sleep(0.05)
        seconds.append(time.monotonic() - started)
        context.say(f"first right prediction after {seconds[-1]:.1f} s, load {os.getloadavg()[0]:.1f}")
        stack.stop()
    all_three = ", ".join(f"{second:.1f}" for second in seconds)
    best = at_most("warm start to the first right prediction, best of three", min(seconds), WARM_START_SECONDS, "s")
    return [best, for_the_record("the three warm starts", f"{all_three} s")]
